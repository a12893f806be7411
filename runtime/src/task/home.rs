//! Which loop is this thread's current one, as a waker asks it.
//!
//! Two cells: the loop's id, and its executor, which is looked up only when the id is right. Neither
//! has a destructor, so both can be asked while a thread ends and drops a loop that it kept.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;

use super::Executor;
use crate::base::Guarded;

thread_local! {
    static ID: Cell<u64> = const { Cell::new(NOWHERE) };
    static EXECUTOR: Guarded<ManuallyDrop<Option<Rc<Executor>>>> =
        const { Guarded::new(ManuallyDrop::new(None)) };
}

/// The id of no loop.
const NOWHERE: u64 = 0;

/// Makes `executor` the current one; gives the one that was.
pub(crate) fn replace(executor: Option<Rc<Executor>>) -> Option<Rc<Executor>> {
    ID.set(executor.as_ref().map_or(NOWHERE, |executor| executor.loop_id()));
    EXECUTOR.with(|current| current.with(|current| std::mem::replace(&mut **current, executor)))
}

/// The executor of the loop `id`, if that is the current one.
pub(super) fn executor(id: u64) -> Option<Rc<Executor>> {
    if ID.get() != id {
        return None;
    }
    EXECUTOR.with(|current| current.with(|current| (**current).clone()))
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
    /// What a task said in the poll that goes on just now: it is queued again only when that returns.
    static SAID: Cell<SelfWake> = const { Cell::new(SelfWake::Plain) };
}

fn wake_as(waker: &Waker, meaning: SelfWake) {
    struct Restore(SelfWake);
    impl Drop for Restore {
        fn drop(&mut self) {
            SELF_WAKE.set(self.0);
        }
    }
    let _restore = Restore(SELF_WAKE.replace(meaning));
    if SAID.get() != SelfWake::Deferred {
        SAID.set(meaning);
    }
    waker.wake_by_ref();
}

/// Lets the poll of a task, and the scheduling behind it, see what was said in it and not what was said
/// in the poll that it interrupts.
#[inline]
pub(super) fn with_own_wakes<R>(poll: impl FnOnce() -> R) -> R {
    struct Restore(SelfWake);
    impl Drop for Restore {
        fn drop(&mut self) {
            SAID.set(self.0);
        }
    }
    let _restore = Restore(SAID.replace(SelfWake::Plain));
    poll()
}

/// What the task whose poll has just returned meant by waking itself.
#[inline]
pub(super) fn said() -> SelfWake {
    SAID.get()
}

/// What the wake that goes on just now means.
#[inline]
pub(super) fn self_wake() -> SelfWake {
    SELF_WAKE.get()
}
