//! Scheduling on the current loop.

use std::future::Future;
use std::time::Duration;

use super::{ImmediateId, TimerId};
use crate::error::Outcome;
use crate::event_loop::current;
use crate::task::JoinHandle;

/// Calls `f` once, `delay` from now, in the timers phase.
///
/// `delay` counts from the moment of the call, in whole milliseconds, rounded up: never early. Less
/// than 1 ms, or more than 2^31-1 ms (with one warning), becomes 1 ms, as in Node. A timer set in the
/// timers phase runs in a later one. On a loop that is gone `f` is dropped and the id is dead.
///
/// # Ordering
/// Timers of the same delay run in the order they were set; all of them that are due run before a
/// list of another delay that is due later. Ticks and microtasks queued by one timer run before the
/// next.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::{ms, set_timeout};
///
/// #[runtime::main]
/// fn main() {
///     set_timeout(ms(5), || println!("five"));
/// }
/// ```
#[track_caller]
pub fn set_timeout<R: Outcome>(delay: Duration, f: impl FnOnce() -> R + 'static) -> TimerId {
    current().set_timeout(delay, f)
}

/// Like [`set_timeout`], and keeps `f` when it has fired, so that [`TimerId::refresh`] arms it again:
/// an idle timeout, say. `f` is dropped by [`TimerId::clear`], or with the loop.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::{ms, set_timeout, set_timeout_mut};
///
/// #[runtime::main]
/// fn main() {
///     let idle = set_timeout_mut(ms(10), |id| {
///         println!("nothing happened for 10 ms");
///         id.clear();
///     });
///     set_timeout(ms(5), move || drop(idle.refresh())); // 10 ms more
/// }
/// ```
#[track_caller]
pub fn set_timeout_mut<R: Outcome>(
    delay: Duration,
    f: impl FnMut(TimerId) -> R + 'static,
) -> TimerId {
    current().set_timeout_mut(delay, f)
}

/// Calls `f` every `period`, in the timers phase, until its id is cleared; `f` is given the id.
///
/// A period counts from the beginning of the call before, as in Node: it drifts, and firings that were
/// missed are not made up. `period` is taken as [`set_timeout`] takes its delay.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::{ms, set_interval};
///
/// #[runtime::main]
/// fn main() {
///     let mut left = 3;
///     set_interval(ms(1), move |id| {
///         left -= 1;
///         if left == 0 {
///             id.clear();
///         }
///     });
/// }
/// ```
#[track_caller]
pub fn set_interval<R: Outcome>(
    period: Duration,
    f: impl FnMut(TimerId) -> R + 'static,
) -> TimerId {
    current().set_interval(period, f)
}

/// Calls `f` in the next check phase: after the next poll for I/O, which does not block meanwhile.
///
/// # Ordering
/// Immediates run in the order they were set. One that is set while they run waits for the next
/// iteration.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn set_immediate<R: Outcome>(f: impl FnOnce() -> R + 'static) -> ImmediateId {
    current().set_immediate(f)
}

/// Calls `f` when the callback that runs now is over, before anything else: before microtasks, timers
/// and I/O.
///
/// # Ordering
/// Ticks run in the order they were queued, those that ticks queue included. A tick that is queued by a
/// microtask waits until the microtask queue is empty. A tick that always queues another one keeps
/// everything else waiting, as in Node.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn next_tick<R: Outcome>(f: impl FnOnce() -> R + 'static) {
    current().next_tick(f);
}

/// Calls `f` when the callback that runs now and all ticks are over, before timers and I/O: what a
/// reaction of a settled promise is in JavaScript.
///
/// # Ordering
/// Microtasks run in the order they were queued, wakes of tasks among them, and those that microtasks
/// queue included.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn queue_microtask<R: Outcome>(f: impl FnOnce() -> R + 'static) {
    current().queue_microtask(f);
}

/// Calls `f` when ticks and microtasks are both empty, before the loop goes on: where Node reports
/// unhandled rejections.
///
/// # Ordering
/// All that wait by then run one after the other; then ticks and microtasks again.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn at_checkpoint_end<R: Outcome>(f: impl FnOnce() -> R + 'static) {
    current().at_checkpoint_end(f);
}

/// Node's word for [`TimerId::clear`].
pub fn clear_timeout(id: TimerId) {
    id.clear();
}

/// Node's word for [`TimerId::clear`].
pub fn clear_interval(id: TimerId) {
    id.clear();
}

/// Node's word for [`ImmediateId::clear`].
pub fn clear_immediate(id: ImmediateId) {
    id.clear();
}

/// Runs `future` as a task of the current loop. The future need not be `Send`.
///
/// The task does not keep the loop alive; what it waits for does. Tasks that are left when the loop is
/// dropped are dropped with it, on its thread.
///
/// # Ordering
/// The first poll is a microtask that is queued now, like the code after
/// `Promise.resolve().then(..)` in JavaScript. A wake on the loop's own thread queues a microtask; one
/// from another thread is delivered in the poll phase.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let task = runtime::spawn(async { 1 + 1 });
///     assert_eq!(task.await?, 2);
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    current().spawn(future)
}

/// Like [`spawn`], and polls the future once from inside this call, up to its first real wait: as
/// calling an async function does in JavaScript.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn spawn_eager<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    current().spawn_eager(future)
}
