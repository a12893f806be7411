//! The datagrams that the system had no room for, and the requests that wait for them.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use crate::error::LoopGone;
use crate::event_loop::copy_of;
use crate::request::Plain;

/// A datagram on top of more than this is refused.
const LIMIT: usize = 64 * 1024 * 1024;
/// On top of as many too: each costs memory, however short it is.
const QUEUED_DATAGRAMS: usize = 1 << 20;

pub(crate) type Sent = Rc<Plain<usize>>;
/// Sent, or failed; their requests are still to be told.
pub(crate) type Finished = VecDeque<(Sent, io::Result<usize>)>;

/// What is queued, and what is done and still to be told.
pub(crate) struct SendQueue<W> {
    pub(crate) waiting: W,
    pub(crate) limit: usize,
    pub(crate) finished: Finished,
}

/// What is queued for the system: a line, or several.
pub(crate) trait Waiting: Default + 'static {
    fn is_empty(&self) -> bool;

    /// How many datagrams.
    fn len(&self) -> usize;

    /// How many bytes.
    fn size(&self) -> usize;

    /// Everything ends with a copy of `error`.
    fn fail_all(&mut self, error: &io::Error, finished: &mut Finished);
}

impl<W: Waiting> Default for SendQueue<W> {
    fn default() -> Self {
        Self { waiting: W::default(), limit: LIMIT, finished: VecDeque::new() }
    }
}

impl<W: Waiting> SendQueue<W> {
    /// Requests in flight: those of what is queued, and those that are still to be told.
    pub(super) fn requests(&self) -> usize {
        self.waiting.len() + self.finished.len()
    }

    /// Whether requests are in flight.
    pub(super) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.finished.is_empty()
    }

    /// Everything that is queued ends with a copy of `error`.
    pub(crate) fn fail_all(&mut self, error: &io::Error) {
        self.waiting.fail_all(error, &mut self.finished);
    }

    /// The loop goes away.
    pub(super) fn abandon(mut self) {
        self.fail_all(&LoopGone.into());
        for (request, _) in self.finished {
            request.abandon();
        }
    }
}

/// Datagrams that are sent in order.
pub(crate) struct Line<T> {
    entries: VecDeque<Entry<T>>,
    /// Bytes that are queued.
    size: usize,
}

pub(crate) struct Entry<T> {
    pub(crate) bytes: Box<[u8]>,
    /// What the system is given besides the bytes.
    pub(crate) with: T,
    pub(crate) request: Sent,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0 }
    }
}

impl<T> Line<T> {
    pub(crate) fn is_over(&self, limit: usize) -> bool {
        self.size > limit || self.entries.len() >= QUEUED_DATAGRAMS
    }

    pub(crate) fn push(&mut self, entry: Entry<T>) {
        self.size += entry.bytes.len();
        self.entries.push_back(entry);
    }

    /// What is queued, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    /// The first one was sent, or failed.
    pub(crate) fn finish_first(&mut self, result: io::Result<()>, finished: &mut Finished) {
        if let Some(entry) = self.entries.pop_front() {
            let len = entry.bytes.len();
            self.size -= len;
            finished.push_back((entry.request, result.map(|()| len)));
        }
    }
}

impl<T: 'static> Waiting for Line<T> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn fail_all(&mut self, error: &io::Error, finished: &mut Finished) {
        while !self.is_empty() {
            self.finish_first(Err(copy_of(error)), finished);
        }
    }
}
