//! `JoinHandle`: how a task or pool job gives its result.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem::{ManuallyDrop, replace};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::aborter::Aborter;
use super::executor::{self, Executor, Microtask, Woken};
use super::job::JobHandle;
use super::raw::Join;
use super::stage::Outcome as Ended;
use crate::error::{JoinError, Outcome, Uncaught};

/// The result of a spawned task, or of a job in the pool, to come.
///
/// Await it, or give it a callback. Dropping it detaches the task, which goes on; a panic that nobody
/// can see any more then goes to [`on_unhandled`](crate::on_unhandled). To end the task with the
/// handle, see [`abort_on_drop`](Self::abort_on_drop).
///
/// # Cancel safety
/// Awaiting it by `&mut` loses nothing: it may be awaited again.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let answer = runtime::spawn(async { 6 * 7 });
///     assert_eq!(answer.await?, 42);
///     Ok(())
/// }
/// ```
pub struct JoinHandle<T> {
    /// Taken out by the drop, so that nothing is left to be asked what it is.
    hold: ManuallyDrop<Hold<T>>,
    aborts_on_drop: bool,
}

/// What a handle has. Few are tied to anything, and the others pay nothing for it.
enum Hold<T> {
    Task(Join<T>),
    Job(Job<T>),
    Tied(Box<Tied<T>>),
    /// By a method that consumes the handle, or by its drop.
    Taken,
}

type Job<T> = JobHandle<Result<T, JoinError>>;

struct Tied<T> {
    /// A task or a job.
    to: Hold<T>,
    /// What is dropped when the result was given out, or the handle goes.
    tie: Option<Box<dyn Any>>,
}

impl<T> Hold<T> {
    fn untied(&self) -> &Self {
        if let Self::Tied(tied) = self { &tied.to } else { self }
    }
}

const TAKEN: &str = "taken only by what consumes the handle";

impl<T> JoinHandle<T> {
    #[inline]
    fn new(hold: Hold<T>) -> Self {
        Self { hold: ManuallyDrop::new(hold), aborts_on_drop: false }
    }

    #[inline]
    pub(crate) fn of_task(task: Join<T>) -> Self {
        Self::new(Hold::Task(task))
    }

    pub(crate) fn of_job(job: Job<T>) -> Self {
        Self::new(Hold::Job(job))
    }

    #[inline]
    fn take_hold(&mut self) -> Hold<T> {
        replace(&mut self.hold, Hold::Taken)
    }

    /// Takes out what it has: for methods that consume the handle.
    fn take(&mut self) -> (Hold<T>, Option<Box<dyn Any>>) {
        match self.take_hold() {
            Hold::Tied(tied) => (tied.to, tied.tie),
            hold => (hold, None),
        }
    }

    /// Ends the task: its future is dropped at its next turn, a microtask, and the result is
    /// [`JoinError::Cancelled`]. Of a job in the pool only one that has not begun can be ended.
    ///
    /// A task that is done is done: then this does nothing.
    pub fn abort(&self) {
        self.hold.abort();
    }

    /// What aborts it as well.
    pub(crate) fn aborter(&self) -> Aborter {
        match self.hold.untied() {
            Hold::Task(task) => Aborter::Task(task.reference()),
            Hold::Job(job) => job.aborter(),
            Hold::Tied(_) | Hold::Taken => unreachable!("{TAKEN}"),
        }
    }

    /// Keeps `tie` until the result was given out, or the handle is dropped.
    pub(crate) fn tie(&mut self, tie: impl Any) {
        let (to, former) = self.take();
        let tie: Option<Box<dyn Any>> = Some(Box::new((tie, former)));
        *self.hold = Hold::Tied(Box::new(Tied { to, tie }));
    }

    /// Whether the result is there, or will never come.
    pub fn is_finished(&self) -> bool {
        match self.hold.untied() {
            Hold::Task(task) => task.is_finished(),
            Hold::Job(job) => job.is_finished(),
            Hold::Tied(_) | Hold::Taken => unreachable!("{TAKEN}"),
        }
    }

    /// Aborts the task when this handle is dropped, where it would otherwise be detached.
    pub fn abort_on_drop(mut self) -> Self {
        self.aborts_on_drop = true;
        self
    }
}

impl<T: 'static> JoinHandle<T> {
    /// Calls `f` with the result instead of awaiting it; never from inside this call.
    ///
    /// # Ordering
    /// For a task, `f` is a microtask queued when the task ends. For a job in the pool it is a
    /// callback of the poll phase, followed by a checkpoint.
    pub fn callback<R: Outcome>(mut self, f: impl FnOnce(Result<T, JoinError>) -> R + 'static) {
        match self.take() {
            (Hold::Job(job), None) => job.callback(f),
            // A larger closure, which takes an allocation mostly.
            (Hold::Job(job), Some(tie)) => job.callback(move |result| {
                drop(tie);
                f(result)
            }),
            (Hold::Task(task), tie) => {
                let (executor, is_finished) = (task.executor(), task.is_finished());
                let waiting = async move {
                    let result = ended(task).await;
                    drop(tie);
                    f(result).into_result()
                };
                run_callback(&executor, is_finished, waiting);
            }
            (Hold::Tied(_) | Hold::Taken, _) => unreachable!("{TAKEN}"),
        }
    }
}

/// Starts a callback that waits for a task. It begins to wait at once, so that it is one turn behind
/// the task's end; if that is past, its turn is the next one.
fn run_callback(
    executor: &Rc<Executor>,
    is_finished: bool,
    waiting: impl Future<Output = crate::Result> + 'static,
) {
    let runnable = executor::spawn_callback(executor, waiting);
    if executor.is_gone() {
        // Queued it would never run, and hold the executor that holds it.
        runnable.cancel();
    } else if is_finished {
        executor.push(Microtask::Future(Woken::Task(runnable)));
    } else {
        // It waits now: it has thrown nothing yet.
        let _ = executor.run(runnable);
    }
}

impl<E: Into<Box<dyn Error>> + 'static> JoinHandle<Result<(), E>> {
    /// Lets the task go: nobody waits, but its `Err` goes to [`on_unhandled`](crate::on_unhandled),
    /// where a dropped handle's would vanish.
    pub fn detach(mut self) {
        let (hold, tie) = self.take();
        let report = |executor: &Executor, result: Result<Result<(), E>, JoinError>| {
            drop(tie);
            match result {
                Ok(Err(error)) => executor.report(Uncaught::Error(error.into())),
                Err(JoinError::Panicked(payload)) => executor.report(Uncaught::Panic(payload)),
                Ok(Ok(())) | Err(JoinError::Cancelled) => {}
            }
        };
        match hold {
            Hold::Task(task) => {
                let (executor, is_finished) = (task.executor(), task.is_finished());
                let reporting = executor.clone();
                let waiting = async move {
                    report(&reporting, ended(task).await);
                    Ok(())
                };
                run_callback(&executor, is_finished, waiting);
            }
            Hold::Job(job) => {
                let executor = job.executor();
                job.callback(move |result| report(&executor, result));
            }
            Hold::Tied(_) | Hold::Taken => unreachable!("{TAKEN}"),
        }
    }
}

async fn ended<T>(task: Join<T>) -> Result<T, JoinError> {
    joined(poll_fn(|cx| task.poll(cx)).await)
}

fn joined<T>(output: Ended<T>) -> Result<T, JoinError> {
    output.map_or(Err(JoinError::Cancelled), |output| output.map_err(JoinError::Panicked))
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.hold.poll(cx)
    }
}

impl<T> Hold<T> {
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        match self {
            Self::Task(task) => task.poll(cx).map(joined),
            Self::Job(job) => job.poll(cx),
            Self::Tied(tied) => tied.poll(cx),
            Self::Taken => unreachable!("{TAKEN}"),
        }
    }

    fn abort(&self) {
        match self.untied() {
            Self::Task(task) => task.abort(),
            Self::Job(job) => job.abort(),
            Self::Tied(_) | Self::Taken => unreachable!("{TAKEN}"),
        }
    }

    /// What the drop of a handle does besides dropping.
    #[inline(never)]
    fn let_go(self, aborts: bool) {
        if let Self::Taken = self {
            return;
        }
        if aborts {
            self.abort();
        }
        if let Self::Job(job) = self.untied() {
            job.detach();
        }
    }
}

impl<T> Tied<T> {
    #[inline(never)]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let polled = self.to.poll(cx);
        if polled.is_ready() {
            drop(self.tie.take());
        }
        polled
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        match self.take_hold() {
            Hold::Task(task) if !self.aborts_on_drop => drop(task),
            hold => hold.let_go(self.aborts_on_drop),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}
