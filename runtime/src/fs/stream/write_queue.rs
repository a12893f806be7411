//! Who waits for what a `WriteStream` has accepted.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::source::again;
use crate::error::Cancelled;
use crate::event_loop::{ActiveKind, stand_in_line};
use crate::request::Plain;

/// Above this many queued bytes a stream is full: a soft line.
pub(super) const HIGH_WATER: usize = 64 * 1024;
/// A write on top of more than this closes the stream: a hard line.
const WRITE_LIMIT: usize = 64 * 1024 * 1024;
/// As many queued writes are a hard line too: each costs memory, however small it is.
const QUEUED_WRITES: usize = 1 << 20;

type Finished = (Rc<Plain<()>>, io::Result<()>);

/// Counts and requests; the bytes are with the pool.
pub(super) struct WriteQueue {
    /// How many bytes were accepted, and how many of them are written, since the stream began.
    accepted: u64,
    pub(super) written: u64,
    /// Each is done when as many bytes are written.
    requests: VecDeque<(u64, Rc<Plain<()>>)>,
    pub(super) high_water: usize,
    pub(super) limit: usize,
    /// It was above the high-water mark since it was last empty.
    was_full: bool,
    /// Done, or failed; still to be told.
    pub(super) finished: VecDeque<Finished>,
    /// Wait for nothing to be queued.
    drained: VecDeque<Rc<Plain<()>>>,
    /// Wait for the file to be closed.
    ends: VecDeque<Rc<Plain<()>>>,
    /// What ended the stream.
    pub(super) error: Option<io::Error>,
}

impl WriteQueue {
    pub(super) fn new(high_water: usize) -> Self {
        Self {
            accepted: 0,
            written: 0,
            requests: VecDeque::new(),
            high_water,
            limit: WRITE_LIMIT,
            was_full: false,
            finished: VecDeque::new(),
            drained: VecDeque::new(),
            ends: VecDeque::new(),
            error: None,
        }
    }

    /// Bytes that are accepted and not written. After an error nothing is waited for; a job that was under way
    /// may still bring some.
    pub(super) fn size(&self) -> usize {
        if self.error.is_some() {
            return 0;
        }
        usize::try_from(self.accepted - self.written).unwrap_or(usize::MAX)
    }

    pub(super) fn is_full(&self) -> bool {
        self.size() > self.high_water
    }

    /// Whether nothing more may be queued: the hard line.
    pub(super) fn is_over_limit(&self) -> bool {
        self.size() > self.limit || self.requests.len() >= QUEUED_WRITES
    }

    pub(super) fn accept(&mut self, bytes: usize) {
        self.accepted += bytes as u64;
        self.was_full |= self.is_full();
    }

    /// `request` is done when all is written that was accepted so far.
    pub(super) fn push(&mut self, request: Rc<Plain<()>>) {
        self.requests.push_back((self.accepted, request));
    }

    pub(super) fn push_drained(&mut self, request: Rc<Plain<()>>) {
        stand_in_line(&mut self.drained, request, |request| request.is_wanted());
    }

    pub(super) fn push_end(&mut self, request: Rc<Plain<()>>) {
        stand_in_line(&mut self.ends, request, |request| request.is_wanted());
    }

    /// `bytes` more are written: finishes who waited for them.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.written += bytes;
        let done = self.requests.iter().take_while(|(at, _)| *at <= self.written).count();
        let done = self.requests.drain(..done).map(|(_, request)| (request, Ok(())));
        self.finished.extend(done);
        if self.size() == 0 {
            self.finished.extend(self.drained.drain(..).map(|request| (request, Ok(()))));
        }
    }

    pub(super) fn finish_ends(&mut self) {
        self.finished.extend(self.ends.drain(..).map(|request| (request, Ok(()))));
    }

    /// Everything that is queued ends with a copy of `error`.
    pub(super) fn fail(&mut self, error: io::Error) {
        while let Some(request) = self.next_waiting() {
            self.finished.push_back((request, Err(again(&error))));
        }
        self.error.get_or_insert(error);
    }

    /// True once, when nothing is queued any more of a stream that was full.
    pub(super) fn take_drained(&mut self) -> bool {
        self.size() == 0 && std::mem::take(&mut self.was_full)
    }

    fn next_waiting(&mut self) -> Option<Rc<Plain<()>>> {
        let writing = self.requests.pop_front().map(|(_, request)| request);
        writing.or_else(|| self.drained.pop_front()).or_else(|| self.ends.pop_front())
    }

    /// The next that is to be told when the stream was closed.
    pub(super) fn cancel_next(&mut self) -> Option<Finished> {
        let cancelled = |request| (request, Err(Cancelled.into()));
        self.finished.pop_front().or_else(|| self.next_waiting().map(cancelled))
    }

    /// The loop goes away.
    pub(super) fn abandon_next(&mut self) -> Option<Rc<Plain<()>>> {
        let finished = self.finished.pop_front().map(|(request, _)| request);
        finished.or_else(|| self.next_waiting())
    }

    /// The requests in flight, by kind.
    pub(super) fn counts(&self) -> Vec<(ActiveKind, usize)> {
        let writes = self.requests.len() + self.finished.len();
        let mut counts = vec![
            (ActiveKind::Write, writes),
            (ActiveKind::Drained, self.drained.len()),
            (ActiveKind::Shutdown, self.ends.len()),
        ];
        counts.retain(|(_, count)| *count > 0);
        counts
    }
}
