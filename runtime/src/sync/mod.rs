//! What tasks, callbacks and threads tell each other.
//!
//! ```text
//!   oneshot    one value            1 sender      1 receiver
//!   mpsc       values, in order     n senders     1 receiver      bounded
//!   watch      the latest value     n senders     n receivers
//!   Notify     a wake, no value
//!   Semaphore  a number of permits
//!
//!   AbortController ── abort() ──┐                  ┌──▶ on_abort(f)           called at once, in order
//!                                ├──▶ AbortSignal ──┼──▶ aborted(), race(..)   tasks that go on
//!                  timeout(d) ───┘                  ├──▶ abort_on(&signal)     requests, tasks, jobs, children
//!                                                   ├──▶ flag()                other threads
//!                                                   └──▶ any([..])             another AbortSignal
//! ```
//!
//! The first five may be sent to other threads, and wake the loop from there; nothing of them is
//! unbounded. `AbortSignal` stays on its thread.
//!
//! # Both faces
//! What is awaited once has a `callback`, what gives many values has a `recv_start`:
//!
//! | awaited | calls back |
//! |---|---|
//! | [`oneshot::Receiver`] | [`callback`](oneshot::Receiver::callback) |
//! | [`mpsc::Receiver::recv`], or as a `Stream` | [`recv_start`](mpsc::Receiver::recv_start) |
//! | [`mpsc::Sender::send`] | [`callback`](Wait::callback) |
//! | [`watch::Receiver::recv`], [`into_stream`](watch::Receiver::into_stream) | [`recv_start`](watch::Receiver::recv_start) |
//! | [`Notify::notified`], [`Semaphore::acquire`] | [`callback`](Wait::callback) |
//! | [`AbortSignal::aborted`] | [`on_abort`](AbortSignal::on_abort) |
//!
//! A task that waits goes on in a microtask, queued when it is woken (from another thread: in the poll
//! phase). The callbacks, but for `on_abort`, are those of a [`Waiter`](crate::handle::Waiter): they run in
//! the poll phase.
//!
//! # Liveness
//! A task that waits does not keep the loop alive. A callback does, until it is called for the last time, or
//! its `Waiter` is unreferenced, stopped or closed. An async `main` that waits goes on waiting as long as
//! the other end exists: it may be on another thread, so there is no exit code 13.
//!
//! # When the loop goes
//! Tasks and callbacks are dropped with it, and with them the ends that they own. Whoever has the other end
//! is told: a send fails, a receive ends. A wake from another thread that comes later does nothing.

mod abort;
mod blocking;
pub mod mpsc;
mod notify;
pub mod oneshot;
mod semaphore;
mod wait;
pub mod watch;

pub use crate::error::Aborted;
pub use abort::{AbortController, AbortFlag, AbortListener, AbortSignal};
pub use notify::Notify;
pub use semaphore::{Semaphore, SemaphorePermit};
pub use wait::Wait;
