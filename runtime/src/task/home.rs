//! Which loop is this thread's current one, as a waker asks it.
//!
//! Two cells: the loop's id, which has no destructor and so can be asked while a thread ends, and
//! its executor, which is looked up only when the id is right.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use super::Executor;
use crate::base::Guarded;

thread_local! {
    static ID: Cell<u64> = const { Cell::new(NOWHERE) };
    static EXECUTOR: Guarded<Option<Rc<Executor>>> = const { Guarded::new(None) };
}

/// The id of no loop.
const NOWHERE: u64 = 0;

/// Makes `executor` the current one; gives the one that was.
pub(crate) fn replace(executor: Option<Rc<Executor>>) -> Option<Rc<Executor>> {
    ID.set(executor.as_ref().map_or(NOWHERE, |executor| executor.loop_id()));
    EXECUTOR.with(|current| current.with(|current| std::mem::replace(current, executor)))
}

/// The executor of the loop `id`, if that is the current one.
pub(super) fn executor(id: u64) -> Option<Rc<Executor>> {
    if ID.get() != id {
        return None;
    }
    // Gone while the thread ends: then no loop is at home here any more.
    EXECUTOR.try_with(|current| current.with(|current| current.clone())).ok().flatten()
}

/// Wakes through `waker` in such a way that the task waits for the end of the next poll phase.
pub(super) fn wake_deferred(waker: &Waker) {
    wake_as(waker, SelfWake::Deferred);
}

/// Wakes through `waker` without counting it among the task's plain wakes of itself.
pub(super) fn wake_yielding(waker: &Waker) {
    wake_as(waker, SelfWake::Yielding);
}

/// What a task means by waking itself during its poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SelfWake {
    /// It did not say: a foreign `yield_now`, `join!`, `FuturesUnordered`. Counted.
    #[default]
    Plain,
    /// `yield_microtask`: one turn, as often as it likes.
    Yielding,
    /// It used up its budget.
    Deferred,
}

thread_local! {
    static SELF_WAKE: Cell<SelfWake> = const { Cell::new(SelfWake::Plain) };
}

fn wake_as(waker: &Waker, meaning: SelfWake) {
    struct Restore(SelfWake);
    impl Drop for Restore {
        fn drop(&mut self) {
            SELF_WAKE.set(self.0);
        }
    }
    let _restore = Restore(SELF_WAKE.replace(meaning));
    waker.wake_by_ref();
}

/// What the wake that goes on just now means.
#[inline]
pub(super) fn self_wake() -> SelfWake {
    SELF_WAKE.get()
}
