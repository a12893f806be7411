//! The latest value, from senders to any number of receivers.
//!
//! A receiver sees the newest value whenever it looks, and can wait for the next change; what came between
//! two looks is not seen. For configuration, a state, a wish to shut down.
//!
//! Values are handed out as [`Arc`]s, and nothing is locked while you look at one: who holds the old value
//! does not keep a sender waiting, on this thread or another.
//!
//! # Ordering
//! A task that awaits a change goes on in a microtask that is queued when the value is sent on its own
//! thread, and in the poll phase if it comes from another one. [`recv_start`](Receiver::recv_start) calls
//! back in the poll phase in both cases.
//!
//! # Examples
//! ```
//! use runtime::{spawn, sync::watch};
//!
//! #[runtime::main]
//! async fn main() -> runtime::Result {
//!     let (level, mut seen) = watch::channel("info");
//!     let following = spawn(async move {
//!         while let Some(level) = seen.recv().await {
//!             println!("the level is {level}");
//!         }
//!     });
//!     level.send("debug")?;
//!     drop(level);
//!     following.await?;
//!     Ok(())
//! }
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::watch;

use super::Wait;
use crate::error::Outcome;
use crate::handle::Waiter;
use crate::task::coop;

pub use std::sync::mpsc::{RecvError, SendError};

/// A channel that holds `value` until another one is sent. The receiver has seen `value` already.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = watch::channel(Arc::new(value));
    (Sender(sender), Receiver(receiver))
}

/// Sends values to the receivers of a [`channel`]. Its clones are senders of the same channel.
pub struct Sender<T>(watch::Sender<Arc<T>>);

impl<T> Sender<T> {
    /// Makes `value` the latest one, and wakes who waits for a change; never waits.
    ///
    /// # Errors
    /// The value, if there is no receiver; the latest one stays as it was.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.send(Arc::new(value)).map_err(|refused| {
            SendError(Arc::into_inner(refused.0).expect("it was given to nobody yet"))
        })
    }

    /// Makes `value` the latest one, though there may be no receiver, and gives the one before.
    pub fn send_replace(&self, value: T) -> Arc<T> {
        self.0.send_replace(Arc::new(value))
    }

    /// The latest value.
    pub fn borrow(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// A further receiver, which has seen the latest value.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver(self.0.subscribe())
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.0.receiver_count()
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn closed(&self) {
        Wait::new(self.0.closed()).await;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.borrow()).finish()
    }
}

/// Sees the latest value of a [`channel`]. A clone has seen what this one has.
pub struct Receiver<T>(watch::Receiver<Arc<T>>);

impl<T: 'static> Receiver<T> {
    /// Calls `f` with the latest value whenever there is one that was not seen; with `None` for the last
    /// time, when all senders are gone and the last value was seen. Never from inside this call.
    ///
    /// The loop stays alive while a sender exists, unless the [`Waiter`] is unreferenced. Closing that drops
    /// the receiver in the closing phase.
    ///
    /// # Ordering
    /// Each call is a callback of the poll phase, followed by a checkpoint: see [`Waiter`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn recv_start<R: Outcome>(
        self,
        mut f: impl FnMut(Option<Arc<T>>) -> R + 'static,
    ) -> Waiter {
        let mut values = self.into_stream();
        Waiter::by_step(move |cx, waiter| {
            Pin::new(&mut values).poll_next(cx).map(|value| {
                if value.is_none() {
                    waiter.end();
                }
                f(value).into_result()
            })
        })
    }

    /// The values that [`recv`](Self::recv) gives, as a `Stream`.
    pub fn into_stream(self) -> Values<T> {
        Values(Box::pin(next(self.0)))
    }
}

impl<T> Receiver<T> {
    /// The latest value. Whether it counts as seen does not change.
    pub fn borrow(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// The latest value, which is seen now.
    pub fn borrow_and_update(&mut self) -> Arc<T> {
        self.0.borrow_and_update().clone()
    }

    /// Waits until there is a value that was not seen, which is seen then; ready at once if there is one.
    ///
    /// # Errors
    /// [`RecvError`] if all senders are gone, and the last value was seen.
    ///
    /// # Cancel safety
    /// Nothing is lost: what it did not report is not seen.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        Wait::new(self.0.changed()).await.map_err(|_| RecvError)
    }

    /// Waits for a value that was not seen, and gives it; `None` if all senders are gone, and the last value
    /// was seen.
    ///
    /// # Cancel safety
    /// Nothing is lost: what it did not give is not seen.
    pub async fn recv(&mut self) -> Option<Arc<T>> {
        self.changed().await.ok()?;
        Some(self.borrow_and_update())
    }

    /// Whether the latest value was not seen.
    ///
    /// # Errors
    /// [`RecvError`] if all senders are gone.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        self.0.has_changed().map_err(|_| RecvError)
    }

    /// Lets the latest value count as not seen.
    pub fn mark_changed(&mut self) {
        self.0.mark_changed();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.borrow()).finish()
    }
}

/// The stream of [`Receiver::into_stream`]. It stays on its thread.
pub struct Values<T>(Pin<Box<Next<T>>>);

/// A wait that owns the receiver, and gives it back.
type Next<T> = dyn Future<Output = (watch::Receiver<Arc<T>>, Option<Arc<T>>)>;

async fn next<T>(
    mut receiver: watch::Receiver<Arc<T>>,
) -> (watch::Receiver<Arc<T>>, Option<Arc<T>>) {
    let changed = receiver.changed().await.is_ok();
    let value = changed.then(|| receiver.borrow_and_update().clone());
    (receiver, value)
}

impl<T: 'static> Stream for Values<T> {
    type Item = Arc<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<T>>> {
        coop::poll_within(cx, |cx| self.0.as_mut().poll(cx)).map(|(receiver, value)| {
            self.0 = Box::pin(next(receiver));
            value
        })
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values")
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<(Sender<u8>, Receiver<u8>)>();
};
