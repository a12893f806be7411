//! Pipes as descriptors that do not block.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::sys::Channel;
use crate::sys::unix::retry;

/// What the system knows an end by.
pub(crate) type PipeHandle = OwnedFd;

/// One end of a pipe, or any descriptor that is read and written like one.
#[derive(Debug)]
pub(crate) struct PipeEnd(OwnedFd);

/// Both ends of a new pipe, the one to read first; closed on exec.
pub(crate) fn pipe_pair() -> io::Result<(PipeEnd, PipeEnd)> {
    // Not by one call: Apple has none that takes flags.
    let (reader, writer) = io::pipe()?;
    Ok((PipeEnd::new(reader.into())?, PipeEnd::new(writer.into())?))
}

/// What was written to a pipe is in it: there is nothing to wait for.
pub(crate) fn let_pipes_drain() {}

impl PipeEnd {
    /// Takes a descriptor over, and lets its open file block no more.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice => {}
            other => {
                let message = format!("{other:?} is nothing to wait for, so it is no pipe");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Self(fd))
    }

    /// Whether it was opened for reading, and for writing.
    pub(crate) fn access(&self) -> io::Result<(bool, bool)> {
        let mode = fcntl_getfl(&self.0)? & OFlags::RWMODE;
        Ok((mode != OFlags::WRONLY, mode != OFlags::RDONLY))
    }
}

impl AsFd for PipeEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PipeEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Channel for PipeEnd {
    #[inline]
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| rustix::io::read(&self.0, &mut *buffer))
    }

    fn check_readable(&self) -> io::Result<()> {
        let mut asked = [PollFd::new(&self.0, PollFlags::IN)];
        match retry(|| poll(&mut asked, Some(&Timespec::default())))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    #[inline]
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| rustix::io::write(&self.0, bytes))
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| rustix::io::writev(&self.0, slices))
    }

    /// A pipe ends when its writer is closed; a socket has a word for it.
    fn end(&self) -> io::Result<()> {
        match rustix::net::shutdown(&self.0, Shutdown::Write) {
            Ok(()) | Err(Errno::NOTSOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
