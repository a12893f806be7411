//! Listeners for local connections.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::SocketAddr;

use socket2::Socket;

use super::bound::{BoundFile, check_mode};
use super::{ToUnixAddr, UnixOptions, UnixStream};
use crate::error::Closed;
use crate::event_loop::{Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::net::listener::{Listener, listener};
use crate::sys;

handle_type! {
    /// A socket that accepts local connections, for callbacks and tasks.
    ///
    /// Its file is removed when it closes, or is dropped, or its loop is, just before the socket closes:
    /// but only the file that this listener made, at the path where it was made. What somebody else
    /// put there stays, and so does the file of a socket that was taken over by
    /// [`from_std`](Self::from_std). A process that is killed leaves its file, and the next bind there
    /// finds the address in use: who knows that nobody serves there removes the file first.
    ///
    /// Without descriptors it does as a [`TcpListener`](crate::net::TcpListener) does.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::{UnixListener, UnixStream};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let path = std::env::temp_dir().join(format!("listener-{}", std::process::id()));
    ///     let server = UnixListener::bind(&path)?;
    ///     server.listen(|server, socket| {
    ///         socket.write("hello");
    ///         server.close();
    ///     });
    ///     let client = UnixStream::connect(&path).await?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(client.read(&mut buffer).await?, 5);
    ///     Ok(())
    /// }
    /// ```
    UnixListener, Listener<UnixListener>
}

listener!(UnixListener, UnixStream, SocketAddr, sys::accept_local, BoundFile);

/// Making listeners.
impl UnixListener {
    /// Listens at a path, where it makes a file, or at an abstract name.
    ///
    /// A relative path is that of the directory the process is in now.
    ///
    /// # Errors
    /// All of them name the path. `AddrInUse` if a file is there, of whatever kind; `NotFound` if the
    /// directory is not (libuv says `EACCES`); `PermissionDenied` and others of the system; `InvalidInput`
    /// for what is [no address](ToUnixAddr::to_unix_addr).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToUnixAddr) -> io::Result<Self> {
        Self::options().bind(address)
    }

    /// Options that are to be set before it is bound.
    pub fn options() -> UnixOptions {
        UnixOptions::default()
    }

    /// Takes a listener of the standard library over. Its file stays when this closes.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        listener.set_nonblocking(true)?;
        Ok(Self::of_bound(&lp, listener.into(), None))
    }

    #[track_caller]
    pub(super) fn of_bound(lp: &LoopRef, socket: Socket, file: Option<BoundFile>) -> Self {
        let listener = Listener::make(lp, Kind::UnixListener, socket);
        listener.set_guard(file);
        Self(listener)
    }

    /// Takes the listener out of the loop: the handle, all clones of it, is closed as by
    /// [`close`](Self::close), and the socket lives on in what is returned, non-blocking, with its file.
    /// Connections that wait in the system are not lost.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed).
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        self.check_open()?;
        let socket = self.0.take_socket().ok_or(Closed)?;
        if let Some(file) = self.0.take_guard() {
            file.leave();
        }
        self.close();
        Ok(socket.into())
    }

    /// The address it listens at.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.with_socket(sys::local_name)
    }

    /// Sets who may use the file, as libuv's `uv_pipe_chmod`. Connections that are there stay.
    /// [`UnixOptions::mode`] sets it before anybody can connect.
    ///
    /// # Errors
    /// `NotFound` if the file is gone, or another's; `InvalidInput` for more than the bits of access,
    /// and if it has no file that it made; [`Closed`](crate::Closed); the system's.
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.check_open()?;
        // The kind of the file may be in it, if it was read from one.
        let mode = check_mode(permissions.mode() & 0o7777)?;
        let file = self.0.take_guard().ok_or_else(|| {
            let message = "the listener has no file that it made";
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let result = file.set_mode(mode);
        self.0.set_guard(Some(file));
        result
    }
}
