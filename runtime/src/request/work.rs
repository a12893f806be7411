//! Work for the pool: a job there, its answer here.

use std::io;
use std::rc::Rc;

use super::Request;
use crate::event_loop::{Carried, current};
use crate::pool::{Lane, Steps};
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

/// Runs `job` on a thread of the pool: work that takes long or blocks.
///
/// The pool has 4 threads, or as many as `UV_THREADPOOL_SIZE` says (1 to 1,024), is shared by all loops
/// of the process, and is made at first use. A job that waits its turn can be ended by
/// [`JoinHandle::abort`]; one that runs can't. A job whose handle is dropped is carried out, and keeps
/// the loop alive until it is done.
///
/// # Ordering
/// Jobs begin in the order they were submitted. The result comes in the poll phase, results in the
/// order the jobs were done, each followed by a checkpoint.
///
/// # Errors
/// A panic of the job is the handle's [`JoinError::Panicked`](crate::JoinError::Panicked); the thread lives on.
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
