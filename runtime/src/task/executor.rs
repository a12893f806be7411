//! The executor: the microtask queue, the tasks that are alive, and the limits of a checkpoint.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

use async_task::{ScheduleInfo, WithInfo};
use slab::Slab;

use super::future::{CallbackFuture, TaskFuture};
use super::home::{self, SelfWake};
use super::mail::{self, Mail};
use super::main_future::MainState;
use super::{JoinHandle, coop};
use crate::base::{Guarded, InlineFn, LocalQueue};
use crate::error::{Result, Uncaught};

/// A woken task, ready to be polled once.
pub(crate) type Runnable = async_task::Runnable<Meta>;

/// Plain wakes of itself that one task may do in a checkpoint before it is deferred.
pub(super) const SELF_WAKES_PER_CHECKPOINT: u32 = 64;

/// What is known of a task besides its future. Atomics, since a waker on another thread can reach
/// it; all of them are touched on the loop's thread only, so `Relaxed` will do.
#[derive(Debug)]
pub(crate) struct Meta {
    /// Its place among the living.
    place: AtomicUsize,
    /// How often it woke itself in the checkpoint `counted_in`.
    self_wakes: AtomicU32,
    counted_in: AtomicU64,
}

/// One entry of the microtask queue.
pub(crate) enum Microtask {
    Callback(InlineFn<Result>),
    Task(Runnable),
    /// The future given to `block_on` or `main`.
    Main,
}

/// The limits of one checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) task_polls: usize,
}

/// The part of a loop that runs tasks. It knows nothing of handles and phases.
pub(crate) struct Executor {
    loop_id: u64,
    limits: Limits,
    microtasks: LocalQueue<Microtask>,
    /// Tasks over a limit: they go on at the end of the next poll phase.
    deferred: LocalQueue<Microtask>,
    /// A waker of every live task. Without it a task that left no waker anywhere would be freed
    /// with its future never dropped; and teardown has to reach them all.
    living: Guarded<Slab<Entry>>,
    /// Aborted tasks that have not had their last turn yet; mostly none, and then nobody looks.
    aborts: Cell<usize>,
    /// What a callback that runs as a task has thrown, for the drain to take.
    thrown: Cell<Option<Box<dyn Error>>>,
    /// Errors that nobody waited for, to be reported at the end of the checkpoint.
    unobserved: LocalQueue<Uncaught>,
    pub(super) checkpoint: Cell<u64>,
    polls: Cell<usize>,
    deferrals: Cell<u64>,
    pub(super) main: Guarded<MainState>,
    /// The loop is gone: nothing that is queued would ever run.
    is_gone: Cell<bool>,
    /// Something may be to be done at a checkpoint: it was queued, here or by the loop, since the last
    /// one ended. So that a checkpoint with nothing to do asks one question.
    is_owed: Cell<bool>,
}

/// What the executor keeps of a live task.
struct Entry {
    waker: Waker,
    is_aborted: bool,
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
    pub(crate) fn new(loop_id: u64, limits: Limits) -> Rc<Self> {
        Rc::new(Self {
            loop_id,
            limits,
            microtasks: LocalQueue::default(),
            deferred: LocalQueue::default(),
            living: Guarded::default(),
            aborts: Cell::new(0),
            thrown: Cell::new(None),
            unobserved: LocalQueue::default(),
            checkpoint: Cell::new(0),
            polls: Cell::new(0),
            deferrals: Cell::new(0),
            main: Guarded::default(),
            is_gone: Cell::new(false),
            is_owed: Cell::new(false),
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
        self.living.with(|living| living.len())
    }

    /// How many times a task was deferred.
    pub(crate) fn deferrals(&self) -> u64 {
        self.deferrals.get()
    }

    #[inline]
    pub(crate) fn push(&self, microtask: Microtask) {
        self.microtasks.push(microtask);
        self.is_owed.set(true);
    }

    /// Whether a checkpoint may have something to do.
    #[inline]
    pub(crate) fn is_owed(&self) -> bool {
        self.is_owed.get()
    }

    #[inline]
    pub(crate) fn set_owed(&self, is_owed: bool) {
        self.is_owed.set(is_owed);
    }

    #[inline]
    pub(crate) fn has_microtasks(&self) -> bool {
        !self.microtasks.is_empty()
    }

    /// A checkpoint begins: every limit counts anew.
    #[inline]
    pub(crate) fn begin_checkpoint(&self) {
        self.checkpoint.set(self.checkpoint.get() + 1);
        self.polls.set(0);
    }

    /// The next microtask to run now. Tasks over the limit are put aside on the way.
    #[inline]
    pub(crate) fn next(&self) -> Option<Microtask> {
        loop {
            let microtask = self.microtasks.pop()?;
            if matches!(microtask, Microtask::Callback(_)) {
                return Some(microtask);
            }
            if self.polls.get() < self.limits.task_polls {
                self.polls.set(self.polls.get() + 1);
                return Some(microtask);
            }
            self.defer(microtask);
        }
    }

    pub(super) fn defer(&self, microtask: Microtask) {
        self.deferrals.set(self.deferrals.get() + 1);
        self.deferred.push(microtask);
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
    pub(crate) fn run(&self, runnable: Runnable) -> Result {
        if self.aborts.get() > 0 && self.is_aborted(runnable.metadata()) {
            drop(runnable);
        } else {
            coop::with_full_budget(|| home::with_own_wakes(|| runnable.run()));
        }
        self.thrown.take().map_or(Ok(()), Err)
    }

    fn is_aborted(&self, meta: &Meta) -> bool {
        let place = meta.place.load(Relaxed);
        self.living.with(|living| living.get(place).is_some_and(|entry| entry.is_aborted))
    }

    pub(super) fn throw(&self, error: Box<dyn Error>) {
        drop(self.thrown.replace(Some(error)));
    }

    /// Reports an error at the end of this checkpoint, or of the next one.
    pub(crate) fn report(&self, error: Uncaught) {
        self.unobserved.push(error);
        self.is_owed.set(true);
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

    /// A task was woken while its loop is the current one.
    fn schedule(&self, runnable: Runnable, info: ScheduleInfo) {
        if info.woken_while_running && self.is_over_self_wakes(runnable.metadata()) {
            self.defer(Microtask::Task(runnable));
        } else {
            self.push(Microtask::Task(runnable));
        }
    }

    fn is_over_self_wakes(&self, meta: &Meta) -> bool {
        // Asked when the poll has returned, long after the wake.
        match home::said() {
            SelfWake::Yielding => false,
            SelfWake::Deferred => true,
            SelfWake::Plain => {
                let checkpoint = self.checkpoint.get();
                if meta.counted_in.swap(checkpoint, Relaxed) != checkpoint {
                    meta.self_wakes.store(0, Relaxed);
                }
                meta.self_wakes.fetch_add(1, Relaxed) >= SELF_WAKES_PER_CHECKPOINT
            }
        }
    }

    /// Makes the next turn of the task at `place` its last: its future is dropped there.
    pub(super) fn abort(&self, place: usize) {
        let waker = self.living.with(|living| {
            let entry = living.get_mut(place)?;
            if !std::mem::replace(&mut entry.is_aborted, true) {
                self.aborts.set(self.aborts.get() + 1);
            }
            Some(entry.waker.clone())
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Drops all tasks that are left, on the loop's thread. `drop_one` runs one drop and survives its
    /// panic.
    pub(crate) fn drop_tasks(&self, mut drop_one: impl FnMut(&mut dyn FnMut())) {
        self.is_gone.set(true);
        let mut drop_queued = || {
            while let Some(queued) = self.microtasks.pop().or_else(|| self.deferred.pop()) {
                let mut queued = Some(queued);
                drop_one(&mut || drop(queued.take()));
            }
        };
        drop_queued();
        let mut place = 0;
        while let Some(waker) = self.living.with(|living| {
            // The slab does not grow any more: a dead loop's `spawn` drops its future at once.
            place = (place..living.capacity()).find(|place| living.contains(*place))?;
            living.get(place).map(|entry| entry.waker.clone())
        }) {
            // The wake queues the task, and dropping it there drops its future.
            waker.wake();
            drop_queued();
            let left = self.living.with(|living| living.try_remove(place));
            drop(left);
        }
    }
}

/// Makes a task of `future` on `executor`. The task is not queued yet: the `Runnable` is its first
/// poll.
pub(crate) fn spawn<F: Future + 'static>(
    executor: &Rc<Executor>,
    future: F,
) -> (Runnable, JoinHandle<F::Output>) {
    let living = Living::new(executor);
    let place = living.place;
    let (runnable, task) = raw_spawn(place, executor, TaskFuture::new(future, living));
    (runnable, JoinHandle::of_task(task, executor.clone(), place))
}

/// Like [`spawn`], of a callback that waits: what it throws, or a panic of it, is not its task's
/// outcome but an uncaught error, at the place where it was thrown.
pub(super) fn spawn_callback(
    executor: &Rc<Executor>,
    future: impl Future<Output = Result> + 'static,
) -> Runnable {
    let living = Living::new(executor);
    let (runnable, task) = raw_spawn(living.place, executor, CallbackFuture::new(future, living));
    task.detach();
    runnable
}

fn raw_spawn<F: Future + 'static>(
    place: usize,
    executor: &Rc<Executor>,
    future: F,
) -> (Runnable, async_task::Task<F::Output, Meta>) {
    let meta = Meta {
        place: AtomicUsize::new(place),
        self_wakes: AtomicU32::new(0),
        counted_in: AtomicU64::new(0),
    };
    let loop_id = executor.loop_id;
    let schedule = WithInfo(move |runnable, info| schedule(loop_id, runnable, info));
    let (runnable, task) =
        async_task::Builder::new().metadata(meta).spawn_local(move |_| future, schedule);
    let waker = runnable.waker();
    let placeholder = executor.living.with(|living| {
        living.get_mut(place).map(|entry| std::mem::replace(&mut entry.waker, waker))
    });
    drop(placeholder);
    (runnable, task)
}

/// Where a woken task goes. It is called by wakers, on any thread, at any time.
fn schedule(loop_id: u64, runnable: Runnable, info: ScheduleInfo) {
    match home::executor(loop_id) {
        Some(executor) => executor.schedule(runnable, info),
        None => {
            if let Err(refused) = mail::send(loop_id, Mail::Wake(runnable)) {
                // The loop is gone, and a local task that is dropped on a foreign thread aborts
                // the process. What teardown did not reach is leaked.
                std::mem::forget(refused);
            }
        }
    }
}

/// A task's entry among the living; dropped with its future.
#[derive(Debug)]
pub(super) struct Living {
    pub(super) executor: Rc<Executor>,
    place: usize,
}

impl Living {
    fn new(executor: &Rc<Executor>) -> Self {
        let entry = Entry { waker: Waker::noop().clone(), is_aborted: false };
        let place = executor.living.with(|living| living.insert(entry));
        Self { executor: executor.clone(), place }
    }

    pub(super) fn report_panic(&self, payload: Box<dyn Any + Send>) {
        self.executor.report(Uncaught::Panic(payload));
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let executor = &self.executor;
        let entry = executor.living.with(|living| living.try_remove(self.place));
        if entry.as_ref().is_some_and(|entry| entry.is_aborted) {
            executor.aborts.set(executor.aborts.get() - 1);
        }
        drop(entry);
    }
}
