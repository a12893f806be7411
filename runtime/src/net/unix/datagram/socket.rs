//! Sockets for local datagrams.

use std::io;
use std::os::unix::net::SocketAddr;

use socket2::{Socket, Type};

use super::resource::{Inner, Own};
use crate::error::Closed;
use crate::error::failed;
use crate::event_loop::{LoopRef, current};
use crate::handle::handle_type;
use crate::net::buffers::buffer_sizes;
use crate::net::unix::address::shown;
use crate::net::unix::bound::BoundFile;
use crate::net::unix::{ToUnixAddr, UnixOptions};
use crate::sys;

handle_type! {
    /// A local socket for datagrams, for callbacks and tasks.
    ///
    /// A datagram is whole, and comes in the order it was sent in; none is lost. It closes by
    /// [`close`](Self::close), or when its last holder goes; its file is removed then, as that of a
    /// [`UnixListener`](crate::net::UnixListener) is. The loop is a holder while a callback receives or
    /// datagrams are queued.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::UnixDatagram;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let path = std::env::temp_dir().join(format!("datagram-{}", std::process::id()));
    ///     let server = UnixDatagram::bind(&path)?;
    ///     let client = UnixDatagram::unbound()?;
    ///     client.send_to("hello", &path).await?;
    ///     let mut buffer = [0; 16];
    ///     let (len, from) = server.recv_from(&mut buffer).await?;
    ///     assert_eq!(&buffer[..len], b"hello");
    ///     assert!(from.is_unnamed());
    ///     Ok(())
    /// }
    /// ```
    UnixDatagram, Inner
}

buffer_sizes!(UnixDatagram);

impl UnixDatagram {
    /// A socket at a path, where it makes a file, or at an abstract name.
    ///
    /// # Errors
    /// As [`UnixListener::bind`](crate::net::UnixListener::bind).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToUnixAddr) -> io::Result<Self> {
        UnixOptions::default().bind_datagram(address)
    }

    /// A socket without a name: it sends, and nobody can send to it, unless it is one of a
    /// [`pair`](Self::pair).
    ///
    /// # Errors
    /// The system's, if no descriptor is left; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        Ok(Self::of_bound(&lp, sys::local_socket(Type::DGRAM)?, None))
    }

    /// Two that are connected, and have no names.
    ///
    /// # Errors
    /// As [`unbound`](Self::unbound).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let lp = current();
        lp.check_open()?;
        let (one, other) = sys::local_pair(Type::DGRAM)?;
        Ok((Self::of_bound(&lp, one, None), Self::of_bound(&lp, other, None)))
    }

    /// Takes a socket of the standard library over. Its file stays when this closes.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        socket.set_nonblocking(true)?;
        Ok(Self::of_bound(&lp, std::os::fd::OwnedFd::from(socket).into(), None))
    }

    #[track_caller]
    pub(in crate::net::unix) fn of_bound(
        lp: &LoopRef,
        socket: Socket,
        file: Option<BoundFile>,
    ) -> Self {
        Self(Inner::make(lp, socket, 0, Own::of(file)))
    }

    /// Takes the socket out of the loop: the handle, all clones of it, is closed as by
    /// [`close`](Self::close), and the socket lives on in what is returned, non-blocking, with its file.
    ///
    /// # Errors
    /// `ResourceBusy` while something is queued; the socket, if there is a clone of it, goes on then.
    /// [`Closed`](crate::Closed).
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        self.check_open()?;
        if self.0.is_sending() {
            let count = self.send_queue_count();
            let message = format!("the socket can't be handed on: {count} datagrams are queued");
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let socket = self.0.take_socket().ok_or(Closed)?;
        self.close();
        Ok(std::os::fd::OwnedFd::from(socket).into())
    }

    /// Its address.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.with_socket(sys::local_name)
    }

    /// The peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `ENOTCONN` if there is none, or it is gone; [`Closed`](crate::Closed).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.with_socket(sys::peer_name)
    }

    /// Gives the socket a peer, to which [`send`](Self::send) sends, and of whose datagrams alone the
    /// system hands on. Another call gives it another. It does not wait.
    ///
    /// # Errors
    /// All of them name the path. `NotFound` if nothing is there; `ConnectionRefused` if no socket has it
    /// any more; `EPROTOTYPE` if that is not for datagrams; `PermissionDenied`; `InvalidInput` for what is
    /// [no address](ToUnixAddr::to_unix_addr); [`Closed`](crate::Closed).
    pub fn connect(&self, address: impl ToUnixAddr) -> io::Result<()> {
        self.check_open()?;
        let address = address.to_unix_addr()?;
        self.0
            .with_socket(|socket| sys::connect_local(socket, &address))
            .map_err(|error| failed(format!("cannot connect to {}", shown(&address)), error))
    }
}
