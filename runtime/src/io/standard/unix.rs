//! How a standard stream is read and written, by what it is.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::event_loop::{LoopRef, copy_of};
use crate::io::file_reader::FileReader;
use crate::sys::{self, Channel, FdKind, SharedFd};

/// One of the three.
pub(crate) struct StdEnd {
    number: usize,
    way: Way,
}

/// How it is read or written.
enum Way {
    /// What can be waited for: a terminal, a pipe, a socket.
    Shared(SharedFd),
    Input(FileReader),
    /// A file that is written: at once.
    Output(OwnedFd),
    /// It can't be used, and this is why.
    Broken(BorrowedFd<'static>, io::Error),
}

impl StdEnd {
    /// That of a descriptor, by its number.
    pub(super) fn new(lp: &LoopRef, number: usize) -> Self {
        let fd = sys::standard_descriptor(number);
        let way = Way::to(lp, fd, number == 0).unwrap_or_else(|error| Way::Broken(fd, error));
        Self { number, way }
    }

    /// What the descriptor is open on.
    pub(super) fn kind(&self) -> FdKind {
        sys::guess(sys::standard_descriptor(self.number))
    }
}

impl Way {
    fn to(lp: &LoopRef, fd: BorrowedFd<'_>, is_input: bool) -> io::Result<Self> {
        Ok(match sys::guess(fd) {
            FdKind::File if is_input => {
                let file = fd.try_clone_to_owned()?;
                Self::Input(FileReader::new(file, lp.state().pool().clone())?)
            }
            FdKind::File => Self::Output(fd.try_clone_to_owned()?),
            _ => Self::Shared(SharedFd::new(fd)?),
        })
    }
}

/// Writes all of it. The system writes a part only if it can't write the rest: the disk is full.
fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> io::Result<usize> {
    let length = bytes.len();
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Err(rustix::io::Errno::INTR) => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(length)
}

impl AsFd for StdEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.way {
            Way::Shared(end) => end.as_fd(),
            Way::Input(file) => file.as_fd(),
            Way::Output(file) => file.as_fd(),
            Way::Broken(fd, _) => *fd,
        }
    }
}

impl AsRawFd for StdEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Channel for StdEnd {
    /// Not every poller refuses a descriptor that is closed.
    fn check_usable(&self) -> io::Result<()> {
        match &self.way {
            Way::Broken(_, error) => Err(copy_of(error)),
            _ => Ok(()),
        }
    }

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.way {
            Way::Shared(end) => end.recv(buffer),
            Way::Input(file) => file.recv(buffer),
            Way::Output(_) => Err(sys::not_connected()),
            Way::Broken(_, error) => Err(copy_of(error)),
        }
    }

    fn check_readable(&self) -> io::Result<()> {
        match &self.way {
            Way::Shared(end) => end.check_readable(),
            Way::Input(file) => file.check_readable(),
            Way::Output(_) => Err(sys::not_connected()),
            Way::Broken(_, error) => Err(copy_of(error)),
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.way {
            Way::Shared(end) => end.send(bytes),
            Way::Input(file) => file.send(bytes),
            Way::Output(file) => write_all(file, bytes),
            Way::Broken(_, error) => Err(copy_of(error)),
        }
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.way {
            Way::Shared(end) => end.send_vectored(slices),
            _ => slices.iter().try_fold(0, |sum, slice| Ok(sum + self.send(slice)?)),
        }
    }

    /// Nothing: the descriptor stays open.
    fn end(&self) -> io::Result<()> {
        Ok(())
    }

    fn send_last(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.way {
            Way::Shared(end) => end.send_last(bytes),
            // Nothing of these is ever queued.
            _ => Ok(()),
        }
    }
}
