//! TCP connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::Socket;

use super::buffers::buffer_sizes;
use super::send_file::sends_files;
use super::stream::{Stream, byte_stream, peekable};
use super::{TcpOptions, ToAddr};
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

byte_stream!(TcpStream, Socket);
peekable!(TcpStream);
buffer_sizes!(TcpStream);
sends_files!(TcpStream);

/// Making connections, and what only TCP has.
impl TcpStream {
    /// Connects to an address, to the first of several that takes it, or to a name: `"example.org:80"`.
    ///
    /// A name is looked up in the pool, by the system's resolver. Several addresses are tried as RFC 8305
    /// says, "happy eyeballs": the families in turn, the next one when the last one has failed or 250 ms
    /// have gone by, both going on then. The first that is connected is taken, and the others are closed.
    ///
    /// [`options`](Self::options) has a timeout, an address for the own end, and more.
    ///
    /// # Ordering
    /// Done in the poll phase; in the pending phase if a name was not found, or the system refused at
    /// once.
    ///
    /// # Errors
    /// Of one address the system's error as it is: `ConnectionRefused`, say. Of several, or of a name,
    /// the kind of the last one that failed, and a text with each address and its error. If the name
    /// can't be found, the resolver's error, with the name. `InvalidInput` for what is no address and no
    /// name.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request gives the attempt up, the question to the resolver included.
    #[track_caller]
    pub fn connect(address: impl ToAddr) -> Request<Self> {
        Self::options().connect(address)
    }

    /// Options that are to be set before it connects.
    pub fn options() -> TcpOptions {
        TcpOptions::default()
    }

    /// Two streams of the current loop that are connected with each other, over loopback. The first is
    /// the accepted end.
    ///
    /// No other process can be at either end. It does not wait for anything but the system.
    ///
    /// # Errors
    /// The system's: no descriptor is left, there is no loopback interface.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let lp = current();
        lp.check_open()?;
        let (one, other) = sys::loopback_pair()?;
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
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        stream.set_nonblocking(true)?;
        Ok(Self::of_socket(&lp, stream.into()))
    }

    #[track_caller]
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
