//! What keeps a loop running.

use std::cell::Cell;
use std::rc::Rc;

use super::{Carried, State};

/// The counts. Queues that count as well (pending, closing, mail) are asked themselves.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// Handles that are active and referenced.
    pub(crate) handles: Cell<usize>,
    /// Handles that are active and not referenced: they keep nothing alive, but may wake a main
    /// future that waits.
    pub(crate) unref_handles: Cell<usize>,
    /// Of `handles`, those that wait for no more than the time or the loop itself (timers, idle,
    /// prepare, check, files that are looked at): a manual clock jumps if there is nothing else.
    pub(crate) waiting_for_nothing: Cell<usize>,
    /// Requests in flight.
    pub(crate) requests: Cell<usize>,
    /// Jobs that are done for handles. Only a manual clock waits for them.
    pub(crate) handle_jobs: Cell<usize>,
    pub(crate) main: Cell<Main>,
}

impl Liveness {
    /// Where a job counts that somebody wants.
    pub(super) fn jobs(&self, carried: Carried) -> &Cell<usize> {
        match carried {
            Carried::Out | Carried::IfWanted => &self.requests,
            Carried::ForHandle => &self.handle_jobs,
        }
    }

    /// Whether something other than the time is waited for.
    pub(super) fn waits_for_more_than_time(&self) -> bool {
        self.handles.get() > self.waiting_for_nothing.get()
            || self.requests.get() > 0
            || self.handle_jobs.get() > 0
    }
}

/// The main future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Main {
    #[default]
    None,
    Unfinished,
    /// Done, and the run ends with it.
    Finished,
}

#[inline]
pub(crate) fn add(count: &Cell<usize>, by: isize) {
    debug_assert!(count.get().checked_add_signed(by).is_some(), "a count of what is alive");
    count.set(count.get().wrapping_add_signed(by));
}

/// A request in flight: it keeps the loop alive until this is dropped or released.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Rc<State>,
    counts: Cell<bool>,
}

impl InFlight {
    pub(crate) fn new(state: &Rc<State>) -> Self {
        add(&state.live.requests, 1);
        Self { state: state.clone(), counts: Cell::new(true) }
    }

    /// Nobody waits for it any more.
    pub(crate) fn release(&self) {
        if self.counts.replace(false) {
            add(&self.state.live.requests, -1);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.release();
    }
}
