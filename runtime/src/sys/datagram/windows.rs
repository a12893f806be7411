//! Windows.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{MaybeUninitSlice, Socket};

use super::Received;

// Winsock's codes and flags, by the names that it gives them.
const MSG_PEEK: i32 = 2;
const WSAEDESTADDRREQ: i32 = 10039;
const WSAEISCONN: i32 = 10056;

/// Receives the next datagram, or what of it fits.
pub(crate) fn recv_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    receive(socket, buffer, 0)
}

/// As [`recv_from`], and leaves it there.
pub(crate) fn peek_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    receive(socket, buffer, MSG_PEEK)
}

fn receive(socket: &Socket, buffer: &mut [u8], flags: i32) -> io::Result<Received> {
    let (at, len) = (buffer.as_mut_ptr().cast::<MaybeUninit<u8>>(), buffer.len());
    // SAFETY: the memory is that of `buffer`, borrowed for as long; the system only writes into it, so
    // it stays initialized.
    #[allow(unsafe_code)]
    let places = unsafe { std::slice::from_raw_parts_mut(at, len) };
    let buffers = &mut [MaybeUninitSlice::new(places)];
    let (received, told, from) = socket.recv_from_vectored_with_flags(buffers, flags)?;
    Ok(Received {
        // What did not fit has filled the buffer; the system need not say so.
        len: if told.is_truncated() { len } else { received },
        from: from.as_socket().unwrap_or(Received::NOWHERE),
        is_truncated: told.is_truncated(),
    })
}

/// Sends one datagram, to `to` or to the peer that the socket is connected to.
pub(crate) fn send_to(socket: &Socket, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
    match to {
        Some(to) => socket.send_to(bytes, &to.into()),
        None => socket.send(bytes),
    }
}

/// Undoes a connect: what is connected to no address at all is connected no longer.
pub(crate) fn disconnect(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    let nobody: SocketAddr = match local {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    socket.connect(&nobody.into())
}

/// Whether a datagram has to wait for room in the system.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// The socket is connected: it takes no other address.
pub(crate) fn is_connected() -> io::Error {
    io::Error::from_raw_os_error(WSAEISCONN)
}

/// The socket is not connected, and no address was given.
pub(crate) fn no_destination() -> io::Error {
    io::Error::from_raw_os_error(WSAEDESTADDRREQ)
}

/// Lets other sockets have the same address and port.
pub(crate) fn reuse_address(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Windows spreads nothing over several sockets of one address.
pub(crate) fn reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
