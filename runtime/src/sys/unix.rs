//! Linux, macOS and the BSDs.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::Socket;

/// What can be polled.
pub(crate) use std::os::fd::AsFd as AsSource;
/// A polled source that is owned.
pub(crate) type OwnedSource = OwnedFd;
/// What the system knows it by.
pub(crate) type RawSource = std::os::fd::RawFd;

/// A descriptor of the same open file, closed on exec.
pub(crate) fn duplicate(source: impl AsSource) -> io::Result<OwnedSource> {
    source.as_fd().try_clone_to_owned()
}

/// The name of `source`, which says nothing about how long it is valid.
pub(crate) fn raw(source: &impl AsSource) -> RawSource {
    source.as_fd().as_raw_fd()
}

/// A peer that is gone is an error of the call, not a signal to the process.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
/// Apple has a socket option for this in place of a flag, which `socket2` sets.
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// Repeats a call that a signal interrupted.
#[inline]
pub(super) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

#[inline]
pub(crate) fn recv(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()).map(|(_, n)| n))
}

pub(crate) fn peek(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::PEEK).map(|(_, n)| n))
}

#[inline]
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    retry(|| rustix::net::send(socket, bytes, NO_SIGNAL))
}

pub(crate) fn send_vectored(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = rustix::net::SendAncillaryBuffer::default();
    retry(|| rustix::net::sendmsg(socket, slices, &mut control, NO_SIGNAL))
}

/// Accepts a connection; the socket does not block, and is closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    use std::net::Ipv4Addr;

    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, address) = retry(|| rustix::net::acceptfrom_with(listener, flags))?;
    let address = address.and_then(|address| SocketAddr::try_from(address).ok());
    // A socket that is no internet socket has no address of this kind.
    Ok((Socket::from(socket), address.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into())))
}

/// As [`accept`], without the peer's name, which takes a look-up. So one that is gone already is no error.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept_nameless(listener: &Socket) -> io::Result<Socket> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(Socket::from(retry(|| rustix::net::accept_with(listener, flags))?))
}

#[cfg(target_vendor = "apple")]
pub(crate) fn accept_nameless(listener: &Socket) -> io::Result<Socket> {
    let (socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Accepts a connection; the socket does not block, and is closed on exec.
#[cfg(target_vendor = "apple")]
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address.as_socket().ok_or_else(crate::sys::invalid)?))
}

/// Whether a connect goes on in the background.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error())
}

/// Whether the process or the system has no descriptor, or no memory for a socket, left.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// There is a reader, or a request of this kind, already.
pub(crate) fn already() -> io::Error {
    Errno::ALREADY.into()
}

/// A directory is where a file should be.
pub(crate) fn is_a_directory() -> io::Error {
    Errno::ISDIR.into()
}

/// The stream is not connected, or was shut down before.
pub(crate) fn not_connected() -> io::Error {
    Errno::NOTCONN.into()
}

/// The sending side was shut down.
pub(crate) fn broken_pipe() -> io::Error {
    Errno::PIPE.into()
}

/// An argument that does not fit the state.
pub(crate) fn invalid() -> io::Error {
    Errno::INVAL.into()
}

/// A descriptor that is kept to be given up when none is left.
pub(crate) fn spare() -> io::Result<OwnedFd> {
    Ok(std::fs::File::open("/dev/null")?.into())
}

/// Whether nothing of a file changed that the system notes, times of access left out.
pub(crate) fn is_same_file_state(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let state = |of: &std::fs::Metadata| {
        let times = [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()];
        let owner = (of.mode(), of.uid(), of.gid());
        (of.dev(), of.ino(), of.size(), owner, times, of.created().ok())
    };
    state(one) == state(other)
}
