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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Read};

    use super::*;

    /// Both ends of a pipe, by the way that is left where they can't be opened anew.
    fn asked() -> (SharedFd, SharedFd) {
        let (reader, writer) = io::pipe().unwrap();
        (SharedFd::Asked(reader.into()), SharedFd::Asked(writer.into()))
    }

    fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn what_is_asked_before_each_call_never_blocks() {
        let (reader, writer) = asked();
        let mut buffer = [0; 4096];
        assert_eq!(kind(reader.recv(&mut buffer)), ErrorKind::WouldBlock);
        assert_eq!(kind(reader.check_readable()), ErrorKind::WouldBlock);
        let mut written = 0;
        loop {
            match writer.send(&[7; 100_000]) {
                Ok(sent) => written += sent,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(written >= 4096, "{written}");
        reader.check_readable().unwrap();
        while written > 0 {
            written -= reader.recv(&mut buffer).unwrap();
        }
        assert_eq!(kind(reader.recv(&mut buffer)), ErrorKind::WouldBlock);
        let slices = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(writer.send_vectored(&slices).unwrap(), 2);
        drop(writer);
        assert_eq!(reader.recv(&mut buffer).unwrap(), 2);
        assert_eq!(reader.recv(&mut buffer).unwrap(), 0, "the end");
    }

    #[test]
    fn what_comes_last_waits_for_its_reader() {
        let (reader, writer) = io::pipe().unwrap();
        for make in [SharedFd::Asked as fn(OwnedFd) -> SharedFd, own] {
            let end = make(writer.try_clone().unwrap().into());
            let mut from = reader.try_clone().unwrap();
            let slow = std::thread::spawn(move || {
                let mut all = vec![0; 200_000];
                from.read_exact(&mut all).unwrap();
            });
            end.send_last(&[1; 200_000]).unwrap();
            slow.join().unwrap();
        }
        drop(reader);
        let end = SharedFd::Asked(writer.into());
        assert_eq!(kind(end.send_last(b"x")), ErrorKind::BrokenPipe);
    }

    fn own(fd: OwnedFd) -> SharedFd {
        let end = SharedFd::new(fd.as_fd()).unwrap();
        assert!(matches!(end, SharedFd::Own(_)) || cfg!(not(target_os = "linux")));
        end
    }

    #[test]
    fn what_can_not_be_opened_anew_is_asked() {
        let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
        assert!(matches!(SharedFd::new(master.as_fd()).unwrap(), SharedFd::Asked(_)));
        // No file comes here; it would do no harm.
        let file = File::open("/dev/null").unwrap();
        assert!(matches!(SharedFd::new(file.as_fd()).unwrap(), SharedFd::Asked(_)));
    }
}
