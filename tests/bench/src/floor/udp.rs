//! `udp`: as many datagrams in one call as there are, and as many out.

use std::io::{Error, Result};
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use libc::{c_uint, iovec, mmsghdr, sockaddr_in, socklen_t};

use super::epoll::Epoll;
use crate::args::Args;
use crate::serve;

/// Datagrams in one call.
const BATCH: usize = 64;
const LONGEST: usize = 2048;

pub(super) fn udp(args: &Args) -> Result<()> {
    serve::udp(args, |socket| {
        let mut epoll = Epoll::new()?;
        epoll.add(&socket, 0)?;
        let mut batch = Batch::new();
        loop {
            for _ in epoll.wait(None)? {
                let received = batch.receive(&socket)?;
                batch.send(&socket, received)?;
            }
        }
    })
}

/// Room for datagrams and their senders. Its vectors never grow: the headers point into them.
struct Batch {
    headers: Vec<mmsghdr>,
    parts: Vec<iovec>,
    _senders: Vec<sockaddr_in>,
    _buffers: Vec<[u8; LONGEST]>,
}

impl Batch {
    fn new() -> Self {
        let mut buffers = vec![[0; LONGEST]; BATCH];
        // SAFETY: all zeros is a valid address, and a valid header.
        let (mut senders, mut headers) =
            unsafe { (vec![zeroed::<sockaddr_in>(); BATCH], vec![zeroed::<mmsghdr>(); BATCH]) };
        let mut parts: Vec<iovec> = buffers
            .iter_mut()
            .map(|buffer| iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: LONGEST })
            .collect();
        for ((header, part), sender) in headers.iter_mut().zip(&mut parts).zip(&mut senders) {
            header.msg_hdr.msg_name = (&raw mut *sender).cast();
            header.msg_hdr.msg_iov = &raw mut *part;
            header.msg_hdr.msg_iovlen = 1;
        }
        Self { headers, parts, _senders: senders, _buffers: buffers }
    }

    /// Receives what is there, and says how many that is.
    fn receive(&mut self, socket: &UdpSocket) -> Result<usize> {
        for (header, part) in self.headers.iter_mut().zip(&mut self.parts) {
            header.msg_hdr.msg_namelen = size_of::<sockaddr_in>() as socklen_t;
            part.iov_len = LONGEST;
        }
        let (headers, count) = (self.headers.as_mut_ptr(), BATCH as c_uint);
        // SAFETY: the headers point at buffers and addresses that live as long as `self`.
        let received = unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, count, 0, null_mut()) };
        checked(received)
    }

    /// Sends the first `count` back.
    fn send(&mut self, socket: &UdpSocket, count: usize) -> Result<()> {
        for (header, part) in self.headers.iter().zip(&mut self.parts).take(count) {
            part.iov_len = header.msg_len as usize;
        }
        let headers = self.headers.as_mut_ptr();
        // SAFETY: as above.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count as c_uint, 0) };
        match checked(sent)? {
            sent if sent == count => Ok(()),
            sent => Err(Error::other(format!("{sent} of {count} datagrams were sent"))),
        }
    }
}

fn checked(count: libc::c_int) -> Result<usize> {
    usize::try_from(count).map_err(|_| Error::last_os_error())
}
