//! Ends of pipes, and where they come from.
//!
//! On Unix an end is a descriptor that is polled. On Windows only sockets are: there an end is a socket,
//! and threads carry its bytes to and from the pipe.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
