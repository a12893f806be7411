//! Local sockets: their names, who the peer is, and descriptors that are passed.
//!
//! ```text
//!                 sockets, descriptors    credentials of the peer
//!   Linux         unix                    SO_PEERCRED    linux
//!   other Unix    unix                    unsupported    other
//!   Windows       none                    none
//! ```

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use other::*;
#[cfg(unix)]
pub(crate) use unix::*;

/// What can be passed to another process.
#[cfg(unix)]
pub(crate) type Descriptor = std::os::fd::OwnedFd;
/// Nothing can be passed to another process.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) enum Descriptor {}

/// The descriptors that came with a read.
#[derive(Debug, Default)]
#[non_exhaustive]
#[cfg_attr(windows, expect(dead_code, unreachable_pub, reason = "none come"))]
pub struct ReceivedFds {
    /// In the order of the sender's. They are closed on exec.
    pub fds: Vec<Descriptor>,
    /// More came than were asked for, or than this process may have open: they are gone.
    pub is_truncated: bool,
}

/// A datagram that was received: how much of it, from whom, and what came with it.
#[cfg(unix)]
#[derive(Debug)]
#[non_exhaustive]
pub struct UnixReceived {
    /// Bytes that are in the buffer.
    pub len: usize,
    /// Who sent it; unnamed if that socket has no name.
    pub from: std::os::unix::net::SocketAddr,
    /// The buffer was too short: the rest of the datagram is gone.
    pub is_truncated: bool,
    /// The descriptors that came with it.
    pub received: ReceivedFds,
}

/// Who is at the other end of a connection: as it was when it connected, or listened.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UCred {
    /// The process; `None` if it can't be seen from here, being in another namespace.
    pub pid: Option<i32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}
