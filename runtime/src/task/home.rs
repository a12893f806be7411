//! Which loop is this thread's current one, as a waker asks it.
//!
//! Two cells: the loop's id, and its executor, which is looked up only when the id is right. Neither
//! has a destructor, so both can be asked while a thread ends and drops a loop that it kept.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::Executor;
use crate::base::Guarded;

thread_local! {
    static ID: Cell<u64> = const { Cell::new(NOWHERE) };
    static EXECUTOR: Guarded<ManuallyDrop<Option<Rc<Executor>>>> =
        const { Guarded::new(ManuallyDrop::new(None)) };
}

/// The id of no loop.
pub(super) const NOWHERE: u64 = 0;

/// Makes `executor` the current one; gives the one that was.
pub(crate) fn replace(executor: Option<Rc<Executor>>) -> Option<Rc<Executor>> {
    // Tasks rely on it (see `raw`): nothing else sets the id, so it is that of an executor of this thread.
    ID.set(executor.as_ref().map_or(NOWHERE, |executor| executor.loop_id()));
    EXECUTOR.with(|current| current.with(|current| std::mem::replace(&mut **current, executor)))
}

/// Whether the loop `id` is the current one. Then this is its thread.
#[inline]
pub(super) fn is_current(id: u64) -> bool {
    ID.get() == id
}

/// The executor of the loop `id`, if that is the current one.
pub(super) fn executor(id: u64) -> Option<Rc<Executor>> {
    if !is_current(id) {
        return None;
    }
    EXECUTOR.with(|current| current.with(|current| (**current).clone()))
}
