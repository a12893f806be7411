//! Local connections.

use std::io;
use std::os::unix::net::SocketAddr;

use socket2::{Socket, Type};

use super::connect::connect;
use super::{ToUnixAddr, UCred};
use crate::event_loop::{Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::net::buffers::buffer_sizes;
use crate::net::send_file::sends_files;
use crate::net::stream::{Stream, byte_stream, peekable};
use crate::request::Request;
use crate::sys;

handle_type! {
    /// A local connection, for callbacks and tasks.
    ///
    /// It lives as a [`TcpStream`](crate::net::TcpStream) does, and can pass descriptors to the other end:
    /// [`write_with_fds`](Self::write_with_fds).
    ///
    /// # Errors
    /// A peer that closes with data it has not read resets the connection: `ECONNRESET` comes to the
    /// reader here.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::UnixStream;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.write("hello").await?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(other.read(&mut buffer).await?, 5);
    ///     Ok(())
    /// }
    /// ```
    UnixStream, Stream<UnixStream>
}

byte_stream!(UnixStream, Socket);
peekable!(UnixStream);
buffer_sizes!(UnixStream);
sends_files!(UnixStream);

/// Making connections, and what is known of the other end.
impl UnixStream {
    /// Connects to a path or an abstract name.
    ///
    /// A listener whose queue is full lets the connect wait, as a blocking one would: the system has no
    /// event for that, so it is tried again, after 1 ms at first and later every 32 ms, until it
    /// succeeds, fails or is cancelled. Such attempts keep no order among themselves.
    ///
    /// # Ordering
    /// Done in the poll phase; after such a wait in the timers phase.
    ///
    /// # Errors
    /// All of them name the path. `NotFound` if nothing is there; `ConnectionRefused` if nobody listens
    /// there; `PermissionDenied`; `EPROTOTYPE` if it is a socket for datagrams; `InvalidInput` for what is
    /// [no address](ToUnixAddr::to_unix_addr).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request gives the attempt up.
    ///
    /// # Platform notes
    /// Elsewhere than on Linux a full queue is `ConnectionRefused`.
    #[track_caller]
    pub fn connect(address: impl ToUnixAddr) -> Request<Self> {
        connect(&current(), address.to_unix_addr())
    }

    /// Two that are connected, and have no names.
    ///
    /// # Errors
    /// The system's, if no descriptor is left; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let lp = current();
        lp.check_open()?;
        let (one, other) = sys::local_pair(Type::STREAM)?;
        Ok((Self::of_socket(&lp, one), Self::of_socket(&lp, other)))
    }

    /// Takes a connection of the standard library over.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        stream.set_nonblocking(true)?;
        Ok(Self::of_socket(&lp, stream.into()))
    }

    #[track_caller]
    pub(super) fn of_socket(lp: &LoopRef, socket: Socket) -> Self {
        Self(Stream::make(lp, Kind::UnixStream, socket))
    }

    /// Takes the connection out of the loop: the handle, all clones of it, is closed as by
    /// [`close`](Self::close), and the socket lives on in what is returned, non-blocking. Nothing is
    /// lost: a stream keeps no data that it read. A read callback is dropped.
    ///
    /// # Errors
    /// `ResourceBusy` while something is queued, or a [`shutdown`](Self::shutdown) waits; the stream, if
    /// there is a clone of it, goes on then. [`Closed`](crate::Closed), or what closed it.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        Ok(self.0.hand_off()?.into())
    }

    /// The address of this end; mostly it has none.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.with_socket(sys::local_name)
    }

    /// The address of the other end: that of the listener, or mostly none.
    ///
    /// # Errors
    /// `ENOTCONN` if that is gone; [`Closed`](crate::Closed).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.with_socket(sys::peer_name)
    }

    /// Who is at the other end, as the system noted when it connected, or listened, or made the pair.
    /// The process may be another by now: who decides by this looks at the user.
    ///
    /// # Errors
    /// `Unsupported` elsewhere than on Linux; [`Closed`](crate::Closed).
    pub fn peer_cred(&self) -> io::Result<UCred> {
        self.0.with_socket(sys::peer_cred)
    }
}
