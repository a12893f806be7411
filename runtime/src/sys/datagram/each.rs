//! Where the system takes one datagram a call.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

use super::Received;

/// Datagrams that one call takes at most.
pub(crate) const MANY: usize = 1;

/// Receives a datagram into `buffer`, and tells of it in `found`. Fewer than [`MANY`] would mean that
/// no more is there.
pub(crate) fn recv_many(
    socket: &Socket,
    buffer: &mut [u8],
    _stride: usize,
    found: &mut [Received; MANY],
) -> io::Result<usize> {
    *found = [super::recv_from(socket, buffer)?];
    Ok(1)
}

/// Sends the first of `datagrams`. The result is the number of those that were sent.
pub(crate) fn send_many<'a>(
    socket: &Socket,
    mut datagrams: impl Iterator<Item = (&'a [u8], Option<SocketAddr>)>,
) -> io::Result<usize> {
    match datagrams.next() {
        Some((bytes, to)) => super::send_to(socket, bytes, to).map(|_| 1),
        None => Ok(0),
    }
}
