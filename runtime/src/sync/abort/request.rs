//! Requests that end with a signal.
//!
//! ```text
//!                     ┌─ the result ── passed on ──▶ Abortable ──▶ whoever awaits it, or its callback
//!   [ the request ] ──┤                                 ▲
//!                     └◀─ cancelled and let go ─────────┴── the signal: it ends with `Aborted`
//! ```
//!
//! What comes first takes the other one out: the result leaves the signal's line, the signal lets the
//! request go. So neither keeps the other one longer than both are to come.

use std::io;
use std::rc::Rc;

use super::state::Operation;
use super::{AbortListener, AbortSignal, Listener};
use crate::base::Guarded;
use crate::error::Aborted;
use crate::event_loop::{Answer, Dispatcher, Flow, Onward, State};
use crate::request::{Request, RequestId, Waiting, result_of};
use crate::task::job::Ended;

impl<T> Request<T> {
    /// Lets the request end with [`Aborted`] as soon as `signal` is aborted: Node's option `signal`.
    ///
    /// The operation is stopped as far as [`cancel`](Self::cancel) and a drop can do that. A job that has not
    /// begun is taken back, also one with an effect; one of many steps ends before its next one; a connect
    /// is closed. What can't be stopped goes on, and its result is dropped. In any case the request is over
    /// at once. The [signal's page](AbortSignal#what-an-abort-stops) says it for each kind.
    ///
    /// - A result that is there already stays: the request is given back as it is.
    /// - If the signal is aborted already the same happens within this call. The operation was begun by the
    ///   call before, so a thread of the pool may be at it by then: where nothing at all may happen,
    ///   [`check`](AbortSignal::check) the signal before.
    /// - With several signals, by several calls, the first one ends it.
    /// - Done or dropped, the request leaves nothing with the signal.
    ///
    /// # Ordering
    /// The request has a place among the signal's listeners, in the order of the calls. When its turn comes
    /// the operation is stopped, from inside of [`abort`](super::AbortController::abort); a task goes on in a
    /// microtask that is queued then, a callback is called in the next pending phase. What is not aborted is
    /// told when and where it would be told without a signal.
    ///
    /// # Errors
    /// [`Aborted`], within an `io::Error`.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::{TcpListener, TcpStream};
    /// use runtime::{ms, sync::{Aborted, AbortSignal}};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     let in_time = AbortSignal::timeout(ms(5_000));
    ///     match TcpStream::connect(server.local_addr()?).abort_on(&in_time).await {
    ///         Ok(_stream) => println!("connected"),
    ///         Err(error) if Aborted::is_in(&error) => println!("it takes too long"),
    ///         Err(error) => return Err(error),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn abort_on(self, signal: &AbortSignal) -> Self {
        let Some(state) = self.under_way().cloned() else { return self };
        let abortable =
            Rc::new(Abortable { state, answer: Answer::default(), under_way: Guarded::default() });
        self.pass_on(abortable.clone());
        let place = signal.listen(Listener::Operation(abortable.clone()));
        abortable.under_way.with(|under_way| *under_way = Some((self, place)));
        if signal.is_aborted() {
            abortable.abort();
        }
        Self::waiting(abortable)
    }
}

/// A request and its place in a signal's line.
struct Abortable<T: 'static> {
    state: Rc<State>,
    answer: Answer<io::Result<T>>,
    /// Out when it is over, or lent to `cancel`.
    under_way: Guarded<Option<(Request<T>, AbortListener)>>,
}

impl<T: 'static> Abortable<T> {
    /// The result has come; false if it is too late.
    fn finish(&self) -> bool {
        if self.answer.is_settled() {
            return false;
        }
        // Nothing is there while it is being cancelled.
        if let Some((request, place)) = self.under_way.take() {
            place.remove();
            request.release();
        }
        true
    }
}

impl<T: 'static> Operation for Abortable<T> {
    fn abort(&self) {
        let Some((request, _place)) = self.under_way.take() else { return };
        // First: one that is cancelled tells so at once, which is too late then.
        self.answer.settle_later(Err(Aborted.into()), &self.state);
        request.cancel();
    }
}

impl<T: 'static> Onward<io::Result<T>> for Abortable<T> {
    fn settle(&self, result: io::Result<T>, d: &mut Dispatcher<'_>) -> Flow {
        if self.finish() { self.answer.settle(result, d) } else { Ok(()) }
    }

    fn settle_later(&self, result: io::Result<T>) {
        if self.finish() {
            self.answer.settle_later(result, &self.state);
        }
    }

    fn abandon(&self, result: io::Result<T>) {
        if self.finish() {
            self.answer.abandon(result);
        }
    }
}

impl<T: 'static> Onward<Ended> for Abortable<T> {
    fn settle(&self, ended: Ended, d: &mut Dispatcher<'_>) -> Flow {
        Onward::<io::Result<T>>::settle(self, result_of(ended), d)
    }

    fn settle_later(&self, ended: Ended) {
        Onward::<io::Result<T>>::settle_later(self, result_of(ended));
    }

    fn abandon(&self, ended: Ended) {
        Onward::<io::Result<T>>::abandon(self, result_of(ended));
    }
}

impl<T: 'static> Waiting<io::Result<T>> for Abortable<T> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        &self.answer
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn id(&self) -> RequestId {
        let id = |(request, _): &(Request<T>, _)| request.id();
        self.under_way.with(|under_way| under_way.as_ref().map_or(RequestId::DEAD, id))
    }

    fn cancel(&self) -> bool {
        let Some((request, place)) = self.under_way.take() else { return false };
        // It may be told at once.
        let is_cancelled = request.cancel();
        if self.answer.is_settled() {
            place.remove();
            request.release();
        } else {
            self.under_way.with(|under_way| *under_way = Some((request, place)));
        }
        is_cancelled
    }

    fn refuse(&self) {
        self.answer.refuse();
        if let Some((request, place)) = self.under_way.take() {
            place.remove();
            drop(request);
        }
    }
}
