//! The executor: the microtask queue, the tasks that are alive, and the limits of a checkpoint.

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::coop::{OnePoll, SelfWake};
use super::home::NOWHERE;
use super::main_future::MainState;
use super::raw::{self, Join, Living, Runnable, Turn};
use super::spare::Spare;
use super::stage::Payload;
use crate::base::{Guarded, InlineFn, LocalQueue, Ring};
use crate::error::{Result, Uncaught};

/// What `exit` unwinds with. It is no panic: who catches it passes it on.
#[derive(Debug)]
pub(crate) struct ExitPayload;

/// One entry of the microtask queue.
pub(crate) enum Microtask {
    Callback(InlineFn<(), Result>),
    Future(Woken),
}

/// A future that is to be polled.
pub(crate) enum Woken {
    Task(Runnable),
    /// The future given to `block_on` or `main`.
    Main,
}

// Two words, which they are because `Woken` is one: with three, a spawn takes 6% longer.
const _: () = assert!(size_of::<Microtask>() == 2 * size_of::<usize>());

/// The limits of one checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) task_polls: usize,
}

const MICROTASKS: u8 = 1;
/// Ticks, what waits for the end of a checkpoint, errors, an exit.
const MORE: u8 = 2;

/// The part of a loop that runs tasks. It knows nothing of handles and phases.
pub(crate) struct Executor {
    loop_id: u64,
    limits: Limits,
    microtasks: Ring<Microtask>,
    /// Tasks over a limit: they go on at the end of the next poll phase.
    deferred: LocalQueue<Microtask>,
    living: Living,
    spare: Spare,
    /// What a callback that runs as a task has thrown, for the drain to take.
    thrown: Cell<Option<Box<dyn Error>>>,
    /// The panic of a task that is to be raised again, on the way to who polled it.
    payload: Cell<Option<Payload>>,
    /// Errors that nobody waited for, to be reported at the end of the checkpoint.
    unobserved: LocalQueue<Uncaught>,
    pub(super) checkpoint: Cell<u64>,
    /// Polls that are left in this checkpoint.
    polls_left: Cell<usize>,
    deferrals: Cell<u64>,
    pub(super) main: Guarded<MainState>,
    /// The loop is gone: nothing that is queued would ever run.
    is_gone: Cell<bool>,
    /// What may be to be done at a checkpoint: [`MICROTASKS`], [`MORE`], or both. It was queued, here or by
    /// the loop, since the last one ended. So that a checkpoint with nothing to do asks one question, and
    /// one that has microtasks alone one more.
    owed: Cell<u8>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("loop_id", &self.loop_id)
            .field("microtasks", &self.microtasks.len())
            .field("deferred", &self.deferred.len())
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

impl Executor {
    pub(crate) fn new(limits: Limits) -> Rc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(NOWHERE + 1);
        Rc::new(Self {
            // Tasks rely on it (see `raw`): no other executor ever has it.
            loop_id: NEXT_ID.fetch_add(1, Relaxed),
            limits,
            microtasks: Ring::default(),
            deferred: LocalQueue::default(),
            living: Living::default(),
            spare: Spare::default(),
            thrown: Cell::new(None),
            payload: Cell::new(None),
            unobserved: LocalQueue::default(),
            checkpoint: Cell::new(0),
            polls_left: Cell::new(0),
            deferrals: Cell::new(0),
            main: Guarded::default(),
            is_gone: Cell::new(false),
            owed: Cell::new(0),
        })
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    pub(crate) fn loop_id(&self) -> u64 {
        self.loop_id
    }

    /// Number of tasks that are not done.
    pub(crate) fn tasks(&self) -> usize {
        self.living.len()
    }

    pub(super) fn living(&self) -> &Living {
        &self.living
    }

    pub(super) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// How many times a task was deferred.
    pub(crate) fn deferrals(&self) -> u64 {
        self.deferrals.get()
    }

    #[inline]
    pub(crate) fn push(&self, microtask: Microtask) {
        self.owe(MICROTASKS);
        self.microtasks.push(microtask);
    }

    /// Whether a checkpoint may have something to do.
    #[inline]
    pub(crate) fn is_owed(&self) -> bool {
        self.owed.get() != 0
    }

    #[inline]
    fn owe(&self, what: u8) {
        self.owed.set(self.owed.get() | what);
    }

    /// A checkpoint has something to do that is no microtask.
    #[inline]
    pub(crate) fn owe_more(&self) {
        self.owe(MORE);
    }

    /// Whether a checkpoint may have something to do that is no microtask.
    #[inline]
    pub(crate) fn owes_more(&self) -> bool {
        self.owed.get() & MORE != 0
    }

    /// A checkpoint has done all there was.
    #[inline]
    pub(crate) fn owe_nothing(&self) {
        self.owed.set(0);
    }

    #[inline]
    pub(crate) fn has_microtasks(&self) -> bool {
        !self.microtasks.is_empty()
    }

    /// A checkpoint begins: every limit counts anew.
    #[inline]
    pub(crate) fn begin_checkpoint(&self) {
        self.checkpoint.set(self.checkpoint.get() + 1);
        self.polls_left.set(self.limits.task_polls);
    }

    /// The next microtask to run now. Tasks over the limit are put aside on the way.
    #[inline]
    pub(crate) fn next(&self) -> Option<Microtask> {
        loop {
            let woken = match self.microtasks.pop()? {
                Microtask::Future(woken) => woken,
                callback => return Some(callback),
            };
            if let Some(left) = self.polls_left.get().checked_sub(1) {
                self.polls_left.set(left);
                return Some(Microtask::Future(woken));
            }
            self.defer(woken);
        }
    }

    #[cold]
    pub(super) fn defer(&self, woken: Woken) {
        self.deferrals.set(self.deferrals.get() + 1);
        self.deferred.push(Microtask::Future(woken));
    }

    #[inline]
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Lets deferred tasks go on, as many as fit into one checkpoint.
    pub(crate) fn resume_deferred(&self) {
        for _ in 0..self.deferred.len().min(self.limits.task_polls) {
            self.deferred.pop().into_iter().for_each(|microtask| self.push(microtask));
        }
    }

    /// Polls a task once, or drops its future if it was aborted. An error is that of a callback
    /// that runs as a task.
    #[inline]
    pub(crate) fn run(&self, task: Runnable) -> Result {
        let poll = OnePoll::begin();
        match task.run() {
            Turn::Waits => Ok(()),
            Turn::Again(task) => {
                self.requeue(task, poll.said());
                Ok(())
            }
            Turn::Ended => self.thrown.take().map_or(Ok(()), Err),
            Turn::Unwinds => resume_unwind(self.take_payload()),
        }
    }

    /// Queues a task that was woken while it was polled.
    #[inline]
    fn requeue(&self, task: Runnable, said: SelfWake) {
        if task.self_wakes().is_over_limit(said, self.checkpoint.get()) {
            self.defer(Woken::Task(task));
        } else {
            self.push(Microtask::Future(Woken::Task(task)));
        }
    }

    pub(super) fn throw(&self, error: Box<dyn Error>) {
        drop(self.thrown.replace(Some(error)));
    }

    #[cold]
    pub(super) fn keep_payload(&self, payload: Payload) {
        self.payload.set(Some(payload));
    }

    #[cold]
    pub(super) fn take_payload(&self) -> Payload {
        self.payload.take().expect("kept by the poll that has just ended")
    }

    /// Reports an error at the end of this checkpoint, or of the next one.
    pub(crate) fn report(&self, error: Uncaught) {
        self.unobserved.push(error);
        self.owe_more();
    }

    #[inline]
    pub(crate) fn has_unobserved(&self) -> bool {
        !self.unobserved.is_empty()
    }

    pub(crate) fn next_unobserved(&self) -> Option<Uncaught> {
        self.unobserved.pop()
    }

    pub(crate) fn unobserved(&self) -> usize {
        self.unobserved.len()
    }

    /// Drops all tasks that are left, on the loop's thread. `drop_one` runs one drop and survives its
    /// panic.
    pub(crate) fn drop_tasks(&self, mut drop_one: impl FnMut(&mut dyn FnMut())) {
        self.is_gone.set(true);
        self.drop_queued(&mut drop_one);
        while self.living.len() > 0 {
            drop_one(&mut || self.living.cancel_first());
            // What the drop of a future woke is dropped next.
            self.drop_queued(&mut drop_one);
        }
    }

    fn drop_queued(&self, drop_one: &mut impl FnMut(&mut dyn FnMut())) {
        while let Some(queued) = self.microtasks.pop().or_else(|| self.deferred.pop()) {
            let mut queued = Some(queued);
            drop_one(&mut || match queued.take() {
                Some(Microtask::Future(Woken::Task(task))) => task.cancel(),
                queued => drop(queued),
            });
        }
    }
}

/// Makes a task of `future` on `executor`. The task is not queued yet: the `Runnable` is its first
/// poll. The `Join` is for a [`JoinHandle`](super::JoinHandle), to be made where it is given away.
pub(crate) fn spawn<F: Future + 'static>(
    executor: &Rc<Executor>,
    future: F,
) -> (Runnable, Join<F::Output>) {
    raw::spawn(executor, future)
}

/// Like [`spawn`], of a callback that waits: what it throws, or a panic of it, is not its task's
/// outcome but an uncaught error, at the place where it was thrown.
pub(super) fn spawn_callback(
    executor: &Rc<Executor>,
    callback: impl Future<Output = Result> + 'static,
) -> Runnable {
    let throwing = executor.clone();
    raw::spawn_callback(executor, async move {
        if let Err(error) = callback.await {
            throwing.throw(error);
        }
    })
}
