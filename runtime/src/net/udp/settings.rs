//! What a socket can be told to do otherwise.

use std::io;

use super::UdpSocket;
use super::resource::V6;

/// Hops a datagram may take at most, as its header has room for.
const MOST_HOPS: u32 = 255;

/// Settings.
impl UdpSocket {
    /// Whether what is sent comes from a socket at an address of IPv6.
    pub(super) fn is_v6(&self) -> bool {
        self.0.has(V6)
    }

    /// Allows to send to broadcast addresses; the system's default is not to.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.0.with_socket(|socket| socket.set_broadcast(on))
    }

    /// Whether it may send to broadcast addresses.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.with_socket(|socket| socket.broadcast())
    }

    /// Sets how many hops a datagram may take, 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` for another number; [`Closed`](crate::Closed), or the system's.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        check_hops(hops, 1)?;
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.set_unicast_hops_v6(hops),
            false => socket.set_ttl_v4(hops),
        })
    }

    /// How many hops a datagram may take.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.unicast_hops_v6(),
            false => socket.ttl_v4(),
        })
    }
}

pub(in crate::net) fn check_hops(hops: u32, least: u32) -> io::Result<()> {
    if (least..=MOST_HOPS).contains(&hops) {
        return Ok(());
    }
    let message = format!("{hops} hops: {least} to {MOST_HOPS} are possible");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
