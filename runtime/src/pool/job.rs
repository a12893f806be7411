//! A job: a closure that is run by a worker or taken back by its ticket, whoever comes first.
//!
//! ```text
//!            ┌─ taken by a worker: runs ──────────┐
//!  [ Some ] ─┤                                    ├─▶ [ None ] for ever
//!            └─ taken by its ticket: is dropped ──┘
//! ```
//!
//! Closure and state share one allocation, and a job may stay in the queue after it became empty.

use std::{
    mem,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use parking_lot::Mutex;

/// What the queue and the ticket know of a job.
pub(super) trait Job: Send + Sync {
    /// Runs the closure, unless it is gone. Never unwinds.
    fn run(&self);

    /// Drops the closure, unless it is gone; true if this call was the one.
    fn cancel(&self) -> bool;

    /// Whether the closure is gone, so that nothing is left to run.
    fn is_gone(&self) -> bool;
}

/// A closure and the right to take it. The lock is held for the taking only, never while the
/// closure runs or drops.
pub(super) struct Slot<F> {
    work: Mutex<Option<F>>,
}

impl<F: FnOnce() + Send> Slot<F> {
    pub(super) fn new(work: F) -> Slot<F> {
        Slot { work: Mutex::new(Some(work)) }
    }

    fn take(&self) -> Option<F> {
        self.work.lock().take()
    }
}

impl<F: FnOnce() + Send> Job for Slot<F> {
    fn run(&self) {
        let Some(work) = self.take() else { return };
        // Who submits reports panics from inside `work`; one that arrives here must not end the
        // worker, and that is all.
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(work)) {
            // The payload is a value of the user's too and may panic when dropped, as may the
            // payload of that panic: that one leaks.
            if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(another);
            }
        }
    }

    fn cancel(&self) -> bool {
        self.take().is_some()
    }

    fn is_gone(&self) -> bool {
        // Asked under the lock of the queue, so without waiting: a slot in use can be asked again.
        self.work.try_lock().is_some_and(|work| work.is_none())
    }
}

/// A job that was submitted. Dropping it changes nothing.
pub(crate) struct Ticket {
    job: Arc<dyn Job>,
}

impl Ticket {
    pub(super) fn new(job: Arc<dyn Job>) -> Ticket {
        Ticket { job }
    }

    /// Takes the job back: true if it had not started, and then it never will.
    ///
    /// Its closure is dropped here, on this thread and with no lock held; a panic of that drop
    /// comes out of this call. False for a job that runs, ran or was cancelled before.
    pub(crate) fn cancel(&self) -> bool {
        self.job.cancel()
    }
}
