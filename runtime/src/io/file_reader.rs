//! Reading what the system can't wait for: a regular file, `/dev/null`.
//!
//! ```text
//!   loop                                    pool
//!   recv: nothing here ─▶ bell silent ────▶ read(2), as much as was asked for
//!   WouldBlock                                │ rings the bell
//!   readable ◀── the poller watches it ◀──────┘
//!   recv: copies what was read; the bell goes on ringing
//! ```
//!
//! The bell is a pipe, which rings by a byte that lies in it: always, but for the time of a read. So the
//! stream above sees what it knows, a descriptor that is readable or not.
//!
//! Nothing is read ahead: the position in the file is that of all who share it, children included.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::Key;
use crate::pool::{self, Address, Home, Lane, Pool};
use crate::sys::{Channel, PipeEnd, pipe_pair};

/// What `readable` reads, which is told no number.
const SMALL: usize = 4096;

/// A file that the pool reads.
pub(crate) struct FileReader {
    shared: Arc<Shared>,
    bell: PipeEnd,
    pool: Pool,
}

struct Shared {
    file: OwnedFd,
    step: Mutex<Step>,
    rope: PipeEnd,
}

enum Step {
    Idle,
    Reading,
    /// Read, and handed out up to a place.
    Read(Vec<u8>, usize),
    Failed(io::Error),
}

impl FileReader {
    pub(crate) fn new(file: OwnedFd, pool: Pool) -> io::Result<Self> {
        let (bell, rope) = pipe_pair()?;
        let shared = Shared { file, step: Mutex::new(Step::Idle), rope };
        shared.ring();
        Ok(Self { shared: Arc::new(shared), bell, pool })
    }

    /// Has the pool read up to `length` bytes.
    fn begin(&self, length: usize) -> io::Error {
        *self.shared.step.lock() = Step::Reading;
        self.silence();
        let shared = self.shared.clone();
        let job = pool::job(Nowhere, Key::DEAD, move || shared.read(length));
        match self.pool.submit(Lane::Fast, job) {
            Ok(_) => io::ErrorKind::WouldBlock.into(),
            Err(refused) => {
                *self.shared.step.lock() = Step::Idle;
                self.shared.ring();
                refused.error
            }
        }
    }

    fn silence(&self) {
        // The byte is there: it is put in once for each time that it is taken out.
        let _ = self.bell.recv(&mut [0]);
    }
}

impl Shared {
    /// In the pool.
    fn read(&self, length: usize) {
        let mut bytes = vec![0; length];
        let read = loop {
            match rustix::io::read(&self.file, &mut bytes) {
                Err(rustix::io::Errno::INTR) => {}
                read => break read,
            }
        };
        *self.step.lock() = match read {
            Ok(read) => {
                bytes.truncate(read);
                Step::Read(bytes, 0)
            }
            Err(error) => Step::Failed(error.into()),
        };
        self.ring();
    }

    fn ring(&self) {
        // There is room for it, and if the reader is gone nobody listens.
        let _ = self.rope.send(&[0]);
    }
}

/// The home of a job that tells nobody.
struct Nowhere;

impl Address for Nowhere {
    fn number(&self) -> u64 {
        u64::MAX
    }

    fn find(&self) -> Option<Arc<dyn Home>> {
        None
    }
}

impl Step {
    /// Hands out what was read; `None` if nothing was.
    fn take(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self {
            Self::Idle => None,
            Self::Reading => Some(Err(io::ErrorKind::WouldBlock.into())),
            Self::Read(bytes, place) => {
                let length = buffer.len().min(bytes.len() - *place);
                buffer[..length].copy_from_slice(&bytes[*place..*place + length]);
                *place += length;
                if *place == bytes.len() {
                    *self = Self::Idle;
                }
                Some(Ok(length))
            }
            Self::Failed(_) => match std::mem::replace(self, Self::Idle) {
                Self::Failed(error) => Some(Err(error)),
                _ => None,
            },
        }
    }
}

impl AsFd for FileReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl AsRawFd for FileReader {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl Channel for FileReader {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.shared.step.lock().take(buffer);
        match taken {
            Some(taken) => taken,
            None if buffer.is_empty() => Ok(0),
            None => Err(self.begin(buffer.len())),
        }
    }

    fn check_readable(&self) -> io::Result<()> {
        match *self.shared.step.lock() {
            Step::Idle => {}
            Step::Reading => return Err(io::ErrorKind::WouldBlock.into()),
            Step::Read(..) | Step::Failed(_) => return Ok(()),
        }
        Err(self.begin(SMALL))
    }

    fn send(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(crate::sys::broken_pipe())
    }

    fn send_vectored(&self, _slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(crate::sys::broken_pipe())
    }

    fn end(&self) -> io::Result<()> {
        Ok(())
    }
}
