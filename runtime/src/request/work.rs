//! Work for the pool: a job there, its answer here.
//!
//! ```text
//!   loop's thread                      a thread of the pool
//!   Work { answer, ticket, result } ─▶ job runs, result = Some(..)
//!     ▲                                     │ mail: this request is done
//!     └──────────── poll phase ◀────────────┘
//! ```
//!
//! The job belongs to the pool and its callback stays in the loop: only the result crosses, in a cell
//! that both can reach. A loop that goes away meanwhile drops its end, and the result is dropped with
//! the other.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;

use super::request::Waiting;
use super::{Request, RequestId};
use crate::base::Key;
use crate::error::{Cancelled, JoinError, LoopGone, Result, Uncaught};
use crate::event_loop::{Answer, Answerable, Dispatcher, Flow, InFlight, State, current};
use crate::pool::{Lane, Ticket};
use crate::task::{Executor, JoinHandle, Joinable};

/// What becomes of a job that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// It is done all the same: it has an effect.
    Out,
    /// It is skipped if it has not begun: it only asks.
    IfWanted,
}

struct Work<V> {
    state: Rc<State>,
    answer: Answer<V>,
    result: Arc<Mutex<Option<V>>>,
    ticket: Cell<Option<Ticket>>,
    key: Cell<Key>,
    carried: Carried,
    in_flight: InFlight,
    /// The result of a job that was not done.
    undone: fn(Undone) -> V,
}

/// Why a job was not done.
enum Undone {
    Cancelled,
    LoopGone,
    Panicked(Box<dyn std::any::Any + Send>),
    /// The system gave the pool no thread.
    Refused(io::Error),
}

impl<V: Send + 'static> Work<V> {
    fn submit(
        state: &Rc<State>,
        lane: Lane,
        carried: Carried,
        undone: fn(Undone) -> V,
        job: impl FnOnce() -> V + Send + 'static,
    ) -> Rc<Self> {
        let work = Rc::new(Self {
            state: state.clone(),
            answer: Answer::default(),
            result: Arc::default(),
            ticket: Cell::new(None),
            key: Cell::new(Key::DEAD),
            carried,
            in_flight: InFlight::new(state),
            undone,
        });
        if state.is_dead() {
            work.answer.settle_later(undone(Undone::LoopGone), state);
            work.in_flight.release();
            return work;
        }
        let key = state.requests.with(|requests| requests.insert(work.clone()));
        work.key.set(key);
        let (result, sending) = (work.result.clone(), state.sending.clone());
        let submitted = state.pool().submit(lane, move || {
            let done = catch_unwind(AssertUnwindSafe(job));
            *result.lock() = Some(done.unwrap_or_else(|payload| undone(Undone::Panicked(payload))));
            sending.completed(key);
        });
        match submitted {
            Ok(ticket) => work.ticket.set(Some(ticket)),
            Err(error) => work.fail(Undone::Refused(error)),
        }
        work
    }

    /// Ends the request without its job, by mail as if that were done.
    fn fail(&self, undone: Undone) {
        *self.result.lock() = Some((self.undone)(undone));
        self.state.sending.completed(self.key.get());
    }

    fn cancel_job(&self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let cancelled = ticket.cancel();
        if !cancelled {
            self.ticket.set(Some(ticket));
        }
        cancelled
    }

    fn cancel(&self) -> bool {
        // The job is dropped by this, and that is foreign code: if it panics the request is over all
        // the same.
        let cancelled = catch_unwind(AssertUnwindSafe(|| self.cancel_job()));
        if !matches!(cancelled, Ok(false)) {
            self.fail(Undone::Cancelled);
        }
        cancelled.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Nobody waits any more.
    fn refuse(&self) {
        if !self.answer.refuse() || self.carried == Carried::Out {
            return;
        }
        // Whether or not it can still be stopped, the loop need not wait for it.
        self.in_flight.release();
        if self.cancel_job() {
            let request = self.state.requests.with(|requests| requests.remove(self.key.get()));
            drop(request);
        }
    }
}

impl<V: Send + 'static> Answerable for Work<V> {
    fn answered(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        self.in_flight.release();
        // The ticket keeps the job's memory; the job is done.
        drop(self.ticket.take());
        let result = self.result.lock().take();
        match result {
            Some(result) => self.answer.settle(result, d),
            None => Ok(()),
        }
    }

    fn cancel(&self) -> bool {
        Work::cancel(self)
    }

    fn abandon(&self) {
        if self.carried == Carried::IfWanted {
            self.cancel_job();
        }
        self.in_flight.release();
        self.answer.abandon((self.undone)(Undone::LoopGone));
    }
}

// --- requests ---

/// Carries out `job` in the pool.
#[track_caller]
pub(crate) fn on_pool<T: Send + 'static>(
    lane: Lane,
    carried: Carried,
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Request<T> {
    let undone = |undone| {
        Err(match undone {
            Undone::Cancelled => Cancelled.into(),
            Undone::LoopGone => LoopGone.into(),
            Undone::Refused(error) => error,
            Undone::Panicked(payload) => JoinError::Panicked(payload).into(),
        })
    };
    Request::waiting(Work::submit(current().state(), lane, carried, undone, job))
}

impl<T: Send + 'static> Waiting<io::Result<T>> for Work<io::Result<T>> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        &self.answer
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn id(&self) -> RequestId {
        RequestId::of_job(self.state.id, self.key.get())
    }

    fn cancel(&self) -> bool {
        Work::cancel(self)
    }

    fn refuse(&self) {
        Work::refuse(self);
    }
}

// --- spawn_blocking ---

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
/// A panic of the job is the handle's [`JoinError::Panicked`]; the thread lives on.
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
    let undone = |undone| {
        Err(match undone {
            Undone::Cancelled | Undone::LoopGone => JoinError::Cancelled,
            Undone::Panicked(payload) => JoinError::Panicked(payload),
            Undone::Refused(error) => JoinError::Panicked(Box::new(format!("no thread: {error}"))),
        })
    };
    let (lp, job) = (current(), || Ok(job()));
    JoinHandle::of_job(Work::submit(lp.state(), Lane::Cpu, Carried::Out, undone, job))
}

impl<T: Send + 'static> Joinable<T> for Work<Result<T, JoinError>> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.answer.poll(cx)
    }

    fn callback(&self, f: Box<dyn FnOnce(Result<T, JoinError>) -> Result>) {
        self.answer.callback(f, &self.state);
    }

    fn executor(&self) -> Rc<Executor> {
        self.state.executor.clone()
    }

    fn abort(&self) {
        self.cancel();
    }

    fn is_finished(&self) -> bool {
        self.answer.is_settled() || self.result.lock().is_some()
    }

    fn detach(&self) {
        let executor = self.state.executor.clone();
        let report = move |result| {
            if let Err(JoinError::Panicked(payload)) = result {
                executor.report(Uncaught::Panic(payload));
            }
        };
        if self.answer.is_settled() {
            self.answer.take().into_iter().for_each(report);
        } else {
            // It is carried out all the same, and nobody else will see its panic.
            let waiting = Box::new(move |result| {
                report(result);
                Ok(())
            });
            self.answer.callback(waiting, &self.state);
        }
    }
}
