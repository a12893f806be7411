//! Linux, macOS and the BSDs.

use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;

use rustix::fs::Mode;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SocketAddrAny, SocketAddrUnix,
};
use socket2::{Domain, Socket, Type};

use super::{
    ReceivedFds, UnixReceived, abstract_name, address_of_abstract_name, set_mode_before_bind,
};
use crate::sys::unix::{NO_SIGNAL, retry};

/// Descriptors that can be passed at once: Linux's SCM_MAX_FD. The others take as many.
pub(crate) const MAX_FDS: usize = 253;

/// Bytes that the path of a socket may have, besides the NUL at its end.
pub(crate) const PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Bytes of an address that come before the path.
const PATH_OFFSET: usize = 2;

const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_FDS));

// --- sockets ---

/// A local socket that does not block.
pub(crate) fn local_socket(kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Two that are connected.
pub(crate) fn local_pair(kind: Type) -> io::Result<(Socket, Socket)> {
    let (one, other) = Socket::pair(Domain::UNIX, kind, None)?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one, other))
}

/// Gives the socket a name. What the file of a path may be used for is `mode`, if that is given, and else
/// what the umask leaves.
pub(crate) fn bind_local(
    socket: &Socket,
    address: &SocketAddr,
    mode: Option<u32>,
) -> io::Result<()> {
    if let Some(mode) = mode {
        set_mode_before_bind(socket, mode)?;
    }
    Ok(rustix::net::bind(socket, &encoded(address)?)?)
}

/// Sets what the file may be used for.
pub(crate) fn set_mode(path: &std::path::Path, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode as rustix::fs::RawMode))?)
}

pub(crate) fn connect_local(socket: &Socket, address: &SocketAddr) -> io::Result<()> {
    let address = encoded(address)?;
    retry(|| rustix::net::connect(socket, &address))
}

/// Accepts a connection; the socket does not block, and is closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept_local(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, address) = retry(|| rustix::net::acceptfrom_with(listener, flags))?;
    Ok((Socket::from(socket), decoded(address)))
}

/// Accepts a connection; the socket does not block, and is closed on exec.
#[cfg(target_vendor = "apple")]
pub(crate) fn accept_local(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address.as_unix().unwrap_or_else(unnamed)))
}

pub(crate) fn local_name(socket: &Socket) -> io::Result<SocketAddr> {
    Ok(decoded(Some(rustix::net::getsockname(socket)?)))
}

pub(crate) fn peer_name(socket: &Socket) -> io::Result<SocketAddr> {
    Ok(decoded(rustix::net::getpeername(socket)?))
}

// --- addresses ---

/// The address of a socket that has no name.
fn unnamed() -> SocketAddr {
    SocketAddr::from_pathname("").expect("an empty path is short enough")
}

fn encoded(address: &SocketAddr) -> io::Result<SocketAddrUnix> {
    if let Some(path) = address.as_pathname() {
        return Ok(SocketAddrUnix::new(path)?);
    }
    let name = abstract_name(address).ok_or_else(crate::sys::invalid)?;
    Ok(address_of_abstract_name(name)?)
}

fn decoded(address: Option<SocketAddrAny>) -> SocketAddr {
    let known = || {
        // `rustix` makes an empty abstract name of none, and takes a path that fills its field to the last
        // byte, which Linux allows, for impossible. The standard library can't hold that one either.
        let named = PATH_OFFSET + 1..=PATH_OFFSET + PATH_LIMIT + 1;
        let address = address.filter(|address| named.contains(&(address.addr_len() as usize)))?;
        let address = SocketAddrUnix::try_from(address).ok()?;
        if let Some(path) = address.path_bytes().filter(|path| !path.is_empty()) {
            // Of the longest path it leaves the NUL.
            let path = path.strip_suffix(&[0]).unwrap_or(path);
            return SocketAddr::from_pathname(OsStr::from_bytes(path)).ok();
        }
        #[cfg(target_os = "linux")]
        if let Some(name) = address.abstract_name() {
            return super::abstract_address(name).ok();
        }
        None
    };
    known().unwrap_or_else(unnamed)
}

/// Whether both name the same socket. Two paths of one file do not.
pub(crate) fn is_same_address(one: &SocketAddr, other: &SocketAddr) -> bool {
    one.as_pathname() == other.as_pathname() && abstract_name(one) == abstract_name(other)
}

// --- datagrams ---

/// Receives the next datagram, or what of it fits, and up to `max_fds` descriptors that come with it.
pub(crate) fn recv_local(
    socket: &Socket,
    buffer: &mut [u8],
    max_fds: usize,
) -> io::Result<UnixReceived> {
    receive(socket, buffer, max_fds)
}

/// Sends a datagram, to `to` or to the peer that the socket is connected to, and descriptors with it.
pub(crate) fn send_local(
    socket: &Socket,
    bytes: &[u8],
    fds: &[OwnedFd],
    to: Option<&SocketAddr>,
) -> io::Result<usize> {
    send_with_fds(socket, &[IoSlice::new(bytes)], fds, to)
}

// --- descriptors ---

/// Sends descriptors too, with the first of the bytes: if anything is sent they are.
pub(crate) fn send_with_fds(
    socket: &Socket,
    slices: &[IoSlice<'_>],
    fds: &[impl AsFd],
    to: Option<&SocketAddr>,
) -> io::Result<usize> {
    let to = to.map(encoded).transpose()?;
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(crate::sys::invalid()); // more than MAX_FDS, which callers refuse
    }
    retry(|| match &to {
        Some(to) => rustix::net::sendmsg_addr(socket, to, slices, &mut control, NO_SIGNAL),
        None => rustix::net::sendmsg(socket, slices, &mut control, NO_SIGNAL),
    })
}

/// Reads what is there, and takes up to `max_fds` descriptors that come with it.
pub(crate) fn recv_with_fds(
    socket: &Socket,
    buffer: &mut [u8],
    max_fds: usize,
) -> io::Result<(usize, ReceivedFds)> {
    let received = receive(socket, buffer, max_fds)?;
    Ok((received.len, received.received))
}

#[cfg(not(target_vendor = "apple"))]
const CLOSED_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
/// Apple has no flag for this: they are marked when they are here.
#[cfg(target_vendor = "apple")]
const CLOSED_ON_EXEC: RecvFlags = RecvFlags::empty();

fn receive(socket: &Socket, buffer: &mut [u8], max_fds: usize) -> io::Result<UnixReceived> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    // Without room for any the system closes those that come.
    let room = match max_fds.min(MAX_FDS) {
        0 => 0,
        max => rustix::cmsg_space!(ScmRights(max)),
    };
    let mut control = RecvAncillaryBuffer::new(&mut space[..room]);
    let received = retry(|| {
        let buffers = &mut [IoSliceMut::new(buffer)];
        rustix::net::recvmsg(socket, buffers, &mut control, CLOSED_ON_EXEC)
    })?;
    let mut fds =
        ReceivedFds { fds: Vec::new(), is_truncated: received.flags.contains(ReturnFlags::CTRUNC) };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            fds.fds.extend(came);
        }
    }
    if fds.fds.len() > max_fds {
        // The room is a bit larger, for alignment.
        fds.fds.truncate(max_fds);
        fds.is_truncated = true;
    }
    #[cfg(target_vendor = "apple")]
    for fd in &fds.fds {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(UnixReceived {
        len: received.bytes,
        from: decoded(received.address),
        is_truncated: received.flags.contains(ReturnFlags::TRUNC),
        received: fds,
    })
}
