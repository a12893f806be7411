//! The datagrams that the system had no room for, and the requests that wait for them.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::many::Many;
use crate::error::LoopGone;
use crate::event_loop::copy_of;
use crate::request::Plain;

/// A datagram on top of more than this is refused.
const LIMIT: usize = 64 * 1024 * 1024;
/// On top of as many too: each costs memory, however short it is.
const QUEUED_DATAGRAMS: usize = 1 << 20;

/// Requests that are still to be told that all was sent, or what failed.
pub(crate) type Finished = VecDeque<(Rc<Plain<usize>>, io::Result<usize>)>;

/// The request that a queued datagram belongs to.
pub(crate) enum Asker {
    Alone(Rc<Plain<usize>>),
    /// By its place in what was given.
    Among(Rc<Many>, usize),
}

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

    /// How many requests.
    fn requests(&self) -> usize;

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
        self.waiting.requests() + self.finished.len()
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
    pub(crate) asker: Asker,
}

impl<T> Entry<T> {
    /// Whether it belongs to the same request as the one before it.
    fn goes_with(&self, former: &Self) -> bool {
        match (&self.asker, &former.asker) {
            (Asker::Among(one, _), Asker::Among(other, _)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
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

    /// Of datagrams with these lengths, how many may still come before it is over the limit: the first ones.
    pub(crate) fn room_for(&self, lens: impl Iterator<Item = usize>, limit: usize) -> usize {
        let mut size = self.size;
        let mut fits = |len| {
            let has_room = size <= limit;
            size += len;
            has_room
        };
        lens.take(QUEUED_DATAGRAMS.saturating_sub(self.entries.len()))
            .take_while(|len| fits(*len))
            .count()
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
        if let Some(entry) = self.take_first() {
            finished.extend(match entry.asker {
                Asker::Alone(request) => Some((request, result.map(|()| entry.bytes.len()))),
                Asker::Among(many, place) => many.finish(place, result),
            });
        }
    }

    fn take_first(&mut self) -> Option<Entry<T>> {
        let entry = self.entries.pop_front()?;
        self.size -= entry.bytes.len();
        Some(entry)
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

    fn requests(&self) -> usize {
        let neighbours = self.entries.iter().zip(self.entries.iter().skip(1));
        self.len() - neighbours.filter(|(former, entry)| entry.goes_with(former)).count()
    }

    fn fail_all(&mut self, error: &io::Error, finished: &mut Finished) {
        while let Some(entry) = self.take_first() {
            finished.extend(match entry.asker {
                Asker::Alone(request) => Some((request, Err(copy_of(error)))),
                Asker::Among(many, _) => many.end(error),
            });
        }
    }
}
