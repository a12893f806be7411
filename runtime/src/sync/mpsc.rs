//! Many values, from many senders to one receiver, in order.
//!
//! The channel is bounded: it has a capacity, and senders wait (or are told) while it is full. There is no
//! unbounded one.
//!
//! Both ends may be sent to other threads: a thread that has no loop sends by
//! [`blocking_send`](Sender::blocking_send) and receives by [`blocking_recv`](Receiver::blocking_recv).
//!
//! # Ordering
//! Values come in the order they were sent; senders that wait for room get it in the order they began to
//! wait. A task that awaits a value goes on in a microtask that is queued when it is sent on its own thread,
//! and in the poll phase if it comes from another one. [`recv_start`](Receiver::recv_start) calls back in
//! the poll phase in both cases.
//!
//! A task that always finds a value does not starve the loop: after 128 operations in one poll it goes on at
//! the end of the next poll phase.
//!
//! # Liveness
//! As everywhere, a task that waits does not keep the loop alive; `recv_start` does, while a sender exists.
//! An async `main` that waits for a value waits as long as there is a sender, be it its own: nothing tells
//! whether that may be on another thread, so this is a wait without end and not exit code 13.
//!
//! # Examples
//! ```
//! use runtime::{spawn_blocking, sync::mpsc};
//!
//! #[runtime::main]
//! async fn main() {
//!     let (sender, mut receiver) = mpsc::channel(8);
//!     spawn_blocking(move || (1..=3).try_for_each(|n| sender.blocking_send(n)));
//!     while let Some(n) = receiver.recv().await {
//!         println!("{n}");
//!     }
//! }
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::{Semaphore, mpsc};

use super::Wait;
use super::blocking::assert_no_loop_here;
use crate::error::Outcome;
use crate::handle::Waiter;
use crate::task::coop;

pub use std::sync::mpsc::{SendError, TryRecvError, TrySendError};

/// A channel with room for `capacity` values; one at least.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity.clamp(1, Semaphore::MAX_PERMITS));
    (Sender(sender), Receiver(receiver))
}

/// Sends values into a [`channel`]. Its clones are senders of the same channel.
pub struct Sender<T>(mpsc::Sender<T>);

impl<T> Sender<T> {
    /// Sends `value`, when there is room: await it, or give it a callback.
    ///
    /// It is a sender as long as it waits: the channel is open until it is done or dropped.
    ///
    /// # Ordering
    /// If there is room when it is first polled the value is sent at once, else in the order of the first
    /// polls. So two sends that are awaited together (by `join!`, say) are in the order they are polled.
    ///
    /// # Errors
    /// The value, if the receiver is closed or gone.
    ///
    /// # Cancel safety
    /// Dropping it before it is done drops the value, which is not sent; the place in the line is lost.
    pub fn send(&self, value: T) -> Wait<impl Future<Output = Result<(), SendError<T>>> + use<T>> {
        let sender = self.0.clone();
        Wait::new(async move { sender.send(value).await.map_err(|refused| SendError(refused.0)) })
    }

    /// Sends `value`, if there is room; never waits.
    ///
    /// # Errors
    /// The value: `Full`, or `Disconnected` if the receiver is closed or gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(value).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(value) => TrySendError::Full(value),
            mpsc::error::TrySendError::Closed(value) => TrySendError::Disconnected(value),
        })
    }

    /// Sends `value`, and blocks the thread until there is room: for threads that have no loop, such as
    /// those of the pool.
    ///
    /// # Errors
    /// The value, if the receiver is closed or gone.
    ///
    /// # Panics
    /// On a thread that has a current loop, which may be the receiver's: use [`send`](Self::send) or
    /// [`try_send`](Self::try_send) there.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        assert_no_loop_here("blocking_send", "send(value).await");
        self.0.blocking_send(value).map_err(|refused| SendError(refused.0))
    }

    /// Waits until the receiver is closed or gone.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn closed(&self) {
        Wait::new(self.0.closed()).await;
    }

    /// Whether the receiver is closed or gone.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How many values there is room for just now.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// How many values there is room for in an empty channel.
    pub fn max_capacity(&self) -> usize {
        self.0.max_capacity()
    }

    /// Whether `other` sends into the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Receives the values of a [`channel`]. Dropping it drops those that were not received.
///
/// It is a `Stream` too.
pub struct Receiver<T>(mpsc::Receiver<T>);

impl<T: 'static> Receiver<T> {
    /// Calls `f` with each value from now on; with `None` for the last time, when all senders are gone and
    /// all values were received. Never from inside this call.
    ///
    /// The loop stays alive while a sender exists, unless the [`Waiter`] is unreferenced. Closing that drops
    /// the receiver in the closing phase, with what was not received; [`stop`](Waiter::stop) keeps it.
    ///
    /// # Ordering
    /// Each call is a callback of the poll phase, followed by a checkpoint; at most 128 a turn: see
    /// [`Waiter`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::{spawn_blocking, sync::mpsc};
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     let (sender, receiver) = mpsc::channel(8);
    ///     receiver.recv_start(|value| match value {
    ///         Some(n) => println!("{n}"),
    ///         None => println!("that was the last one"),
    ///     });
    ///     spawn_blocking(move || (1..=3).try_for_each(|n| sender.blocking_send(n)));
    /// }
    /// ```
    #[track_caller]
    pub fn recv_start<R: Outcome>(self, mut f: impl FnMut(Option<T>) -> R + 'static) -> Waiter {
        let mut channel = self.0;
        Waiter::by_step(move |cx, waiter| {
            channel.poll_recv(cx).map(|value| {
                if value.is_none() {
                    waiter.end();
                }
                f(value).into_result()
            })
        })
    }
}

impl<T> Receiver<T> {
    /// Waits for the next value; `None` if all senders are gone (or this end was [closed](Self::close)) and
    /// all values were received.
    ///
    /// # Cancel safety
    /// Nothing is lost: a value that was not given is there for the next call.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        coop::poll_within(cx, |cx| self.0.poll_recv(cx))
    }

    /// The next value, if there is one; never waits.
    ///
    /// # Errors
    /// `Empty`: one may still come. `Disconnected`: none will.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv().map_err(|error| match error {
            mpsc::error::TryRecvError::Empty => TryRecvError::Empty,
            mpsc::error::TryRecvError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// Blocks the thread until there is a value, as [`recv`](Self::recv) waits: for threads that have no
    /// loop.
    ///
    /// # Panics
    /// On a thread that has a current loop, which may be a sender's: use [`recv`](Self::recv) there.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        assert_no_loop_here("blocking_recv", "recv().await");
        self.0.blocking_recv()
    }

    /// Refuses more values: a send is an error from now on. What was sent can still be received; after that
    /// comes `None`.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Whether it was closed, or all senders are gone; there may still be values.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How many values wait to be received.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no value waits to be received.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<(Sender<u8>, Receiver<u8>)>();
};
