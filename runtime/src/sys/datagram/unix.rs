//! Linux, macOS and the BSDs.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags};
use socket2::Socket;

use super::Received;
use crate::sys::unix::retry;

/// Receives the next datagram, or what of it fits.
#[inline]
pub(crate) fn recv_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    receive(socket, buffer, RecvFlags::empty())
}

/// As [`recv_from`], and leaves it there.
pub(crate) fn peek_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    receive(socket, buffer, RecvFlags::PEEK)
}

fn receive(socket: &Socket, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Received> {
    let received = retry(|| {
        let buffers = &mut [IoSliceMut::new(buffer)];
        rustix::net::recvmsg(socket, buffers, &mut RecvAncillaryBuffer::default(), flags)
    })?;
    let from = received.address.and_then(|address| SocketAddr::try_from(address).ok());
    Ok(Received {
        len: received.bytes,
        from: from.unwrap_or(Received::NOWHERE),
        is_truncated: received.flags.contains(ReturnFlags::TRUNC),
    })
}

/// Sends one datagram, to `to` or to the peer that the socket is connected to.
#[inline]
pub(crate) fn send_to(socket: &Socket, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    retry(|| match to {
        Some(to) => rustix::net::sendto(socket, bytes, SendFlags::empty(), &to),
        None => rustix::net::send(socket, bytes, SendFlags::empty()),
    })
}

/// Undoes a connect. `local` is the address that the socket has now.
pub(crate) fn disconnect(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    match rustix::net::connect_unspec(socket) {
        // The BSDs and macOS do it, and complain of the address.
        Err(Errno::AFNOSUPPORT | Errno::INVAL) if cfg!(not(target_os = "linux")) => {}
        result => result?,
    }
    // Linux takes a port away that nobody had asked for by its number.
    match socket.local_addr()?.as_socket() {
        Some(mut left) if left.port() == 0 => {
            left.set_port(local.port());
            socket.bind(&left.into())
        }
        _ => Ok(()),
    }
}

/// Whether a datagram has to wait for room in the system. `ENOBUFS` is the queue of the interface,
/// for which there is no event: the socket counts as writable, and each iteration tries again.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}

/// The socket is connected: it takes no other address.
pub(crate) fn is_connected() -> io::Error {
    Errno::ISCONN.into()
}

/// The socket is not connected, and no address was given.
pub(crate) fn no_destination() -> io::Error {
    Errno::DESTADDRREQ.into()
}

/// Lets other sockets have the same address and port.
///
/// On Linux that is `SO_REUSEADDR`. The others let multicast addresses only be shared by that.
pub(crate) fn reuse_address(socket: &Socket) -> io::Result<()> {
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))]
    return socket.set_reuse_port(true);
    #[cfg(not(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    )))]
    socket.set_reuse_address(true)
}

/// Lets the system spread what comes over several sockets of one address.
pub(crate) fn reuse_port(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "dragonfly"))]
    return socket.set_reuse_port(true);
    #[cfg(target_os = "freebsd")]
    return socket.set_reuse_port_lb(true);
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd"
    )))]
    {
        let _ = socket; // it could share the port, but gives one socket all that comes
        Err(io::ErrorKind::Unsupported.into())
    }
}
