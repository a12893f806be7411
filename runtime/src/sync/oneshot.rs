//! One value, from one sender to one receiver.
//!
//! Both ends may be sent to other threads. Dropping the sender without a value is told to the receiver, and
//! the other way round.
//!
//! # Ordering
//! A task that awaits the receiver goes on in a microtask that is queued when the value is sent on its own
//! thread, and in the poll phase if it comes from another one. A [callback](Receiver::callback) runs in the
//! poll phase in both cases.
//!
//! # Examples
//! ```
//! use runtime::sync::oneshot;
//!
//! #[runtime::main]
//! async fn main() -> runtime::Result {
//!     let (sender, receiver) = oneshot::channel();
//!     std::thread::spawn(move || sender.send(6 * 7));
//!     assert_eq!(receiver.await?, 42);
//!     Ok(())
//! }
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::blocking::assert_no_loop_here;
use crate::error::Outcome;
use crate::handle::Waiter;
use crate::task::coop;

pub use std::sync::mpsc::{RecvError, TryRecvError};

/// A channel for one value.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (Sender(sender), Receiver { channel: receiver, is_done: false })
}

/// Sends the value of a [`channel`].
pub struct Sender<T>(oneshot::Sender<T>);

impl<T> Sender<T> {
    /// Sends `value`; never waits.
    ///
    /// # Errors
    /// The value, if the receiver is closed or gone. Without an error it may still not be received: the
    /// receiver can go before it looks.
    pub fn send(self, value: T) -> Result<(), T> {
        self.0.send(value)
    }

    /// Whether the receiver is closed or gone: nobody wants the value any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until nobody wants the value any more.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn closed(&mut self) {
        poll_fn(|cx| coop::poll_within(cx, |cx| self.0.poll_closed(cx))).await;
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish()
    }
}

/// Receives the value of a [`channel`]: await it, or give it a [`callback`](Self::callback).
///
/// # Errors
/// [`RecvError`] if the sender is gone without a value.
///
/// # Cancel safety
/// Awaiting it by `&mut` loses nothing: it may be awaited again until it is done.
///
/// # Panics
/// If awaited again after that.
pub struct Receiver<T> {
    channel: oneshot::Receiver<T>,
    is_done: bool,
}

impl<T: 'static> Receiver<T> {
    /// Calls `f` with the value; never from inside this call.
    ///
    /// The loop stays alive while the sender exists, unless the [`Waiter`] is unreferenced; closing that
    /// drops the receiver.
    ///
    /// # Ordering
    /// `f` is a callback of the poll phase, followed by a checkpoint: see [`Waiter`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn callback<R: Outcome>(
        self,
        f: impl FnOnce(Result<T, RecvError>) -> R + 'static,
    ) -> Waiter {
        Waiter::of_future(self, f)
    }
}

impl<T> Receiver<T> {
    /// The value, if it was sent; never waits.
    ///
    /// # Errors
    /// `Empty`: it may still come. `Disconnected`: it was given out before, or never comes.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        if self.is_done {
            return Err(TryRecvError::Disconnected);
        }
        let received = self.channel.try_recv().map_err(|error| match error {
            oneshot::error::TryRecvError::Empty => TryRecvError::Empty,
            oneshot::error::TryRecvError::Closed => TryRecvError::Disconnected,
        });
        self.is_done = !matches!(received, Err(TryRecvError::Empty));
        received
    }

    /// Blocks the thread until the value is there: for threads that have no loop.
    ///
    /// # Errors
    /// [`RecvError`] if the sender is gone without a value.
    ///
    /// # Panics
    /// On a thread that has a current loop: await the receiver there.
    #[track_caller]
    pub fn blocking_recv(mut self) -> Result<T, RecvError> {
        assert_no_loop_here("blocking_recv", "receiver.await");
        match self.try_recv() {
            Err(TryRecvError::Empty) => self.channel.blocking_recv().map_err(|_| RecvError),
            received => received.map_err(|_| RecvError),
        }
    }

    /// Refuses the value: a send is an error from now on. One that was sent before can still be had by
    /// [`try_recv`](Self::try_recv).
    pub fn close(&mut self) {
        if !self.is_done {
            self.channel.close();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.is_done, "a oneshot receiver was polled after it was done");
        let received = coop::poll_within(cx, |cx| Pin::new(&mut self.channel).poll(cx));
        self.is_done = received.is_ready();
        received.map_err(|_| RecvError)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("is_done", &self.is_done).finish()
    }
}
