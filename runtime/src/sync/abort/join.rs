//! Tasks and jobs that end with a signal.

use std::rc::Rc;

use super::state::Operation;
use super::{AbortListener, AbortSignal, Listener};
use crate::task::{Aborter, JoinHandle};

impl<T> JoinHandle<T> {
    /// [Aborts](Self::abort) the task or job as soon as `signal` is aborted; at once if it is already.
    ///
    /// So a task's future is dropped at its next turn, a job that has not begun is taken back, and the handle
    /// gives [`JoinError::Cancelled`](crate::JoinError::Cancelled). A job that runs goes on, and the handle
    /// waits for it: give it a [flag](AbortSignal::flag) to look at.
    ///
    /// It is the handle that is tied to the signal, until the result was given out. Dropping the handle lets
    /// the task go on without either; with a callback, or [`detach`](Self::detach), the tie lasts to the end.
    /// By several calls, several signals may be the reason.
    ///
    /// # Ordering
    /// As [`Request::abort_on`](crate::Request::abort_on): it has a place among the signal's listeners.
    ///
    /// # Examples
    /// ```
    /// use runtime::{JoinError, ms, spawn, sync::AbortSignal, time::sleep};
    ///
    /// #[runtime::main]
    /// async fn main() {
    ///     let task = spawn(sleep(ms(60_000))).abort_on(&AbortSignal::timeout(ms(5)));
    ///     assert!(matches!(task.await, Err(JoinError::Cancelled)));
    /// }
    /// ```
    #[must_use = "a handle that is dropped is tied to nothing: await it, give it a callback, or `detach` it"]
    pub fn abort_on(mut self, signal: &AbortSignal) -> Self {
        // Whether it is done is not asked: of a job that takes a look through all that are on their way home.
        if signal.is_aborted() {
            self.abort();
            return self;
        }
        let place = signal.listen(Listener::Operation(Rc::new(self.aborter())));
        self.tie(Tie(place));
        self
    }
}

impl Operation for Aborter {
    fn abort(&self) {
        self.abort();
    }
}

/// A place in a signal's line, until this is dropped.
struct Tie(AbortListener);

impl Drop for Tie {
    fn drop(&mut self) {
        self.0.remove();
    }
}
