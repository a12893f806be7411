//! Blocking threads: where work waits that a loop may not wait for.
//!
//! ```text
//!  submit(lane, job)
//!        │  Fast, Cpu                               front      ┌─ worker 0 ─┐
//!        ├──────────▶ back [ job job TURN job ] ──▶ [ job ] ─▶ │ take one,  │ run, bring it home, look
//!        │  Slow                 ▲ one at a time               │ unlock     │ again; asleep when nothing
//!        └──────────▶ [ job job job ]                          └─ worker n ─┘ may run
//!  cancel(ticket) ╌╌╌▶ takes the job out of wherever it waits
//! ```
//!
//! Two locks guard the lanes, one for who submits and one for who works; no job runs and none is
//! dropped under them. A job is owned by where it is, so there is no state in it to race for: who takes
//! it out of its line decides what becomes of it.
//!
//! - Jobs of one lane start in the order of their submission; so do `Fast` and `Cpu` jobs among
//!   each other.
//! - `Slow` jobs hold at most half of the threads, rounded up, as in libuv.
//! - A thread starts only when a job finds none free. A sleeping worker is woken only if no other
//!   is on its way, and wakes the next if it leaves work behind, so a burst costs the submitter one
//!   wake-up (128 empty jobs at a time: 0.3 us each; 0.8 to 2.2 us with a wake-up for every job).
//! - Who has nothing to do any more lingers for some 10 us before it sleeps, one worker at a time.
//! - A worker takes one job at a time. The jobs of a share would wait for one another: one that opens
//!   a FIFO would keep the one that opens its other end from ever running. That all lie within reach of
//!   all is why the lanes have a front, and not each worker a share.
//! - A job that is done goes home at once, by itself: nobody knows how long the next one takes.
//!
//! The pool knows no loop: what a job answers, and to whom, is up to its home.

mod job;
mod lanes;
mod line;
mod size;
mod steps;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::{Arc, OnceLock};

pub(crate) use job::{Address, Home, Job, job, result};
pub(crate) use lanes::{Lane, Ticket};
pub(crate) use steps::Steps;
pub(crate) use worker::Refused;

use worker::Crew;

/// A pool of blocking threads. The handle is cheap to clone; the threads of a pool that is not
/// shared end with the last one, as soon as nothing is queued.
#[derive(Clone)]
pub(crate) struct Pool {
    owner: Arc<Owner>,
}

impl Pool {
    /// The pool of the process, made at the first call, of `UV_THREADPOOL_SIZE` threads (4).
    ///
    /// Its threads never end and never keep the process from ending.
    pub(crate) fn shared() -> Pool {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        SHARED.get_or_init(|| Pool::new(size::from_environment())).clone()
    }

    /// A pool of its own of at most `threads` threads; less than 1 becomes 1, more than 1024
    /// becomes 1024.
    pub(crate) fn new(threads: usize) -> Pool {
        let crew = Arc::new(Crew::new(threads.clamp(1, size::MAX)));
        Pool { owner: Arc::new(Owner { crew }) }
    }

    /// Queues `job` behind what its lane already holds.
    ///
    /// # Errors
    /// The system refused a thread and the pool has none yet: the job comes back, for the caller to
    /// drop. A pool that has some goes on with those.
    pub(crate) fn submit(&self, lane: Lane, job: Box<dyn Job>) -> Result<Ticket, Refused> {
        self.owner.crew.submit(lane, job)
    }

    /// Takes a job back, if it had not started; then it never will. The caller drops it.
    pub(crate) fn cancel(&self, ticket: Ticket) -> Option<Box<dyn Job>> {
        self.owner.crew.cancel(ticket)
    }

    /// How many threads the pool may have; fewer may be running yet.
    #[cfg(test)]
    pub(crate) fn threads(&self) -> usize {
        self.owner.crew.size()
    }
}

/// What the handles share and the workers do not: it goes when the last handle goes.
struct Owner {
    crew: Arc<Crew>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.crew.close();
    }
}

const _: fn() = || {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Pool>();
    send_and_sync::<Ticket>();
};
