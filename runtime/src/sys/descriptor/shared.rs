//! Terminals, pipes and sockets that others have open too.
//!
//! Whether calls block is a property of the open file, which a descriptor shares with those it was
//! inherited from: a shell, a pipeline, a parent. To change it would change it for all of them, and
//! would outlast this process. So there are three ways around:
//!
//! ```text
//!   terminal, pipe   opened anew, by its name      an open file of our own: it does not block
//!   socket           each call says so             MSG_DONTWAIT
//!   what is left     asked before each call        poll(), then as much as surely fits
//! ```

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat};
use rustix::net::{RecvFlags, SendFlags};

use super::{FdKind, guess, is_pty_master};
use crate::sys::unix::{NO_SIGNAL, retry};
use crate::sys::{Channel, PipeEnd};

/// A pipe that is reported as writable takes as many bytes: POSIX's least PIPE_BUF.
const SURE_TO_FIT: usize = 512;

/// A descriptor whose open file may be shared.
#[derive(Debug)]
pub(crate) enum SharedFd {
    /// Opened anew.
    Own(PipeEnd),
    Socket(OwnedFd),
    /// Asked before each call. If somebody else takes what was there, the call blocks until there is
    /// more.
    Asked(OwnedFd),
}

impl SharedFd {
    /// A way to use what `fd` is open on; `fd` itself is not used any more.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        if FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Socket {
            return Ok(Self::Socket(fd.try_clone_to_owned()?));
        }
        match open_anew(fd) {
            Some(own) => Ok(Self::Own(PipeEnd::new(own)?)),
            None => Ok(Self::Asked(fd.try_clone_to_owned()?)),
        }
    }

    /// Whether it was opened for reading, and for writing.
    pub(crate) fn access(&self) -> io::Result<(bool, bool)> {
        let mode = fcntl_getfl(self.as_fd())? & OFlags::RWMODE;
        Ok((mode != OFlags::WRONLY, mode != OFlags::RDONLY))
    }

    fn wait_for(&self, flags: PollFlags, timeout: Option<&Timespec>) -> io::Result<()> {
        let mut asked = [PollFd::from_borrowed_fd(self.as_fd(), flags)];
        match retry(|| poll(&mut asked, timeout))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    fn ask(&self, flags: PollFlags) -> io::Result<()> {
        self.wait_for(flags, Some(&Timespec::default()))
    }
}

/// Another open file of the same terminal or pipe. `None` where there is no way: no such name, no
/// permission, nobody at the other end of a FIFO, a pseudo-terminal's master.
fn open_anew(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let kind = guess(fd);
    if !matches!(kind, FdKind::Tty | FdKind::Pipe) || is_pty_master(fd) {
        return None;
    }
    let access = fcntl_getfl(fd).ok()? & OFlags::RWMODE;
    let flags = access | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let own = open_by_name(fd, kind, flags)?;
    // What has the name now must be what the descriptor is open on.
    let (one, other) = (fstat(fd).ok()?, fstat(&own).ok()?);
    let is_same =
        (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev);
    if !is_same {
        return None;
    }
    // A clone never has the number of a standard stream, should one of them be closed.
    if own.as_raw_fd() > 2 { Some(own) } else { own.try_clone().ok() }
}

#[cfg(target_os = "linux")]
fn open_by_name(fd: BorrowedFd<'_>, _kind: FdKind, flags: OFlags) -> Option<OwnedFd> {
    let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(name, flags, Mode::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_by_name(fd: BorrowedFd<'_>, kind: FdKind, flags: OFlags) -> Option<OwnedFd> {
    // Only terminals have names here: /dev/fd gives the same open file.
    let name = (kind == FdKind::Tty).then(|| rustix::termios::ttyname(fd, Vec::new()).ok())??;
    rustix::fs::open(name, flags, Mode::empty()).ok()
}

impl AsFd for SharedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(end) => end.as_fd(),
            Self::Socket(fd) | Self::Asked(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for SharedFd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Channel for SharedFd {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Own(end) => end.recv(buffer),
            Self::Socket(fd) => {
                retry(|| rustix::net::recv(fd, &mut *buffer, RecvFlags::DONTWAIT).map(|(_, n)| n))
            }
            Self::Asked(fd) => {
                self.ask(PollFlags::IN)?;
                retry(|| rustix::io::read(fd, &mut *buffer))
            }
        }
    }

    fn check_readable(&self) -> io::Result<()> {
        self.ask(PollFlags::IN)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Own(end) => end.send(bytes),
            Self::Socket(fd) => {
                let flags = SendFlags::DONTWAIT | NO_SIGNAL;
                retry(|| rustix::net::send(fd, bytes, flags))
            }
            Self::Asked(fd) => {
                self.ask(PollFlags::OUT)?;
                retry(|| rustix::io::write(fd, &bytes[..bytes.len().min(SURE_TO_FIT)]))
            }
        }
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Own(end) => end.send_vectored(slices),
            _ => match slices.iter().find(|slice| !slice.is_empty()) {
                Some(first) => self.send(first),
                None => Ok(0),
            },
        }
    }

    /// Nothing: others have it open, and go on.
    fn end(&self) -> io::Result<()> {
        Ok(())
    }

    fn send_last(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.send(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_for(PollFlags::OUT, None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
