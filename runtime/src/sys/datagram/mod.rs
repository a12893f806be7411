//! Datagrams: one a call, or many where the system has that.
//!
//! ```text
//!                one                             many
//!   Linux        recvmsg, sendto       unix      recvmmsg, sendmmsg    linux
//!   other Unix   recvmsg, sendto       unix      one by one            each
//!   Windows      WSARecvFrom, sendto   windows   one by one            each
//! ```
//!
//! What the network says of datagrams stands in a queue on Linux (`error_queue`), and nowhere else.
//!
//! With `--cfg polling_test_poll_backend` Linux goes one by one too, so that its tests see that way.

use std::net::{Ipv4Addr, SocketAddr};

#[cfg(any(not(target_os = "linux"), polling_test_poll_backend))]
mod each;
#[cfg(target_os = "linux")]
mod error_queue;
#[cfg(target_os = "linux")]
#[cfg_attr(polling_test_poll_backend, allow(dead_code))]
mod linux;
mod multicast;
#[cfg(target_os = "linux")]
mod name;
#[cfg(not(target_os = "linux"))]
mod no_error_queue;
#[cfg(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd"))]
mod source;
mod undelivered;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(any(not(target_os = "linux"), polling_test_poll_backend))]
pub(crate) use each::*;
#[cfg(target_os = "linux")]
pub(crate) use error_queue::*;
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
pub(crate) use linux::*;
pub use multicast::Interface;
pub(crate) use multicast::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use no_error_queue::*;
pub use undelivered::Undelivered;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// A datagram that was received: how much of it, and from whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Received {
    /// Bytes that are in the buffer.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// The buffer was too short: the rest of the datagram is gone.
    pub is_truncated: bool,
}

impl Received {
    /// What a place for a datagram holds before there is one.
    pub(crate) const NOTHING: Self = Self { len: 0, from: Self::NOWHERE, is_truncated: false };

    /// The sender of a datagram that came without an address, which no internet socket gives.
    pub(crate) const NOWHERE: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
}
