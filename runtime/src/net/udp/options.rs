//! How a socket is bound.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::UdpSocket;
use super::resource::{QUEUES_ERRORS, V6};
use crate::event_loop::current;
use crate::net::ToAddr;
use crate::net::errors::cannot_bind;
use crate::sys;

/// Options that are to be set before a socket is bound; see [`UdpSocket::options`]. All are off.
///
/// # Examples
/// ```
/// use runtime::net::UdpSocket;
///
/// #[runtime::main]
/// fn main() -> std::io::Result<()> {
///     let one = UdpSocket::options().reuse_address(true).bind("127.0.0.1:0")?;
///     let other = UdpSocket::options().reuse_address(true).bind(one.local_addr()?)?;
///     assert_eq!(one.local_addr()?, other.local_addr()?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is done before `bind`"]
pub struct UdpOptions {
    reuse_address: bool,
    reuse_port: bool,
    only_v6: bool,
    recv_errors: bool,
}

impl UdpOptions {
    /// Lets several sockets have one address and port, if all of them say so: listeners to a multicast
    /// group, say. Which of them gets a datagram to the address itself is not defined.
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Lets several sockets have one address and port, and the system spread what comes over them, by
    /// sender.
    ///
    /// # Platform notes
    /// On Linux, FreeBSD and DragonFly; elsewhere [`bind`](Self::bind) gives `Unsupported`.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Lets a socket at an address of IPv6 take no datagrams of IPv4.
    ///
    /// # Platform notes
    /// OpenBSD knows no other sockets.
    pub fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = on;
        self
    }

    /// Lets receivers be told of each datagram that the network says it could not deliver: an error
    /// with [`Undelivered`](super::Undelivered) inside, also on a socket without a peer, and for what a
    /// router says as well as for a dead port. The senders of other datagrams do not meet these errors.
    ///
    /// # Platform notes
    /// On Linux; elsewhere [`bind`](Self::bind) gives `Unsupported`.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use runtime::net::{UdpSocket, Undelivered};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let socket = UdpSocket::options().recv_errors(true).bind("127.0.0.1:0")?;
    ///     let nobody = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    ///     socket.send_to("anybody?", nobody).await?;
    ///     let error = socket.recv_from(&mut [0; 16]).await.unwrap_err();
    ///     assert_eq!(Undelivered::of(&error).map(|datagram| datagram.to), Some(nobody));
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn recv_errors(mut self, on: bool) -> Self {
        self.recv_errors = on;
        self
    }

    /// As [`UdpSocket::bind`].
    ///
    /// # Errors
    /// As [`UdpSocket::bind`]; `InvalidInput` for [`only_v6`](Self::only_v6) at an address of IPv4.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(self, address: impl ToAddr) -> io::Result<UdpSocket> {
        let lp = current();
        lp.check_open()?;
        let mut failed = None;
        for address in address.to_addrs()? {
            match self.bind_at(address) {
                Ok(socket) => return Ok(UdpSocket::of_socket(&lp, socket, self.flags(address))),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(sys::invalid))
    }

    fn flags(self, address: SocketAddr) -> u16 {
        let family = if address.is_ipv6() { V6 } else { 0 };
        family | if self.recv_errors { QUEUES_ERRORS } else { 0 }
    }

    fn bind_at(self, address: SocketAddr) -> io::Result<Socket> {
        if self.only_v6 && address.is_ipv4() {
            let message = "IPv6 only is not for an address of IPv4";
            let error = io::Error::new(io::ErrorKind::InvalidInput, message);
            return Err(cannot_bind(address, error));
        }
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            match socket.set_only_v6(self.only_v6) {
                Err(error) if self.only_v6 => return Err(error),
                // A system without the other kind refuses to turn it off.
                _ => {}
            }
        }
        if self.reuse_address {
            sys::reuse_address(&socket)?;
        }
        if self.reuse_port {
            sys::reuse_port(&socket)?;
        }
        if self.recv_errors {
            sys::queue_errors(&socket, address.is_ipv6())?;
        }
        // What came before has nothing to do with the address: no descriptor was left, say.
        socket.bind(&address.into()).map_err(|error| cannot_bind(address, error))?;
        Ok(socket)
    }
}
