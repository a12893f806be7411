//! The write queue of a stream: what the kernel did not take at once, and who waits for it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;

use super::file::FilePart;
use crate::base::Wakers;
use crate::event_loop::{InFlight, copy_of};
use crate::request::Plain;
use crate::sys::Descriptor;

/// Above this many queued bytes a stream is full: a soft line.
const HIGH_WATER: usize = 64 * 1024;
/// A write on top of more than this closes the stream: a hard line.
const WRITE_LIMIT: usize = 64 * 1024 * 1024;
/// As many queued writes are a hard line too: each costs memory, however small it is.
const QUEUED_WRITES: usize = 1 << 20;

/// What is queued, and who waits for that.
pub(super) struct Writing {
    pub(super) queue: VecDeque<Entry>,
    /// Bytes that are queued.
    pub(super) size: usize,
    pub(super) high_water: usize,
    pub(super) limit: usize,
    /// It was above the high-water mark since it was last empty.
    pub(super) was_full: bool,
    /// Written, or failed; their requests are still to be told.
    pub(super) finished: VecDeque<(Rc<Plain<()>>, io::Result<()>)>,
    /// Wait for the queue to be empty.
    pub(super) drained: VecDeque<Rc<Plain<()>>>,
    pub(super) shutdown: Option<Rc<Plain<()>>>,
    /// Tasks in `poll_write` and `poll_flush`.
    pub(super) wakers: Rc<Wakers>,
    /// What ended the writing direction.
    pub(super) error: Option<io::Error>,
}

/// One write, or what is left of it.
pub(super) struct Entry {
    load: Load,
    owner: Owner,
}

/// What is to be written.
pub(super) enum Load {
    Bytes(Bytes),
    File(Box<FilePart>),
}

/// Bytes of an entry.
pub(super) struct Bytes {
    bytes: Box<[u8]>,
    written: usize,
    /// To go with the first of the bytes; none when that is gone.
    fds: Box<[Descriptor]>,
}

/// What is told when an entry is written. Both keep the loop alive until then.
pub(super) enum Owner {
    Request(Rc<Plain<()>>),
    /// It came through `AsyncWrite`, which said that it was written.
    Nobody(#[expect(dead_code, reason = "its drop counts")] InFlight),
}

impl Owner {
    fn into_request(self) -> Option<Rc<Plain<()>>> {
        match self {
            Self::Request(request) => Some(request),
            Self::Nobody(_) => None,
        }
    }
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            size: 0,
            high_water: HIGH_WATER,
            limit: WRITE_LIMIT,
            was_full: false,
            finished: VecDeque::new(),
            drained: VecDeque::new(),
            shutdown: None,
            wakers: Rc::default(),
            error: None,
        }
    }
}

impl Load {
    pub(super) fn bytes(bytes: Box<[u8]>, fds: Box<[Descriptor]>) -> Self {
        Self::Bytes(Bytes { bytes, written: 0, fds })
    }
}

impl Bytes {
    /// What is still to be written.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }
}

impl Entry {
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        match &self.load {
            Load::Bytes(bytes) => Some(bytes),
            Load::File(_) => None,
        }
    }
}

impl Writing {
    /// Whether nothing more may be queued: the hard line.
    pub(super) fn is_over_limit(&self) -> bool {
        self.size > self.limit || self.queue.len() >= QUEUED_WRITES
    }

    /// Queues `load`. A file is not in memory, and so not in the size.
    pub(super) fn push(&mut self, load: Load, owner: Owner) {
        if let Load::Bytes(bytes) = &load {
            self.size += bytes.bytes.len();
            self.was_full |= self.size > self.high_water;
        }
        self.queue.push_back(Entry { load, owner });
    }

    /// The file that is the next to be written, if it is one.
    pub(super) fn file_in_front(&mut self) -> Option<&mut FilePart> {
        match &mut self.queue.front_mut()?.load {
            Load::File(part) => Some(part),
            Load::Bytes(_) => None,
        }
    }

    /// Finishes the file in front, if all of it is sent.
    pub(super) fn advance_file(&mut self) {
        if self.file_in_front().is_some_and(|part| part.is_sent()) {
            self.finish_front();
        }
    }

    fn finish_front(&mut self) {
        let entry = self.queue.pop_front();
        let request = entry.and_then(|entry| entry.owner.into_request());
        self.finished.extend(request.map(|request| (request, Ok(()))));
    }

    /// Fills `slices` with what one system call can write, up to a file: how many, and the descriptors
    /// that go with the first byte. Those of a later entry wait until that is the first.
    pub(super) fn next<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> (usize, &'a [Descriptor]) {
        let (mut count, mut fds) = (0, &[][..]);
        let bytes = self.queue.iter().map_while(Entry::bytes);
        for (slice, entry) in slices.iter_mut().zip(bytes) {
            if !entry.fds.is_empty() {
                if count > 0 {
                    break;
                }
                fds = &entry.fds;
            }
            *slice = IoSlice::new(entry.rest());
            count += 1;
        }
        (count, fds)
    }

    /// `written` bytes are gone: finishes the entries that are.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.size -= written;
        while let Some(Entry { load: Load::Bytes(entry), .. }) = self.queue.front_mut() {
            let left = entry.bytes.len() - entry.written;
            if written < left {
                if written > 0 {
                    entry.written += written;
                    entry.fds = Box::default();
                }
                return;
            }
            written -= left;
            self.finish_front();
        }
    }

    /// Everything that is queued ends with a copy of `error`.
    pub(super) fn fail(&mut self, error: &io::Error) {
        self.size = 0;
        for entry in std::mem::take(&mut self.queue) {
            let request = entry.owner.into_request();
            self.finished.extend(request.map(|request| (request, Err(copy_of(error)))));
        }
        let waiting = self.drained.drain(..).chain(self.shutdown.take());
        self.finished.extend(waiting.map(|request| (request, Err(copy_of(error)))));
    }

    /// The queue became empty: who waited for that is finished too.
    pub(super) fn finish_drained(&mut self) {
        self.finished.extend(self.drained.drain(..).map(|request| (request, Ok(()))));
    }

    /// Whether it was full and is empty now, and nobody was told.
    pub(super) fn has_drained(&self) -> bool {
        self.was_full && self.queue.is_empty()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.finished.is_empty() || self.shutdown.is_some()
    }

    /// The loop goes away.
    pub(super) fn abandon(self) {
        let queued = self.queue.into_iter().filter_map(|entry| entry.owner.into_request());
        let finished = self.finished.into_iter().map(|(request, _)| request);
        for request in finished.chain(queued).chain(self.drained).chain(self.shutdown) {
            request.abandon();
        }
    }
}
