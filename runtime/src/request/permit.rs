//! Room in a pool's queue: who asks first, and waits if there is none.

use std::error::Error;
use std::fmt;
use std::io;

use super::Request;
use crate::error::QueueFull;
use crate::event_loop::{Carried, current};
use crate::pool::{Lane, Pool};
use crate::task::JoinHandle;

/// Room for one job in the queue of a [`Pool`], held until it is used or dropped.
///
/// It comes from [`Pool::reserve`] and [`Pool::try_reserve`]. What is dropped unused is the room of the next
/// who waits.
#[derive(Debug)]
#[must_use = "the room is given back when this is dropped"]
pub struct PoolPermit {
    pool: Pool,
}

impl PoolPermit {
    /// Puts a job there: see [`Pool::spawn_blocking`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        // The job stands there before the room is let go: no other slips in between.
        self.pool.spawn_blocking(job)
    }

    /// Puts a job there that nobody waits for: see [`Pool::execute`].
    ///
    /// # Errors
    /// Those of [`Pool::execute`].
    pub fn execute(self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.pool.execute(job)
    }
}

impl Drop for PoolPermit {
    fn drop(&mut self) {
        self.pool.give_room_back();
    }
}

/// A job that [`Pool::try_spawn_blocking`] had no room for.
pub struct PoolFull<F>(F);

impl<F> PoolFull<F> {
    /// The job, as it was given.
    pub fn into_job(self) -> F {
        self.0
    }
}

impl<F> fmt::Debug for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolFull(..)")
    }
}

impl<F> fmt::Display for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool's queue is full: as many jobs wait as may")
    }
}

impl<F> Error for PoolFull<F> {}

/// As [`QueueFull`]; the job is dropped.
impl<F> From<PoolFull<F>> for io::Error {
    fn from(_full: PoolFull<F>) -> Self {
        QueueFull.into()
    }
}

impl Pool {
    /// As [`spawn_blocking`](Self::spawn_blocking), if as few jobs wait as
    /// [the limit](Self::set_queue_limit) says. Without a limit there is always room.
    ///
    /// # Errors
    /// [`PoolFull`], with the job in it, if there is no room, or others wait for it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::Pool;
    ///
    /// #[runtime::main]
    /// async fn main() -> runtime::Result {
    ///     let pool = Pool::new(1);
    ///     pool.set_queue_limit(0);
    ///     let first = pool.try_spawn_blocking(|| 1).unwrap();
    ///     let job = match pool.try_spawn_blocking(|| 2) {
    ///         Ok(second) => second, // the first is done already
    ///         Err(full) => pool.reserve().await?.spawn_blocking(full.into_job()),
    ///     };
    ///     assert_eq!((first.await?, job.await?), (1, 2));
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn try_spawn_blocking<T, F>(&self, job: F) -> Result<JoinHandle<T>, PoolFull<F>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match self.try_reserve() {
            Some(permit) => Ok(permit.spawn_blocking(job)),
            None => Err(PoolFull(job)),
        }
    }

    /// Room for a job, if there is some now and nobody waits for it. From any thread.
    pub fn try_reserve(&self) -> Option<PoolPermit> {
        self.take_room().then(|| PoolPermit { pool: self.clone() })
    }

    /// Waits for room: as soon as no more jobs wait than [the limit](Self::set_queue_limit) allows, the
    /// request has the permit to queue one more. All who wait get theirs in the order of their calls, on
    /// whatever loops.
    ///
    /// # Ordering
    /// Where there is room at once, the request is done at once. Else it ends in the poll phase, as a job
    /// does. It keeps the loop alive.
    ///
    /// # Errors
    /// [`Cancelled`](crate::Cancelled), after [`cancel`](Request::cancel), which ends a wait at any time;
    /// [`LoopGone`](crate::LoopGone).
    ///
    /// # Cancel safety
    /// Who drops the request leaves the line. Room that was given already, and not taken yet, is the next
    /// one's.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::{JoinHandle, Pool};
    ///
    /// #[runtime::main]
    /// async fn main() -> runtime::Result {
    ///     let pool = Pool::new(2);
    ///     pool.set_queue_limit(8); // a million jobs, and never more than ten of them in memory
    ///     for n in 0..1000 {
    ///         let permit = pool.reserve().await?;
    ///         permit.spawn_blocking(move || n * n).callback(|_square| ());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    #[must_use = "the room is given back when the request is dropped"]
    pub fn reserve(&self) -> Request<PoolPermit> {
        let (lp, pool) = (current(), self.clone());
        if let Some(permit) = self.try_reserve() {
            return Request::done(Ok(permit));
        }
        let wait = |pool: &Pool, job| Ok(pool.wait_for_room(job));
        // The room is reserved when this is run.
        let granted = move || io::Result::Ok(PoolPermit { pool });
        let key =
            lp.state().submit_by(Lane::Cpu, Carried::IfWanted, None, granted, Some(self), wait);
        Request::of_job(lp.state().clone(), key)
    }
}

const _: fn() = || {
    fn is_send<T: Send + Sync>() {}
    is_send::<PoolPermit>();
};
