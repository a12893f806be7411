//! Local sockets: streams and datagrams within one machine, and what only they can do.
//!
//! ```text
//!   listener ── bind ──▶ a file, or an abstract name ◀── connect ── stream
//!      │ close
//!      ▼
//!   the file goes, if it is still the one
//!
//!   stream ── write_with_fds ──▶ bytes and descriptors ──▶ read_with_fds ── stream
//! ```

mod address;
mod bound;
mod connect;
mod datagram;
mod fds;
mod listener;
mod options;
mod stream;

pub use crate::sys::{ReceivedFds, UCred, UnixReceived};
pub use address::ToUnixAddr;
pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use options::UnixOptions;
pub use stream::UnixStream;
