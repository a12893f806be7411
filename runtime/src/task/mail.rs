//! What other threads send to a loop.
//!
//! ```text
//!   pool, senders, remotes, wakers         loop, once an iteration
//!   put ──▶ [ completed | signalled | mail ] ──▶ [ completed | signalled | mail ] ──▶ delivered
//!            Bag, under one lock        all at once     Mailbox, the loop's own
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex, RwLock};

use super::TaskRef;
use super::job::Undone;
use crate::base::{Apart, Key, LocalQueue};
use crate::error::Result;
use crate::pool::{Address, Home, Job, Telling};
use crate::reactor::Wakeup;

/// A closure that was posted by a [`Remote`](crate::Remote).
pub(crate) type Posted = Box<dyn FnOnce() -> Result + Send>;

/// One entry of the general queue: closures and wakes are delivered in the order they came.
pub(crate) enum Mail {
    Post(Posted),
    Wake(TaskRef),
    WakeMain,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post(_) => "Post",
            Self::Wake(_) => "Wake",
            Self::WakeMain => "WakeMain",
        })
    }
}

/// Names a handle from another thread. Slots are used again, serials never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandleKey {
    pub(crate) slot: usize,
    pub(crate) serial: u64,
}

/// The end of a job of the loop.
pub(crate) enum Completion {
    /// It is done.
    Job(Box<dyn Job>),
    /// The request of this name ends without it. In a box, since it is rare.
    Undone(Box<(Key, Undone)>),
}

impl Completion {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Job(job) => job.key(),
            Self::Undone(undone) => undone.0,
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completion").field(&self.key()).finish()
    }
}

/// What came since the loop looked. Three queues, since completions are delivered before signals, and
/// signals before the rest.
#[derive(Debug, Default)]
struct Bag {
    completed: VecDeque<Completion>,
    signalled: VecDeque<HandleKey>,
    mail: VecDeque<Mail>,
    /// The loop sleeps for a moment, and looks at `completed` when it wakes: see `event_loop::naps`.
    is_napping: bool,
    /// The loop is gone: nothing more is taken.
    is_closed: bool,
}

/// The send end. Sending to a loop that is gone does nothing.
#[derive(Debug)]
pub(crate) struct Sending {
    // Apart from the counts of those who hold this, which the loop changes for each job.
    line: Apart<Line>,
}

#[derive(Debug)]
struct Line {
    bag: Mutex<Bag>,
    /// Rung for each completion: a loop that ends waits for its jobs here.
    completed: Condvar,
    wakeup: Arc<Wakeup>,
}

impl Sending {
    pub(crate) fn new(wakeup: Arc<Wakeup>) -> Arc<Self> {
        let line = Line { bag: Mutex::default(), completed: Condvar::new(), wakeup };
        Arc::new(Self { line: Apart(line) })
    }

    /// Puts `letter` into a queue of the bag, and wakes the loop; unless that naps, and may be told
    /// of it together with others. It comes back if the loop is gone.
    fn put<T>(
        &self,
        queue: impl FnOnce(&mut Bag) -> &mut VecDeque<T>,
        letter: T,
        telling: Telling,
    ) -> std::result::Result<Telling, T> {
        let mut bag = self.line.bag.lock();
        if bag.is_closed {
            return Err(letter);
        }
        queue(&mut bag).push_back(letter);
        let may_wait = bag.is_napping && telling == Telling::Together;
        drop(bag);
        if may_wait {
            return Ok(Telling::Together);
        }
        self.line.wakeup.notify();
        Ok(Telling::Now)
    }

    /// A job of the loop has come to its end.
    pub(crate) fn completed(
        &self,
        end: Completion,
        telling: Telling,
    ) -> std::result::Result<Telling, Completion> {
        let told = self.put(|bag| &mut bag.completed, end, telling)?;
        self.line.completed.notify_one();
        Ok(told)
    }

    /// The loop is about to sleep, and looks for itself soon whether jobs have ended.
    pub(crate) fn begin_nap(&self) {
        self.line.bag.lock().is_napping = true;
    }

    /// The loop is awake: whether jobs have ended that it was not told of, or not yet.
    pub(crate) fn end_nap(&self) -> bool {
        let mut bag = self.line.bag.lock();
        bag.is_napping = false;
        !bag.completed.is_empty()
    }

    /// An `Async` was signalled, or lost its last sender. False: the loop is gone.
    pub(crate) fn signalled(&self, handle: HandleKey) -> bool {
        self.put(|bag| &mut bag.signalled, handle, Telling::Now).is_ok()
    }

    /// Anything else. The mail comes back if the loop is gone.
    pub(crate) fn mail(&self, mail: Mail) -> std::result::Result<(), Mail> {
        self.put(|bag| &mut bag.mail, mail, Telling::Now).map(drop)
    }

    /// Moves what came to the loop's own queues.
    pub(crate) fn collect(&self, mailbox: &Mailbox) {
        let mut bag = self.line.bag.lock();
        mailbox.completed.append(&mut bag.completed);
        mailbox.signalled.append(&mut bag.signalled);
        mailbox.mail.append(&mut bag.mail);
    }

    /// Whether the end of `key` is here, and not collected yet.
    pub(crate) fn has_completed(&self, key: Key) -> bool {
        self.line.bag.lock().completed.iter().any(|end| end.key() == key)
    }

    /// Waits until a completion comes, until `deadline` at most; `None`: for ever.
    pub(crate) fn wait_for_completion(&self, deadline: Option<Instant>) -> Option<Completion> {
        let mut bag = self.line.bag.lock();
        loop {
            if let Some(end) = bag.completed.pop_front() {
                return Some(end);
            }
            match deadline {
                None => self.line.completed.wait(&mut bag),
                Some(deadline) => {
                    if self.line.completed.wait_until(&mut bag, deadline).timed_out() {
                        return bag.completed.pop_front();
                    }
                }
            }
        }
    }

    /// The loop is going away: nothing more is taken, and what is there is the loop's to drop.
    pub(crate) fn close(&self, mailbox: &Mailbox) {
        self.line.bag.lock().is_closed = true;
        self.collect(mailbox);
    }
}

impl Home for Sending {
    fn done(
        &self,
        job: Box<dyn Job>,
        telling: Telling,
    ) -> std::result::Result<Telling, Box<dyn Job>> {
        self.completed(Completion::Job(job), telling).map_err(|refused| match refused {
            Completion::Job(job) => job,
            Completion::Undone(_) => unreachable!("what comes back is what was sent"),
        })
    }

    fn tell(&self) {
        // It may have looked by itself.
        if self.line.bag.lock().completed.is_empty() {
            return;
        }
        self.line.wakeup.notify();
    }
}

/// The loop's end: what was in the bag when it last looked, as far as it is not delivered.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) completed: LocalQueue<Completion>,
    pub(crate) signalled: LocalQueue<HandleKey>,
    pub(crate) mail: LocalQueue<Mail>,
}

/// Every live loop's send end, by the loop's id: how a waker of a task, which carries nothing but
/// the id, finds its loop from another thread.
static LOOPS: RwLock<BTreeMap<u64, Arc<Sending>>> = RwLock::new(BTreeMap::new());

/// Makes the loop reachable.
pub(crate) fn publish(loop_id: u64, sending: Arc<Sending>) {
    LOOPS.write().insert(loop_id, sending);
}

/// Makes the loop unreachable: it is going away.
pub(crate) fn withdraw(loop_id: u64) {
    LOOPS.write().remove(&loop_id);
}

fn find(loop_id: u64) -> Option<Arc<Sending>> {
    LOOPS.read().get(&loop_id).cloned()
}

/// Sends to the loop `loop_id` from wherever this is. The mail comes back if the loop is gone.
pub(super) fn send(loop_id: u64, mail: Mail) -> std::result::Result<(), Mail> {
    // Under the lock: a share of the send end would be taken and given back by two locked operations more, on
    // a line that the loop writes to as well.
    match LOOPS.read().get(&loop_id) {
        Some(sending) => sending.mail(mail),
        None => Err(mail),
    }
}

/// Where the jobs of a loop go.
pub(crate) struct LoopAddress(pub(crate) u64);

impl Address for LoopAddress {
    fn number(&self) -> u64 {
        self.0
    }

    fn find(&self) -> Option<Arc<dyn Home>> {
        Some(find(self.0)?)
    }
}
