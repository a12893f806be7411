//! Terminals, standard streams, and pipes from any reader to any writer.
//!
//! ```text
//!   stdin(), stdout(), stderr() ─▶ StdStream    whatever they are: file, pipe, socket, terminal
//!   Tty::open(fd)               ─▶ Tty          a terminal: modes, window size
//!   pipe(reader, writer)        ─▶ Request      all bytes, the end, the error of one side to both
//! ```
//!
//! Both are byte streams, with the methods that [`TcpStream`](crate::net::TcpStream) has. Keys come as
//! the bytes that the terminal sends; what they mean is told by other crates.

#[cfg(unix)]
mod file_reader;
mod pipeline;
mod standard;
#[cfg(unix)]
mod tty;
#[cfg(unix)]
mod window;

pub use crate::sys::FdKind;
#[cfg(unix)]
pub use crate::sys::{TtyMode, WindowSize, reset_terminal};
pub use pipeline::{Pipeline, pipe};
pub use standard::{StdStream, stderr, stdin, stdout};
#[cfg(unix)]
pub use tty::{Tty, guess};
