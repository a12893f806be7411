//! Places: what the kernel is told of while an operation is under way, and what it is told.

use std::ffi::CString;
use std::fs::File;
use std::io::Result;
use std::mem::take;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use bench::file_work::{BLOCK, FileWork, Operation, SMALL};
use io_uring::opcode::{Close, OpenAt, Read, Statx, Write};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{DestinationSlot, Fd, Fixed};

/// Room for a small file, whose length nobody knows beforehand. One that fills it would have to be
/// read on; there is none.
const GUESS: usize = 4096;

/// What is done in one operation of the ring.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Open,
    Move,
    Close,
    Stat,
}

/// Room for one operation under way. What the kernel is told of lies on the heap: it stays where it is.
pub(crate) struct Place {
    /// Its slot in the ring's table of files.
    slot: u32,
    operation: Operation,
    path: CString,
    bytes: Vec<u8>,
    found: Box<libc::statx>,
    /// Where it reads, in a file that was open already.
    offset: u64,
    /// The file, if it is not in the slot.
    file: Option<OwnedFd>,
}

impl Place {
    pub(crate) fn new(slot: u32, operation: Operation) -> Self {
        // SAFETY: numbers, of which zero is one.
        let found = Box::new(unsafe { std::mem::zeroed() });
        Self {
            slot,
            operation,
            path: CString::default(),
            bytes: Vec::new(),
            found,
            offset: 0,
            file: None,
        }
    }

    /// One that reads in a file that is open, again and again into one buffer.
    pub(crate) fn of_file(file: File, work: &FileWork) -> Self {
        let place = Self::new(0, work.operation);
        Self { file: Some(file.into()), bytes: vec![1; BLOCK], ..place }
    }

    /// Makes it ready for another file. Nothing of it may be under way.
    pub(crate) fn begin(&mut self, work: &FileWork, number: u64) -> Result<()> {
        if self.operation == Operation::Block {
            self.offset = work.offset(number);
            return Ok(());
        }
        let path = work.path(number);
        // A path and a buffer of its own for each, as a request has them.
        self.path = CString::new(path.as_os_str().as_bytes())?;
        self.bytes = match self.operation {
            Operation::Read => Vec::with_capacity(GUESS),
            Operation::Write => vec![b'y'; SMALL],
            _ => Vec::new(),
        };
        Ok(())
    }

    /// The file was opened, and is not in the slot. How long it is, is asked here: the answer is in memory.
    pub(crate) fn opened(&mut self, fd: RawFd) -> Result<()> {
        // SAFETY: the kernel has just opened it for us.
        let file = unsafe { OwnedFd::from_raw_fd(fd) };
        if self.operation == Operation::Large {
            self.bytes.reserve_exact(rustix::fs::fstat(&file)?.st_size as usize);
        }
        self.file = Some(file);
        Ok(())
    }

    /// The file is about to be closed, by the ring.
    pub(crate) fn closed(&mut self) {
        let _ = self.file.take().map(IntoRawFd::into_raw_fd);
    }

    /// The length of what was read, written or found, where `moved` bytes were. Nothing may be under way.
    pub(crate) fn end(&mut self, moved: usize) -> usize {
        match self.operation {
            Operation::Read | Operation::Large => {
                assert!(moved <= self.bytes.capacity());
                // SAFETY: the kernel has written so many.
                unsafe { self.bytes.set_len(moved) };
                take(&mut self.bytes).len()
            }
            Operation::Write | Operation::Block => moved,
            Operation::Stat => self.found.stx_size as usize,
        }
    }

    /// What the kernel is told of a part. In a chain the file is in the slot.
    pub(crate) fn entry(&mut self, part: Part, is_chain: bool) -> Entry {
        match part {
            Part::Open if is_chain => {
                let slot = DestinationSlot::try_from_slot_target(self.slot).expect("it is small");
                self.open().file_index(Some(slot)).build().flags(Flags::IO_LINK)
            }
            Part::Open => self.open().flags(self.open_flags() | libc::O_CLOEXEC).build(),
            // Short or failed, the file is closed: a soft link would be cut.
            Part::Move if is_chain => self.move_bytes().flags(Flags::IO_HARDLINK),
            Part::Move => self.move_bytes(),
            Part::Close => match &self.file {
                Some(file) => Close::new(Fd(file.as_raw_fd())).build(),
                None => Close::new(Fixed(self.slot)).build(),
            },
            Part::Stat => {
                let found: *mut libc::statx = &raw mut *self.found;
                // What std asks for.
                Statx::new(Fd(libc::AT_FDCWD), self.path.as_ptr(), found.cast())
                    .mask(libc::STATX_BASIC_STATS | libc::STATX_BTIME)
                    .build()
            }
        }
    }

    fn open(&self) -> OpenAt {
        OpenAt::new(Fd(libc::AT_FDCWD), self.path.as_ptr()).flags(self.open_flags()).mode(0o666)
    }

    fn open_flags(&self) -> i32 {
        match self.operation {
            Operation::Write => libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC,
            _ => libc::O_RDONLY,
        }
    }

    fn move_bytes(&mut self) -> Entry {
        let (bytes, room) = (self.bytes.as_mut_ptr(), self.bytes.capacity() as u32);
        let slot = Fixed(self.slot);
        match (self.operation, &self.file) {
            (Operation::Write, Some(file)) => Write::new(Fd(file.as_raw_fd()), bytes, room).build(),
            (Operation::Write, None) => Write::new(slot, bytes, room).build(),
            (_, Some(file)) => {
                Read::new(Fd(file.as_raw_fd()), bytes, room).offset(self.offset).build()
            }
            (_, None) => Read::new(slot, bytes, room).build(),
        }
    }
}
