//! What a TCP connection can be told to do otherwise.

use std::io;
use std::time::Duration;

use socket2::{SockAddr, Socket, TcpKeepalive};

use super::TcpStream;
use super::udp::check_hops;

/// Settings.
impl TcpStream {
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
        let Some(idle) = idle.into() else {
            return self.0.with_socket(|socket| socket.set_keepalive(false));
        };
        check_seconds("a keepalive", idle)?;
        self.ask_silent_peer(&TcpKeepalive::new().with_time(idle))
    }

    /// The same with all that can be set: a peer that is silent for `idle` is asked, again after each
    /// `interval`, and given up with `TimedOut` when it did not answer `count` times. Whole seconds.
    ///
    /// # Errors
    /// `InvalidInput` for less than one second, or no count; [`Closed`](crate::Closed), or the system's:
    /// Linux takes 32767 seconds and a count of 127 at most.
    pub fn set_keepalive_ex(
        &self,
        idle: Duration,
        interval: Duration,
        count: u32,
    ) -> io::Result<()> {
        check_seconds("a keepalive", idle)?;
        check_seconds("a keepalive's interval", interval)?;
        if count == 0 {
            let message = "a keepalive that gives the peer up before it was asked: a count of 0";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval);
        self.ask_silent_peer(&keepalive.with_retries(count))
    }

    fn ask_silent_peer(&self, keepalive: &TcpKeepalive) -> io::Result<()> {
        self.0.with_socket(|socket| {
            socket.set_keepalive(true)?;
            socket.set_tcp_keepalive(keepalive)
        })
    }

    /// Whether the system asks a silent peer.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.0.with_socket(|socket| socket.keepalive())
    }

    /// Lets the connection end with RST however it is closed, as by [`reset`](Self::reset); what the
    /// system has not sent yet is dropped then. Off by default.
    ///
    /// Another time to linger is not to be had: the system would hold the whole loop up when the
    /// socket closes. To wait until all is sent, and the peer has it, [`shutdown`](Self::shutdown) and
    /// read to the end.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn set_zero_linger(&self, on: bool) -> io::Result<()> {
        self.0.with_socket(|socket| socket.set_linger(on.then_some(Duration::ZERO)))
    }

    /// Whether the connection ends with RST.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn zero_linger(&self) -> io::Result<bool> {
        let linger = self.0.with_socket(|socket| socket.linger())?;
        Ok(linger == Some(Duration::ZERO))
    }

    /// Sets how many hops a packet may take, 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` for another number; [`Closed`](crate::Closed), or the system's.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.0.with_socket(|socket| set_ttl(socket, speaks_v6(&socket.local_addr()?), hops))
    }

    /// How many hops a packet may take.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.with_socket(|socket| match speaks_v6(&socket.local_addr()?) {
            true => socket.unicast_hops_v6(),
            false => socket.ttl_v4(),
        })
    }
}

/// Sets the hops of either family.
pub(super) fn set_ttl(socket: &Socket, is_v6: bool, hops: u32) -> io::Result<()> {
    check_hops(hops, 1)?;
    if is_v6 { socket.set_unicast_hops_v6(hops) } else { socket.set_ttl_v4(hops) }
}

/// Whether packets are of IPv6: a connection of IPv4 may come to a listener at `[::]` too.
fn speaks_v6(local: &SockAddr) -> bool {
    local.as_socket_ipv6().is_some_and(|address| address.ip().to_ipv4_mapped().is_none())
}

fn check_seconds(what: &str, time: Duration) -> io::Result<()> {
    if time >= Duration::from_secs(1) {
        return Ok(());
    }
    let message = format!("{what} of {time:?}: one second is the least");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
