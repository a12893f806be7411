//! `Request`: libuv's request, and one idea everywhere.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem::{ManuallyDrop, needs_drop, replace};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Begun, RequestId};
use crate::base::{InlineFn, Key};
use crate::error::{Outcome, Result, Uncaught};
use crate::event_loop::{Answer, Onward, State, current};
use crate::task::coop;
use crate::task::job::{Ended, JobOwner};

/// An operation that the call which made it has started.
///
/// Await it, or give it a callback, or let it go:
///
/// - [`callback`](Self::callback) calls back in the loop's phases, never from inside the call;
/// - dropping it means that nobody wants the result. A pure question (read, metadata) that has not
///   begun is skipped; what has an effect (write, send) is carried out;
/// - [`detach`](Self::detach) is a drop whose error is reported;
/// - [`cancel`](Self::cancel) stops a job that has not begun, a connect, or a lookup;
/// - [`abort_on`](Self::abort_on) lets it end with an [`AbortSignal`](crate::sync::AbortSignal).
///
/// A cancelled request ends with [`Cancelled`](crate::Cancelled) inside of the `io::Error`. One that is
/// done at once allocates nothing.
///
/// # Cancel safety
/// Dropping the future drops the request: see above. By `&mut` it may be awaited again.
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let bytes = fs::read("Cargo.toml").await?;
///     fs::metadata("Cargo.toml").callback(move |found| -> runtime::Result {
///         assert_eq!(found?.len(), bytes.len() as u64);
///         Ok(())
///     });
///     Ok(())
/// }
/// ```
pub struct Request<T: 'static>(
    /// Dropped by [`let_go`] only, so that one which was done at once is let go by one comparison: nearly
    /// every write of a server is.
    ManuallyDrop<Stage<T>>,
);

enum Stage<T: 'static> {
    /// The result was taken: nothing is left to do.
    Taken,
    Done(io::Result<T>),
    Waiting(Rc<dyn Waiting<io::Result<T>>>),
    /// A job in the pool, which gives an `io::Result<T>`.
    Job(Rc<State>, Key),
}

/// What a request that is not done yet waits for.
pub(crate) trait Waiting<V> {
    fn answer(&self) -> &Answer<V>;
    fn state(&self) -> &Rc<State>;
    fn id(&self) -> RequestId;
    fn cancel(&self) -> bool;
    /// Nobody wants the result any more.
    fn refuse(&self);
}

impl<T> Request<T> {
    /// A request that was done at once.
    #[inline]
    pub(crate) fn done(result: io::Result<T>) -> Self {
        Self::at(Stage::Done(result))
    }

    #[inline]
    fn at(stage: Stage<T>) -> Self {
        Self(ManuallyDrop::new(stage))
    }

    pub(crate) fn waiting(waiting: Rc<impl Waiting<io::Result<T>> + 'static>) -> Self {
        Self::at(Stage::Waiting(waiting))
    }

    pub(crate) fn of_job(state: Rc<State>, key: Key) -> Self {
        Self::at(Stage::Job(state, key))
    }

    /// Calls `f` with the result. Never from inside this call: what is done already calls back in the
    /// pending phase of the same iteration.
    ///
    /// # Ordering
    /// `f` is a callback of the loop, followed by a checkpoint. The phase is that of the operation:
    /// poll for what the system or the pool does, closing for [`closed`](crate::handle::Timer::closed).
    ///
    /// # Panics
    /// If the request was done at once and this thread has no current loop.
    #[track_caller]
    pub fn callback<R: Outcome>(
        mut self,
        f: impl FnOnce(io::Result<T>) -> R + 'static,
    ) -> RequestId {
        match self.take() {
            Stage::Done(result) => {
                current().state().call_later(move || f(result).into_result());
                RequestId::DEAD
            }
            Stage::Waiting(waiting) => {
                let f = InlineFn::new(move |result| f(result).into_result());
                waiting.answer().callback(f, waiting.state());
                waiting.id()
            }
            Stage::Job(state, key) => {
                let f = InlineFn::new(move |ended| f(result_of(ended)).into_result());
                state.on_job_end(key, f);
                RequestId::of_job(state.id, key)
            }
            Stage::Taken => RequestId::DEAD,
        }
    }

    /// Lets the request go: nobody waits for it, but its error goes to
    /// [`on_unhandled`](crate::on_unhandled), as a rejection that nobody handles does in Node.
    ///
    /// # Panics
    /// If the request failed at once and this thread has no current loop.
    #[track_caller]
    pub fn detach(mut self) {
        match self.take() {
            Stage::Done(Err(error)) => {
                current().state().executor.report(Uncaught::Error(error.into()));
            }
            Stage::Waiting(waiting) => {
                let report = reporting(waiting.state());
                waiting.answer().callback(InlineFn::new(report), waiting.state());
            }
            Stage::Job(state, key) => {
                let report = reporting::<T>(&state);
                state.on_job_end(key, InlineFn::new(move |ended| report(result_of(ended))));
            }
            Stage::Done(Ok(_)) | Stage::Taken => {}
        }
    }

    /// Stops the operation, if that can still be had. True: it is stopped, and the request ends with
    /// [`Cancelled`](crate::Cancelled). False: it goes on, or is over.
    ///
    /// - A job for the pool can be stopped until it begins. One of many steps (a copy, a walk: they say so)
    ///   also later: it ends before its next step, unless that was the last. A lookup of a name is given up
    ///   also while it runs: its thread goes on by itself.
    /// - A connect can be stopped until its result is told: its socket closes at once.
    /// - A wait for a [signal](crate::signal) can be stopped until it comes.
    /// - Nothing else can. What was given to `write`, say, is carried out; closing the stream ends it.
    ///
    /// # Ordering
    /// A job ends in the poll phase. A connect ends in the closing phase, at its place among the
    /// handles that were closed: the last one first.
    pub fn cancel(&self) -> bool {
        match &*self.0 {
            Stage::Waiting(waiting) => waiting.cancel(),
            Stage::Job(state, key) => state.cancel_job(*key),
            Stage::Done(_) | Stage::Taken => false,
        }
    }

    /// A name by which it can be cancelled later; that of a request which [`cancel`](Self::cancel)
    /// can't stop does nothing.
    pub fn id(&self) -> RequestId {
        match &*self.0 {
            Stage::Waiting(waiting) => waiting.id(),
            Stage::Job(state, key) => RequestId::of_job(state.id, *key),
            Stage::Done(_) | Stage::Taken => RequestId::DEAD,
        }
    }

    /// The loop of one whose result is still to come.
    pub(crate) fn under_way(&self) -> Option<&Rc<State>> {
        match &*self.0 {
            Stage::Waiting(waiting) => {
                Some(waiting.state()).filter(|_| !waiting.answer().is_settled())
            }
            Stage::Job(state, key) => Some(state).filter(|_| state.is_job_under_way(*key)),
            Stage::Done(_) | Stage::Taken => None,
        }
    }

    /// Lets `onward` wait for the result, which is still to come. This is kept to cancel it, or to drop it.
    pub(crate) fn pass_on<O>(&self, onward: Rc<O>)
    where
        O: Onward<io::Result<T>> + Onward<Ended> + 'static,
    {
        match &*self.0 {
            Stage::Waiting(waiting) => waiting.answer().pass_on(onward),
            Stage::Job(state, key) => state.pass_job_on(*key, onward),
            Stage::Done(_) | Stage::Taken => {}
        }
    }

    /// Ends this when the result has come by another way, where its drop would refuse it.
    pub(crate) fn release(mut self) {
        drop(self.take());
    }

    /// Whether it was done at once, without an error.
    #[inline]
    pub(crate) fn is_done_well(&self) -> bool {
        matches!(&*self.0, Stage::Done(Ok(_)))
    }

    #[inline]
    fn take(&mut self) -> Stage<T> {
        replace(&mut *self.0, Stage::Taken)
    }

    /// Polls what was not done at once, or not well.
    #[inline(never)]
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let polled = match &*self.0 {
            Stage::Waiting(waiting) => waiting.answer().poll(cx),
            Stage::Job(state, key) => state.poll_job(*key, cx).map(result_of),
            Stage::Done(_) | Stage::Taken => match self.take() {
                Stage::Done(result) => return Poll::Ready(result),
                _ => panic!("a request was polled after it was done"),
            },
        };
        if polled.is_pending() {
            coop::made_no_progress();
        } else {
            self.take();
        }
        polled
    }
}

impl Request<()> {
    /// The request for what the loop's thread has begun.
    #[inline]
    pub(crate) fn begun(begun: Begun) -> Self {
        match begun {
            Ok(None) => Self::done(Ok(())),
            Ok(Some(plain)) => Self::waiting(plain),
            Err(error) => Self::done(Err(error)),
        }
    }
}

/// Drops what a request holds, and tells who carries it out that nobody wants the result. It is handed over
/// by itself: so a request that was done at once need not be in memory to be dropped.
#[inline(never)]
fn let_go<T>(stage: Stage<T>) {
    match &stage {
        Stage::Waiting(waiting) => waiting.refuse(),
        Stage::Job(state, key) => state.refuse_job(*key),
        Stage::Done(_) | Stage::Taken => {}
    }
}

/// What the job of a request gave.
pub(crate) fn result_of<T: 'static>(ended: Ended) -> io::Result<T> {
    ended.result().unwrap_or_else(|undone| Err(undone.into()))
}

/// Reports the error of a request that was let go.
fn reporting<T>(state: &State) -> impl FnOnce(io::Result<T>) -> Result + use<T> {
    let executor = state.executor.clone();
    move |result| {
        if let Err(error) = result {
            executor.report(Uncaught::Error(error.into()));
        }
        Ok(())
    }
}

/// The result is never pinned.
impl<T> Unpin for Request<T> {}

impl<T> Future for Request<T> {
    type Output = io::Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(coop::poll_proceed(cx));
        if self.is_done_well()
            && let Stage::Done(result) = self.take()
        {
            return Poll::Ready(result);
        }
        self.poll_rest(cx)
    }
}

impl<T> Drop for Request<T> {
    #[inline]
    fn drop(&mut self) {
        let has_nothing = match &*self.0 {
            Stage::Taken => true,
            Stage::Done(Ok(_)) => !needs_drop::<T>(),
            _ => false,
        };
        if !has_nothing {
            let_go(self.take());
        }
    }
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Stage::Done(_) => "Request(done)",
            Stage::Waiting(waiting) if waiting.answer().is_settled() => "Request(done)",
            Stage::Job(state, key) if state.is_job_finished(*key) => "Request(done)",
            Stage::Waiting(_) | Stage::Job(..) => "Request(waiting)",
            Stage::Taken => "Request(taken)",
        })
    }
}
