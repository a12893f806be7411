//! Descriptors that somebody else made: what they are, and how to use them without a change that
//! others would see.

#[cfg(unix)]
mod kind;
#[cfg(unix)]
mod shared;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use kind::{guess, is_pty_master, standard_descriptor};
#[cfg(unix)]
pub(crate) use shared::SharedFd;
#[cfg(windows)]
pub(crate) use windows::*;

/// What a descriptor is: the kinds that libuv tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FdKind {
    /// A file or a directory; a device that is no terminal, such as `/dev/null`.
    File,
    /// A TCP socket.
    Tcp,
    /// A UDP socket.
    Udp,
    /// A pipe, a FIFO, or a local socket with connections.
    Pipe,
    /// A terminal.
    Tty,
    /// None of these, or closed.
    Unknown,
}

impl std::fmt::Display for FdKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Tcp => "a TCP socket",
            Self::Udp => "a UDP socket",
            Self::Pipe => "a pipe",
            Self::Tty => "a terminal",
            Self::Unknown => "of no known kind",
        })
    }
}
