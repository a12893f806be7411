//! How local sockets are bound.

use std::io;

use socket2::{Socket, Type};

use super::bound::{BoundFile, bind, check_mode};
use super::{ToUnixAddr, UnixDatagram, UnixListener};
use crate::event_loop::current;
use crate::net::listener::BACKLOG;
use crate::sys;

/// Options that are to be set before a socket is bound; see [`UnixListener::options`]. None is set at first.
///
/// # Examples
/// ```
/// use runtime::net::UnixListener;
///
/// #[runtime::main]
/// fn main() -> std::io::Result<()> {
///     let path = std::env::temp_dir().join(format!("options-{}", std::process::id()));
///     let server = UnixListener::options().mode(0o600).backlog(16).bind(&path)?;
///     server.close(); // which removes the file
///     assert!(!path.exists());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is done before `bind`"]
pub struct UnixOptions {
    mode: Option<u32>,
    backlog: Option<u32>,
}

impl UnixOptions {
    /// Who may use the file: the bits of access, whatever the umask is. Who connects needs to be
    /// allowed to write. Without this the umask decides. An abstract name has no file.
    ///
    /// Nobody gets in between. On Linux the file has no more than this mode from its first moment;
    /// everywhere it has it before the socket listens, until when all connections are refused.
    ///
    /// # Platform notes
    /// Some old systems look at the directory only. All look at that too.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Connections that the system lets wait, 4,096 if nothing is said; it may allow fewer. Zero is a
    /// few.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = Some(backlog);
        self
    }

    /// Listens at `address`: see [`UnixListener::bind`].
    ///
    /// # Errors
    /// `InvalidInput` for a mode that is more than the bits of access; else as there.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(self, address: impl ToUnixAddr) -> io::Result<UnixListener> {
        let lp = current();
        lp.check_open()?;
        let (socket, file) = self.bound(Type::STREAM, address)?;
        let backlog =
            self.backlog.map_or(BACKLOG, |backlog| backlog.try_into().unwrap_or(i32::MAX));
        socket.listen(backlog)?;
        Ok(UnixListener::of_bound(&lp, socket, file))
    }
    /// A socket for datagrams at `address`: see [`UnixDatagram::bind`].
    ///
    /// # Errors
    /// `InvalidInput` for a mode that is more than the bits of access; else as there.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Platform notes
    /// Elsewhere than on Linux the file has the mode of the umask for a moment.
    #[track_caller]
    pub fn bind_datagram(self, address: impl ToUnixAddr) -> io::Result<UnixDatagram> {
        let lp = current();
        lp.check_open()?;
        let (socket, file) = self.bound(Type::DGRAM, address)?;
        Ok(UnixDatagram::of_bound(&lp, socket, file))
    }

    fn bound(
        self,
        kind: Type,
        address: impl ToUnixAddr,
    ) -> io::Result<(Socket, Option<BoundFile>)> {
        let address = address.to_unix_addr()?;
        let mode = self.mode.map(check_mode).transpose()?;
        let socket = sys::local_socket(kind)?;
        let file = bind(&socket, &address, mode)?;
        Ok((socket, file))
    }
}
