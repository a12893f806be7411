//! TCP connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

use super::ToAddr;
use super::connect::{connect, next_socket};
use super::stream::{Stream, byte_stream, peekable};
use crate::event_loop::{Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::request::Request;
use crate::sys;

handle_type! {
    /// A TCP connection, for callbacks and tasks.
    ///
    /// It closes when its last holder goes (after what is queued was written), when both directions
    /// have ended and a callback read the end, by an error of reading, or by [`close`](Self::close). The loop is a holder while a
    /// read callback is installed or requests are in flight.
    ///
    /// It implements futures-io's `AsyncRead` and `AsyncWrite`, and so does `&TcpStream`: two halves are
    /// two clones. A buffered write of the trait takes all it is given below the high-water mark; its
    /// `flush` waits until the system has taken everything.
    ///
    /// # Examples
    /// By callback:
    /// ```
    /// use runtime::net::{TcpListener, TcpStream};
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = server.local_addr()?;
    ///     server.listen(|server, socket| {
    ///         socket.write("hello");
    ///         server.close();
    ///     });
    ///     TcpStream::connect(address).callback(|connected| -> runtime::Result {
    ///         connected?.read_start(|_, data| println!("{data:?}"));
    ///         Ok(())
    ///     });
    ///     Ok(())
    /// }
    /// ```
    /// By await:
    /// ```
    /// use runtime::net::{TcpListener, TcpStream};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     let client = TcpStream::connect(server.local_addr()?).await?;
    ///     let (peer, _address) = server.accept().await?;
    ///     peer.write("hello").await?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(client.read(&mut buffer).await?, 5);
    ///     Ok(())
    /// }
    /// ```
    TcpStream, Stream<TcpStream>
}

byte_stream!(
    TcpStream,
    Socket,
    fn connect_next(left: &mut Vec<SocketAddr>) -> io::Result<Socket> {
        next_socket(left)
    }
);
peekable!(TcpStream);

/// Making connections, and what only TCP has.
impl TcpStream {
    /// Connects to the first of the addresses that takes it.
    ///
    /// # Ordering
    /// Done in the poll phase.
    ///
    /// # Errors
    /// The system's error with the last address: `ConnectionRefused`, say. `InvalidInput` for what is
    /// no address.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request gives the attempt up.
    #[track_caller]
    pub fn connect(address: impl ToAddr) -> Request<Self> {
        connect(&current(), address.to_addrs())
    }

    /// Takes a connection of the standard library over.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        stream.set_nonblocking(true)?;
        Ok(Self::of_socket(&lp, stream.into()))
    }

    pub(super) fn of_socket(lp: &LoopRef, socket: Socket) -> Self {
        Self(Stream::make(lp, Kind::TcpStream, socket))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.local_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN` if that is gone; [`Closed`](crate::Closed).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.peer_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }

    /// Sends small writes at once (`true`), or lets the system gather them (`false`, its default).
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.with_socket(|socket| socket.set_tcp_nodelay(nodelay))
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.with_socket(|socket| socket.tcp_nodelay())
    }

    /// Lets the system ask a silent peer whether it is there, after `idle`; `None`, the default, is
    /// never. Whole seconds; less than one is an error.
    ///
    /// # Errors
    /// `InvalidInput` below a second; [`Closed`](crate::Closed), or the system's.
    pub fn set_keepalive(&self, idle: impl Into<Option<Duration>>) -> io::Result<()> {
        let idle = idle.into();
        if idle.is_some_and(|idle| idle < Duration::from_secs(1)) {
            let message = "a keepalive below one second";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.0.with_socket(|socket| {
            socket.set_keepalive(idle.is_some())?;
            match idle {
                Some(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
                None => Ok(()),
            }
        })
    }

    /// Whether the system asks a silent peer.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.0.with_socket(|socket| socket.keepalive())
    }

    /// Closes the connection with RST: the peer sees `ECONNRESET`, and what is queued is dropped.
    ///
    /// # Errors
    /// `EINVAL` while a [`shutdown`](Self::shutdown) waits for the queue; [`Closed`](crate::Closed).
    pub fn reset(&self) -> io::Result<()> {
        self.check_open()?;
        if self.0.is_shutting_down() {
            return Err(sys::invalid());
        }
        self.0.with_socket(|socket| socket.set_linger(Some(Duration::ZERO)))?;
        self.close();
        Ok(())
    }
}
