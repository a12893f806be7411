//! Blocking threads: where work waits that a loop may not wait for.
//!
//! ```text
//!  submit(lane, closure)
//!        │  Fast, Cpu                                  ┌─ worker 0 ─┐
//!        ├─────────────▶ [ job job TURN job job ] ──▶  │ take one,  │ run, look again; asleep
//!        │  Slow             ▲ one at a time           │ unlock     │ when nothing may run
//!        └─────────────▶ [ job job job ]               └─ worker n ─┘
//!  Ticket::cancel ╌╌╌▶ takes the closure out; the empty job is skipped later
//! ```
//!
//! One lock guards the lanes and the count of who sleeps; no job runs and no closure is dropped
//! under it. The closure of a job lies behind a lock of its own: whoever takes it first, worker or
//! ticket, decides what becomes of the job, so cancelling costs the same with one job queued and
//! with a hundred thousand.
//!
//! - Jobs of one lane start in the order of their submission; so do `Fast` and `Cpu` jobs among
//!   each other.
//! - `Slow` jobs hold at most half of the threads, rounded up, as in libuv.
//! - A thread starts only when a job finds none free. A sleeping worker is woken only if no other
//!   is on its way, and wakes the next if it leaves work behind, so a burst costs the submitter one
//!   wake-up (128 empty jobs at a time: 0.3 us each; 0.8 to 2.2 us with a wake-up for every job).
//! - A worker takes one job at a time. Shares of up to 16 were no faster while jobs are submitted
//!   one by one (171 for 178 ns a job with 1,000 in flight, 206 for 182 with 200,000), and the jobs
//!   of a share wait for one another: one that opens a FIFO would keep the one that opens its other
//!   end from ever running.
//!
//! The pool knows no loop: what a job answers, and to whom, is up to its closure.

mod job;
mod lanes;
mod size;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    io,
    sync::{Arc, OnceLock},
};

pub(crate) use job::Ticket;
pub(crate) use lanes::Lane;

use job::Slot;
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

    /// Queues `work` behind what its lane already holds.
    ///
    /// A panic of `work` ends here and is not reported: whoever wants to know of it catches it in
    /// `work`.
    ///
    /// # Errors
    /// The system refused a thread and the pool has none yet: `work` was dropped and will not run.
    /// A pool that has some goes on with those.
    pub(crate) fn submit(
        &self,
        lane: Lane,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<Ticket> {
        let job = Arc::new(Slot::new(work));
        self.owner.crew.submit(lane, job.clone())?;
        Ok(Ticket::new(job))
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
