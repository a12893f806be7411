//! The budget of one poll: 128 operations of this crate's own futures, as tokio.
//!
//! A task whose reads are always ready would otherwise never let go of the loop. When the budget
//! is gone the next operation wakes its task and returns `Pending`; the task goes on at the end of
//! the next poll phase.

use std::cell::Cell;
use std::task::{Context, Poll};

use super::home;

const OPERATIONS_PER_POLL: u32 = 128;

/// Between polls: nothing limits a future that somebody else polls, such as another executor.
const UNLIMITED: u32 = u32::MAX;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(UNLIMITED) };
}

/// Gives the poll that begins now its budget, and what it interrupts (a `spawn_eager` inside of
/// another task's poll) the rest of its own back at the end.
pub(super) fn with_full_budget<R>(poll: impl FnOnce() -> R) -> R {
    struct Restore(u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _restore = Restore(LEFT.replace(OPERATIONS_PER_POLL));
    poll()
}

/// Asked by a leaf future before it does its operation: `Pending` if the budget is gone, and then
/// the task is deferred.
#[inline]
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    match LEFT.get() {
        0 => {
            home::wake_deferred(cx.waker());
            Poll::Pending
        }
        UNLIMITED => Poll::Ready(()),
        left => {
            LEFT.set(left - 1);
            Poll::Ready(())
        }
    }
}

/// Gives an operation back that turned out to wait: only progress is counted.
#[inline]
pub(crate) fn made_no_progress() {
    let left = LEFT.get();
    if left != UNLIMITED {
        LEFT.set((left + 1).min(OPERATIONS_PER_POLL));
    }
}
