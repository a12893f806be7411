//! Many datagrams in one call: recvmmsg and sendmmsg.

use std::io::{self, IoSlice};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};
use socket2::Socket;

use super::Received;
use super::name::Name;
use crate::sys::unix::retry;

/// Datagrams that one call takes at most: those of one event.
pub(crate) const MANY: usize = 32;

/// Receives datagrams into the pieces of `buffer`, each `stride` long, and tells of each in `found`.
/// The result is their number; fewer than [`MANY`] mean that no more is there. An error comes only if
/// there is none: one that comes later is kept by the system for the next call.
pub(crate) fn recv_many(
    socket: &Socket,
    buffer: &mut [u8],
    stride: usize,
    found: &mut [Received; MANY],
) -> io::Result<usize> {
    let mut names = [Name::EMPTY; MANY];
    let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MANY];
    // SAFETY: plain numbers and pointers, for which zeros are a value.
    #[allow(unsafe_code)]
    let mut headers: [libc::mmsghdr; MANY] = unsafe { mem::zeroed() };
    let mut count = 0;
    for (place, piece) in buffer.chunks_exact_mut(stride).take(MANY).enumerate() {
        let (iov_base, iov_len) = (piece.as_mut_ptr().cast(), piece.len());
        pieces[place] = libc::iovec { iov_base, iov_len };
        let header = &mut headers[place].msg_hdr;
        header.msg_name = (&raw mut names[place]).cast();
        header.msg_namelen = Name::LEN as libc::socklen_t;
        header.msg_iov = &raw mut pieces[place];
        header.msg_iovlen = 1;
        count += 1;
    }
    let received = retry(|| {
        // SAFETY: the first `count` headers point to their own parts of `names`, `pieces` and `buffer`,
        // all of which outlive the call, with the lengths of these; there is no timeout.
        #[allow(unsafe_code)]
        let received = unsafe {
            let (fd, first) = (socket.as_raw_fd(), headers.as_mut_ptr());
            libc::recvmmsg(fd, first, count, 0, std::ptr::null_mut())
        };
        usize::try_from(received).map_err(|_| {
            let error = io::Error::last_os_error().raw_os_error();
            Errno::from_raw_os_error(error.expect("the system's error has a number"))
        })
    })?;
    for ((found, header), name) in found.iter_mut().zip(&headers[..received]).zip(&names) {
        *found = Received {
            len: header.msg_len as usize,
            from: name.address().unwrap_or(Received::NOWHERE),
            is_truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        };
    }
    Ok(received)
}

/// Sends datagrams until one is refused. The result is the number of those that were sent; an error
/// comes only if it is that of the first.
pub(crate) fn send_many<'a>(
    socket: &Socket,
    datagrams: impl Iterator<Item = (&'a [u8], Option<SocketAddr>)>,
) -> io::Result<usize> {
    let mut bytes = [[IoSlice::new(&[])]; MANY];
    let mut names = [const { None }; MANY];
    let mut count = 0;
    for (datagram, to) in datagrams.take(MANY) {
        bytes[count] = [IoSlice::new(datagram)];
        names[count] = to.map(|to| to.as_any());
        count += 1;
    }
    let mut controls: [_; MANY] = std::array::from_fn(|_| SendAncillaryBuffer::default());
    let mut controls = controls.iter_mut();
    let mut headers: [_; MANY] = std::array::from_fn(|place| {
        let control = controls.next().expect("one for each");
        match &names[place] {
            Some(name) => MMsgHdr::new_with_addr(name, &bytes[place], control),
            None => MMsgHdr::new(&bytes[place], control),
        }
    });
    retry(|| rustix::net::sendmmsg(socket, &mut headers[..count], SendFlags::empty()))
}
