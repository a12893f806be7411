//! What was read ahead of the reader, and what was accepted from the writer and is yet to be written.
//!
//! ```text
//!                     fill                         drain
//!   file ──────────────────────▶ ahead     behind ──────────▶ file
//!   position of the system ▲     │ poll_read  ▲ poll_write, at the place where reading stands
//!                          └─────┴── rewind ──┘
//! ```
//!
//! At most one of the two holds bytes, but in files that have no position. One job of the buffers is under
//! way at a time. While a request that uses the position stands in the line, nothing is taken from them and
//! nothing put in: it was called before.

use std::io::{self, SeekFrom};
use std::task::Waker;

use crate::request::RequestId;

/// What is read ahead at first; twice as much each time, while it is read in sequence.
const FIRST_WINDOW: usize = 64 * 1024;
/// At most so much: a larger one is no faster, and lies about for each file.
const LAST_WINDOW: usize = 1024 * 1024;

/// As much accepted is written at once, and not at the end of the iteration.
const DRAIN_AT: usize = 256 * 1024;
/// So much is accepted while a drain is under way.
const BEHIND_LIMIT: usize = 1024 * 1024;

#[derive(Default)]
pub(super) struct Buffers {
    ahead: Ahead,
    window: usize,
    /// Of a fill that brought nothing: the end, or an error.
    filled: Option<io::Result<()>>,
    behind: Vec<u8>,
    /// The memory of what was written last.
    spare: Vec<u8>,
    /// How far the system's position is ahead of the reader's, of bytes that are forgotten already.
    rewind: usize,
    /// Whether what was behind is on its way into the file.
    is_writing: bool,
    /// Of what was written behind: told once.
    pub(super) write_error: Option<io::Error>,
    pub(super) busy: Option<Job>,
    /// The last fill, which may be over.
    pub(super) filling: Option<RequestId>,
    /// The drain that is under way is to go on with what came meanwhile.
    is_due: bool,
    /// Whether an immediate will see to what is behind.
    pub(super) is_scheduled: bool,
    /// Requests in the line that use the position.
    requests: usize,
    /// Those of them that have an effect on more than it.
    changes: usize,
    sought: Option<(SeekFrom, io::Result<u64>)>,
    /// Whether it can be sought in, once that is known.
    pub(super) is_seekable: Option<bool>,
    /// No `File` is left.
    pub(super) is_let_go: bool,
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct Ahead {
    bytes: Vec<u8>,
    at: usize,
}

/// What the pool does for the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Fill,
    Drain,
    Seek(SeekFrom),
}

/// What a poll comes to: an answer, or nothing yet; and a job that it begins.
pub(super) struct Said<T> {
    pub(super) answer: Option<io::Result<T>>,
    pub(super) begins: Option<Job>,
}

impl<T> Said<T> {
    const WAIT: Self = Self { answer: None, begins: None };

    fn ready(answer: io::Result<T>) -> Self {
        Self { answer: Some(answer), begins: None }
    }
}

/// What has to be done in the file before anything else.
#[derive(Default)]
pub(super) struct Owed {
    pub(super) rewind: usize,
    pub(super) bytes: Vec<u8>,
}

impl Buffers {
    fn begin<T>(&mut self, job: Job) -> Said<T> {
        debug_assert!(self.busy.is_none(), "one at a time");
        self.busy = Some(job);
        Said { answer: None, begins: Some(job) }
    }

    /// What a poll of any kind looks at first.
    fn must_wait_or_fail<T>(&mut self) -> Option<Said<T>> {
        if self.requests > 0 {
            return Some(Said::WAIT);
        }
        self.write_error.take().map(|error| Said::ready(Err(error)))
    }

    // --- reading ---

    /// Gives bytes to `take`, which says how many of them it took and whether that was enough.
    pub(super) fn read<T>(
        &mut self,
        wanted: usize,
        take: impl FnOnce(&[u8]) -> (usize, Option<T>),
        end: impl FnOnce() -> T,
    ) -> Said<T> {
        self.sought = None;
        if let Some(said) = self.must_wait_or_fail() {
            return said;
        }
        if !self.ahead.rest().is_empty() {
            let (taken, answer) = take(self.ahead.rest());
            self.ahead.at += taken;
            if let Some(answer) = answer {
                return Said::ready(Ok(answer));
            }
        }
        match self.filled.take() {
            Some(outcome) => return Said::ready(outcome.map(|()| end())),
            None if self.busy.is_some() => return Said::WAIT,
            None => {}
        }
        self.window = self.window.max(wanted.min(LAST_WINDOW)).max(FIRST_WINDOW);
        self.begin(Job::Fill)
    }

    /// Memory to read ahead into, if there is nothing yet.
    pub(super) fn take_window(&mut self) -> Option<Vec<u8>> {
        if !self.ahead.rest().is_empty() {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.ahead).bytes;
        bytes.clear();
        bytes.reserve_exact(self.window.max(FIRST_WINDOW));
        Some(bytes)
    }

    /// A fill has come to its end.
    pub(super) fn put_ahead(&mut self, bytes: Vec<u8>, outcome: io::Result<usize>) {
        match outcome {
            Ok(0) => self.filled = Some(Ok(())),
            Err(error) => self.filled = Some(Err(error)),
            Ok(_) => {
                if bytes.len() >= self.window {
                    self.window = (self.window * 2).min(LAST_WINDOW);
                }
                self.ahead = Ahead { bytes, at: 0 };
            }
        }
    }

    /// Takes what was read ahead, of a file that can't be sought in.
    pub(super) fn take_ahead(&mut self, buffer: &mut [u8]) -> usize {
        let length = buffer.len().min(self.ahead.rest().len());
        buffer[..length].copy_from_slice(&self.ahead.rest()[..length]);
        self.ahead.at += length;
        length
    }

    /// The same, all of it.
    pub(super) fn take_all_ahead(&mut self) -> Vec<u8> {
        let Ahead { mut bytes, at } = std::mem::take(&mut self.ahead);
        bytes.drain(..at);
        bytes
    }

    /// Forgets what was read ahead: the position of the file becomes that of the reader. Without a
    /// position it is kept, for it can't be had again.
    pub(super) fn forget_ahead(&mut self) {
        self.filled = None;
        if self.is_seekable != Some(false) && !self.ahead.rest().is_empty() {
            self.rewind += self.ahead.rest().len();
            self.ahead = Ahead::default();
            self.window = 0;
        }
    }

    // --- writing ---

    /// Accepts a part of `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Said<usize> {
        self.sought = None;
        if let Some(said) = self.must_wait_or_fail() {
            return said;
        }
        if matches!(self.busy, Some(Job::Fill | Job::Seek(_))) {
            return Said::WAIT;
        }
        self.forget_ahead();
        let room = BEHIND_LIMIT - self.behind.len();
        if room == 0 {
            return self.drain();
        }
        let taken = &bytes[..bytes.len().min(room)];
        self.behind.extend_from_slice(taken);
        let begins = if self.behind.len() < DRAIN_AT { None } else { self.drain::<()>().begins };
        Said { answer: Some(Ok(taken.len())), begins }
    }

    /// Has what is behind written: by a new drain, or by the one that is under way.
    fn drain<T>(&mut self) -> Said<T> {
        if self.busy.is_none() {
            return self.begin(Job::Drain);
        }
        self.is_due = true;
        Said::WAIT
    }

    /// Whether all that was accepted is in the file.
    pub(super) fn flush(&mut self) -> Said<()> {
        match self.must_wait_or_fail() {
            Some(said) => said,
            None if self.is_flushed() => Said::ready(Ok(())),
            None => self.drain(),
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.behind.is_empty() && !self.is_writing
    }

    /// Whether all that was asked for so far is in the file.
    pub(super) fn is_written(&self) -> bool {
        self.is_flushed() && self.changes == 0
    }

    /// Whether nothing is read ahead, under way or yet to be written.
    pub(super) fn is_idle(&self) -> bool {
        let is_settled = self.is_flushed() && self.rewind == 0 && self.filled.is_none();
        let is_unused = self.requests == 0 && self.busy.is_none();
        is_settled && is_unused && self.ahead.rest().is_empty()
    }

    /// Whether nobody will see to what is left to write.
    pub(super) fn is_left_alone(&self) -> bool {
        self.requests == 0 && self.is_let_go && !self.is_flushed()
    }

    pub(super) fn begin_request(&mut self, changes: bool) {
        self.requests += 1;
        self.changes += usize::from(changes);
    }

    pub(super) fn end_request(&mut self, changes: bool) {
        self.requests -= 1;
        self.changes -= usize::from(changes);
    }

    /// The end of an iteration in which something was accepted.
    pub(super) fn end_of_iteration(&mut self) -> Option<Job> {
        self.is_scheduled = false;
        if self.behind.is_empty() { None } else { self.drain::<()>().begins }
    }

    /// The last `File` goes. A request that is in the line writes what is left, as each does.
    pub(super) fn let_go(&mut self) -> Option<Job> {
        self.is_let_go = true;
        self.drain_left()
    }

    /// Has what is left written, if nobody else will see to it.
    pub(super) fn drain_left(&mut self) -> Option<Job> {
        let is_seen_to = !self.is_let_go || self.requests > 0 || self.behind.is_empty();
        if is_seen_to { None } else { self.drain::<()>().begins }
    }

    /// An error that nobody can come for any more. A request that is in the line tells it, as each does.
    pub(super) fn take_untold(&mut self) -> Option<io::Error> {
        let is_left = self.is_let_go && self.requests == 0;
        self.write_error.take_if(|_| is_left)
    }

    /// A fill that nobody waits for any more, and that has nothing to write before.
    pub(super) fn take_unwanted(&mut self) -> Option<RequestId> {
        let is_unwanted = self.busy == Some(Job::Fill) && self.is_let_go && self.is_flushed();
        self.filling.take_if(|_| is_unwanted)
    }

    /// What has to be done in the file first.
    pub(super) fn take_owed(&mut self) -> Owed {
        let bytes = std::mem::replace(&mut self.behind, std::mem::take(&mut self.spare));
        self.is_writing = !bytes.is_empty();
        Owed { rewind: std::mem::take(&mut self.rewind), bytes }
    }

    /// What was owed is done, or failed: then what was accepted since is forgotten with it.
    pub(super) fn has_paid(&mut self, mut memory: Vec<u8>, failed: bool) {
        self.is_writing = false;
        if failed {
            self.behind.clear();
        }
        memory.clear();
        if memory.capacity() > self.spare.capacity() {
            self.spare = memory;
        }
    }

    /// Whether the job that is done goes on with what came meanwhile. Else it is over with this: what comes
    /// now begins another.
    pub(super) fn goes_on(&mut self) -> bool {
        let is_due = std::mem::take(&mut self.is_due) || self.behind.len() >= DRAIN_AT;
        if is_due && !self.behind.is_empty() && self.busy == Some(Job::Drain) {
            return true;
        }
        self.busy = None;
        if self.behind.is_empty() && self.behind.capacity() + self.spare.capacity() > FIRST_WINDOW {
            // Nobody writes much any more.
            (self.behind, self.spare) = Default::default();
        }
        false
    }

    // --- seeking ---

    pub(super) fn seek(&mut self, to: SeekFrom) -> Said<u64> {
        if let Some(said) = self.must_wait_or_fail() {
            return said;
        }
        match self.sought.take() {
            Some((asked, result)) if asked == to => Said::ready(result),
            _ if self.busy.is_some() => Said::WAIT,
            _ => self.begin(Job::Seek(to)),
        }
    }

    pub(super) fn put_sought(&mut self, to: SeekFrom, result: io::Result<u64>) {
        self.sought = Some((to, result));
    }

    // --- waiting ---

    /// Lets `waker` be woken when anything ends. What comes back is to be dropped with nothing locked.
    pub(super) fn wait(&mut self, waker: Waker) -> Option<Waker> {
        match self.wakers.iter().any(|known| known.will_wake(&waker)) {
            true => Some(waker),
            false => {
                self.wakers.push(waker);
                None
            }
        }
    }

    /// Whom to wake, with nothing locked.
    #[must_use]
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }
}

impl Ahead {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }
}
