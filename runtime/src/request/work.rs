//! Work for the pool: a job there, its answer here.

use std::io;
use std::rc::Rc;

use super::Request;
use crate::event_loop::{Carried, current};
use crate::pool::{Lane, Pool, Steps};
use crate::task::JoinHandle;
use crate::task::job::JobHandle;

/// Carries out `job` in the pool.
#[track_caller]
pub(crate) fn on_pool<T: Send + 'static>(
    lane: Lane,
    carried: Carried,
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Request<T> {
    let lp = current();
    let key = lp.state().submit(lane, carried, job);
    Request::of_job(lp.state().clone(), key)
}

/// Carries out a `job` of many steps in the pool, which can be ended between two of them.
#[track_caller]
pub(crate) fn on_pool_in_steps<T: Send + 'static>(
    lane: Lane,
    carried: Carried,
    job: impl FnOnce(&Steps) -> io::Result<T> + Send + 'static,
) -> Request<T> {
    let (lp, steps) = (current(), Steps::default());
    let its = steps.clone();
    let key = lp.state().submit_in_steps(lane, carried, Some(steps), move || job(&its));
    Request::of_job(lp.state().clone(), key)
}

/// Runs `job` on a thread of the loop's pool: work that takes long or blocks.
///
/// That is the pool of the process, which has 4 threads, or as many as `UV_THREADPOOL_SIZE` says (1 to
/// 1,024), unless the loop was [given](crate::Builder::pool) another. A job that waits its turn can be
/// ended by [`JoinHandle::abort`]; one that runs can't, unless it looks at a
/// [flag](crate::sync::AbortFlag). A job whose handle is dropped is carried out, and keeps the loop alive
/// until it is done; with [`JoinHandle::abort_on_drop`] it is ended if it waits.
///
/// # Ordering
/// Jobs begin in the order they were submitted, behind [files and names](Pool#ordering) that wait. The
/// result comes in the poll phase, results in the order the jobs were done, each followed by a checkpoint.
///
/// # Errors
/// A panic of the job is the handle's [`JoinError::Panicked`](crate::JoinError::Panicked); the thread lives
/// on. So does a text that says why, if the system refuses the pool its first thread.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let sum = runtime::spawn_blocking(|| (0..1_000_000u64).sum::<u64>()).await?;
///     println!("{sum}");
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let lp = current();
    let key = lp.state().submit(Lane::Cpu, Carried::Out, job);
    let owner: Rc<_> = lp.state().clone();
    JoinHandle::of_job(JobHandle::new(owner, key))
}

impl Pool {
    /// As [`spawn_blocking`](crate::spawn_blocking), on a thread of this pool: the result comes home to the
    /// current loop, which the job keeps alive.
    ///
    /// # Panics
    /// If this thread has no current loop. [`execute`](Self::execute) needs none.
    ///
    /// # Examples
    /// ```
    /// use runtime::Pool;
    ///
    /// #[runtime::main]
    /// async fn main() -> runtime::Result {
    ///     let computing = Pool::new(2); // files keep theirs
    ///     computing.spawn_blocking(|| 6 * 7).callback(|answer| println!("{}", answer.unwrap()));
    ///     assert_eq!(computing.spawn_blocking(|| "done").await?, "done");
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let lp = current();
        let send = |pool: &Pool, job| pool.submit(Lane::Cpu, job);
        let key = lp.state().submit_by(Lane::Cpu, Carried::Out, None, job, Some(self), send);
        let owner: Rc<_> = lp.state().clone();
        JoinHandle::of_job(JobHandle::new(owner, key))
    }
}
