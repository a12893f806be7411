//! Sockets, each with both faces: callbacks and futures over one resource.
//!
//! ```text
//!               callbacks                          futures
//!   listener    listen(f), on_error(f)             accept().await, incoming()
//!   stream      read_start(f), pause, on_drain     read(..).await, AsyncRead, AsyncWrite
//!               write(..) ─▶ Request: callback or await
//! ```

mod addr;
mod buffers;
mod connect;
mod datagram;
mod errors;
mod hand_off;
mod listener;
#[cfg(windows)]
mod named_pipe;
mod options;
mod pipe;
pub(crate) mod pipe_to;
mod race;
mod send_file;
mod settings;
pub(crate) mod stream;
mod tcp;
mod tcp_listener;
mod udp;
#[cfg(unix)]
mod unix;

use addr::Target;
pub use addr::ToAddr;
pub use datagram::Unsent;
pub use listener::Incoming;
#[cfg(windows)]
pub use named_pipe::PipeListener;
pub use options::TcpOptions;
pub use pipe::Pipe;
pub use pipe_to::ByteSource;
pub use stream::ByteStream;
pub use tcp::TcpStream;
pub use tcp_listener::{Dropped, TcpListener};
pub use udp::{Interface, Received, UdpOptions, UdpSocket, Undelivered};
#[cfg(unix)]
pub use unix::{
    ReceivedFds, ToUnixAddr, UCred, UnixDatagram, UnixListener, UnixOptions, UnixReceived,
    UnixStream,
};
