//! Blocking threads: where work waits that a loop may not wait for.
//!
//! ```text
//!  submit(lane, job)
//!        │  Fast                                     front      ┌─ worker 0 ─┐
//!        ├─────────▶ back [ job job TURN job ] ──▶ [ job ] ──▶  │ take one,  │ run, bring it home, look
//!        │  Slow                 ▲ one at a time                │ unlock     │ again; asleep when nothing
//!        ├─────────▶ [ job job job ]                            └─ worker n ─┘ may run
//!        │  Cpu                                        ▲ behind the others, but not for ever
//!        └─────────▶ back [ job job job ] ───────▶ [ job ]
//!  cancel(ticket) ╌╌╌▶ takes the job out of wherever it waits
//! ```
//!
//! Two locks guard the lanes, one for who submits and one for who works; no job runs and none is
//! dropped under them. A job is owned by where it is, so there is no state in it to race for: who takes
//! it out of its line decides what becomes of it.
//!
//! - Jobs of one lane start in the order of their submission. `Fast` and `Slow` jobs go before `Cpu` jobs
//!   that wait, up to 64 in a row: see [`lanes`].
//! - `Slow` jobs hold at most half of the threads, rounded up, as in libuv.
//! - A thread starts only when a job finds none free. A sleeping worker is woken only if no other
//!   is on its way, and wakes the next if it leaves work behind, so a burst costs the submitter one
//!   wake-up (128 empty jobs at a time: 0.3 us each; 0.8 to 2.2 us with a wake-up for every job).
//! - Who has nothing to do any more lingers for some 10 us before it sleeps, one worker at a time.
//! - A worker takes one job at a time. The jobs of a share would wait for one another: one that opens
//!   a FIFO would keep the one that opens its other end from ever running. That all lie within reach of
//!   all is why the lanes have a front, and not each worker a share.
//! - A job that is done goes home at once, by itself: nobody knows how long the next one takes. Its home may be told
//!   of it a little later, together with others: see [`courier`].
//!
//! The pool knows no loop: what a job answers, and to whom, is up to its home.

mod courier;
mod grants;
mod job;
mod lanes;
mod line;
mod metrics;
mod room;
mod size;
mod steps;
mod tally;
#[cfg(test)]
mod tests;
mod times;
mod worker;

use std::sync::{Arc, OnceLock};
use std::{fmt, io};

pub(crate) use job::{Address, Home, Job, Telling, job, result};
pub(crate) use lanes::{Lane, Ticket};
pub use metrics::{LaneMetrics, PoolMetrics, Times};
pub(crate) use steps::Steps;
pub(crate) use worker::Refused;

use crate::base::Key;
use job::Nowhere;
use worker::Crew;

/// Threads for what blocks or computes for long, beside the loop.
///
/// A loop has one for its files, names and [`spawn_blocking`](crate::spawn_blocking): that of the process,
/// or the one that [`Builder::pool`](crate::Builder::pool) gave it. Others can be made at will, as one for
/// computations that shall not take threads from files. Pools are cheap to clone and may be sent to other
/// threads; a clone is the same pool.
///
/// | from | to | by |
/// |---|---|---|
/// | a loop | the pool | [`spawn_blocking`](Self::spawn_blocking), [`map`](Self::map); the result comes home by itself |
/// | any thread, a job among them | the pool | [`execute`](Self::execute) |
/// | a job | a loop | [`Remote::post`](crate::Remote::post); for progress the channels of [`sync`](crate::sync) |
///
/// Threads start when jobs need them. Those of a pool that was made by [`new`](Self::new) end with the
/// last clone, as soon as nothing is queued any more: all that was submitted is carried out. Nobody waits
/// for them at the end of the process: a job that never ends does not keep it.
///
/// # Ordering
/// There are three lanes: files, names that are looked up, and the jobs of users. In a lane the jobs begin in
/// the order of their submission, and the first two go before the third: a file does not wait for the
/// computations that were queued before it, only for a thread. So that these go on as well, one of them
/// begins when 64 of the others went before it while it waited, or one name was looked up. Names have half
/// of the threads at most, rounded up. In libuv and Node all stand in one queue.
///
/// Results come home in the order the jobs were done. A loop that sleeps is woken for each; unless a thread goes
/// straight from one job to the next, and jobs are short: then for up to 16 at a time, at most 1 ms late.
///
/// # Examples
/// A job queues another one, and tells its loop:
/// ```
/// use runtime::{Pool, handle::Async};
///
/// #[runtime::main]
/// fn main() {
///     let (pool, remote) = (Pool::new(2), runtime::current().remote());
///     let sender = Async::new(|_| ()).sender(); // the loop runs on while there is one
///     let again = pool.clone();
///     pool.spawn_blocking(move || {
///         again.execute(move || {
///             let sum: u64 = (1..=1000).sum();
///             remote.post(move || println!("{sum}, on the loop's thread")).ok();
///             drop(sender);
///         })
///     })
///     .detach();
/// }
/// ```
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

impl Pool {
    /// The pool of the process, which every loop uses that was not given another. It has as many threads as
    /// the environment's `UV_THREADPOOL_SIZE` says, from 1 to 1,024; without that it has 4, and so it has if
    /// the variable says anything else, with a warning on the standard error.
    ///
    /// Its threads never end.
    pub fn shared() -> Pool {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        SHARED.get_or_init(|| Pool::new(size::from_environment())).clone()
    }

    /// A pool of its own of at most `threads` threads; less than 1 becomes 1, more than 1,024
    /// becomes 1,024. None is started yet.
    pub fn new(threads: usize) -> Pool {
        let crew = Arc::new(Crew::new(threads.clamp(1, size::MAX)));
        Pool { owner: Arc::new(Owner { crew }) }
    }

    /// How many threads the pool may have. How many it has is told by [`metrics`](Self::metrics).
    pub fn threads(&self) -> usize {
        self.owner.crew.size()
    }

    /// Runs `job` on a thread of the pool; nobody waits for it.
    ///
    /// It may be called from any thread, be there a loop or not: a job may queue further work. What it has
    /// to tell a loop it [posts](crate::Remote::post). A loop is neither kept alive by it nor does the end
    /// of one change anything for it.
    ///
    /// A panic of `job` is reported by the panic hook, as that of any thread, and the payload is dropped. The
    /// thread lives on. Who has to know of it catches it in the job, or uses
    /// [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// # Ordering
    /// In the lane of `spawn_blocking`, behind what is queued there. The
    /// [limit](Self::set_queue_limit) of the queue does not stop it.
    ///
    /// # Errors
    /// The system refuses the pool its first thread; `job` is dropped. In a job of the same pool that can't
    /// happen.
    pub fn execute(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let job = self::job(Nowhere, Key::DEAD, job);
        match self.submit(Lane::Cpu, job) {
            Ok(_ticket) => Ok(()),
            Err(Refused { job, error }) => {
                drop(job);
                Err(error)
            }
        }
    }

    /// Bounds how many jobs may wait in the lane of [`spawn_blocking`](Self::spawn_blocking). `None`, which is
    /// how a pool begins, is no bound. With 0 a job has room only if a thread is free for it at once.
    ///
    /// The bound is for who asks: [`try_spawn_blocking`](Self::try_spawn_blocking),
    /// [`try_reserve`](Self::try_reserve) and [`reserve`](Self::reserve). What they let in, and nothing
    /// but, stays within it; `spawn_blocking`, [`map`](Self::map) and [`execute`](Self::execute) count, but are never
    /// refused. Files and names neither count nor are refused.
    ///
    /// A bound that is lower than what waits refuses more until enough of it has begun. One that is raised
    /// gives room at once to those who wait for it.
    pub fn set_queue_limit(&self, limit: impl Into<Option<usize>>) {
        self.owner.crew.set_queue_limit(limit.into());
    }

    /// The bound that was set.
    pub fn queue_limit(&self) -> Option<usize> {
        self.owner.crew.queue_limit()
    }

    /// What the pool does, and what it did.
    ///
    /// Threads go on meanwhile: the numbers fit each other as far as nothing changes. A job whose result is
    /// home is counted as completed.
    pub fn metrics(&self) -> PoolMetrics {
        self.owner.crew.metrics()
    }

    /// Whether the times of jobs are taken that are submitted from now on, for
    /// [`metrics`](Self::metrics). Off at first: of a stream of empty jobs it takes a third (2.0 million a
    /// second in place of 3.0), which is some 160 ns a job.
    pub fn record_times(&self, on: bool) {
        self.owner.crew.record_times(on);
    }

    /// Queues `job` behind what its lane already holds.
    ///
    /// # Errors
    /// The system refused a thread and the pool has none yet: the job comes back, for the caller to
    /// drop. A pool that has some goes on with those.
    #[inline]
    pub(crate) fn submit(&self, lane: Lane, job: Box<dyn Job>) -> Result<Ticket, Refused> {
        self.owner.crew.submit(lane, job)
    }

    /// Takes a job back, if it had not started; then it never will. The caller drops it.
    pub(crate) fn cancel(&self, ticket: Ticket) -> Option<Box<dyn Job>> {
        self.owner.crew.cancel(ticket)
    }

    /// Room for one job, if there is some; it is owed back.
    pub(crate) fn take_room(&self) -> bool {
        self.owner.crew.try_reserve()
    }

    /// Lets `job` wait until there is room, which is reserved then, behind all who wait already. It is not
    /// for a worker: who makes the room runs it, and brings it home.
    pub(crate) fn wait_for_room(&self, job: Box<dyn Job>) -> Ticket {
        self.owner.crew.wait_for_room(job)
    }

    /// Gives reserved room back, or says that a job which is queued by now stands there.
    pub(crate) fn give_room_back(&self) {
        self.owner.crew.release();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

/// Two are equal if they are the same pool.
impl PartialEq for Pool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.owner, &other.owner)
    }
}

impl Eq for Pool {}

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
