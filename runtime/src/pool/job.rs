//! A job: a closure on its way to a thread, its result on its way back.
//!
//! ```text
//!   line of the pool         worker              home
//!   [ Queued(closure) ] ──▶  run  ──▶ [ Done(result) ] ──▶ take
//!            └──── taken back: dropped by who cancelled it
//! ```
//!
//! A job is one allocation and has one owner at a time, so nothing of it is locked or counted: four
//! threads and a loop that share a count spend more time on its cache line than on the job.

use std::any::Any;
use std::mem::{forget, replace};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::base::Key;

/// A closure, and later its result, of whatever types.
pub(crate) trait Job: Send {
    /// Runs the closure. Never unwinds: a panic is its result.
    fn run(&mut self);

    /// Who gets it when it is done: a number that is no other home's, ever.
    fn address(&self) -> u64;

    /// Who is at the address, if anybody still is.
    fn find_home(&self) -> Option<Arc<dyn Home>>;

    /// What its home calls it.
    fn key(&self) -> Key;

    /// The payload of the closure's panic, if it panicked.
    fn take_panic(&mut self) -> Option<Box<dyn Any + Send>>;

    /// Moves the result to `to`, which is an `Option<thread::Result<T>>`.
    fn give(&mut self, to: &mut dyn Any);
}

/// Names a home. Jobs have the address and not the home: a count of all that hold it would change for
/// each job.
pub(crate) trait Address: Send + 'static {
    fn number(&self) -> u64;
    fn find(&self) -> Option<Arc<dyn Home>>;
}

/// Where the jobs go that nobody waits for.
pub(super) struct Nowhere;

impl Address for Nowhere {
    fn number(&self) -> u64 {
        0
    }

    fn find(&self) -> Option<Arc<dyn Home>> {
        None
    }
}

/// Where jobs go when they are done.
pub(crate) trait Home: Send + Sync {
    /// Called by the worker. The job comes back if nobody is at home. Else it says what it made of `telling`:
    /// after `Together` it is owed a [`tell`](Self::tell).
    fn done(&self, job: Box<dyn Job>, telling: Telling) -> Result<Telling, Box<dyn Job>>;

    /// Says that jobs are here which it was not told of.
    fn tell(&self);
}

/// When a home is told of a job that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Now,
    /// With some more, if it can wait for a moment, and looks by itself if that becomes long: the next job may
    /// take any time.
    Together,
}

/// Makes a job of `work`.
pub(crate) fn job<T: Send + 'static>(
    address: impl Address,
    key: Key,
    work: impl FnOnce() -> T + Send + 'static,
) -> Box<dyn Job> {
    Box::new(Record { stage: Stage::Queued(work), key, address })
}

/// The result of a job that is done; a payload is the panic of its closure.
#[inline]
pub(crate) fn result<T: 'static>(mut job: Box<dyn Job>) -> thread::Result<T> {
    let mut result: Option<thread::Result<T>> = None;
    job.give(&mut result);
    result.expect("who asks for the result knows its type, and asks once")
}

struct Record<F, T, A> {
    stage: Stage<F, T>,
    key: Key,
    address: A,
}

enum Stage<F, T> {
    Queued(F),
    Done(thread::Result<T>),
    Gone,
}

impl<F, T, A> Job for Record<F, T, A>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    A: Address,
{
    fn run(&mut self) {
        if let Stage::Queued(work) = replace(&mut self.stage, Stage::Gone) {
            self.stage = Stage::Done(catch_unwind(AssertUnwindSafe(work)));
        }
    }

    fn address(&self) -> u64 {
        self.address.number()
    }

    fn find_home(&self) -> Option<Arc<dyn Home>> {
        self.address.find()
    }

    fn key(&self) -> Key {
        self.key
    }

    fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        match replace(&mut self.stage, Stage::Gone) {
            Stage::Done(Err(payload)) => Some(payload),
            other => {
                self.stage = other;
                None
            }
        }
    }

    fn give(&mut self, to: &mut dyn Any) {
        if let Some(to) = to.downcast_mut::<Option<thread::Result<T>>>()
            && let Stage::Done(result) = replace(&mut self.stage, Stage::Gone)
        {
            *to = Some(result);
        }
    }
}

/// Drops a job that nobody is at home for. Its result is a value of the user's and may panic when
/// dropped, as may the payload of that panic: that one leaks.
pub(super) fn discard(job: Box<dyn Job>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(job)))
        && let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        forget(another);
    }
}
