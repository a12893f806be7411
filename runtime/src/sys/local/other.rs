//! What the others have not.

use std::io;
use std::os::unix::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use socket2::Socket;

use super::UCred;

/// The address of a name without a file.
pub(crate) fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    let message = "local sockets have abstract names on Linux only";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

pub(super) fn abstract_name(_address: &SocketAddr) -> Option<&[u8]> {
    None
}

pub(super) fn address_of_abstract_name(_name: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    Err(Errno::INVAL)
}

/// The file gets its mode after the bind.
pub(super) fn set_mode_before_bind(_socket: &Socket, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Who is at the other end.
pub(crate) fn peer_cred(_socket: &Socket) -> io::Result<UCred> {
    Err(io::ErrorKind::Unsupported.into())
}
