//! Letting other microtasks go first.

use std::future::poll_fn;
use std::task::Poll;

use super::coop;

/// Waits one turn of the microtask queue, as `await null` does in JavaScript.
///
/// What is in the microtask queue already runs first; ticks, timers and I/O do not. It is not
/// counted among a task's wakes of itself, so a task may do it as often as it likes; but a loop of
/// nothing else keeps timers and I/O waiting until the task is over the limit of a checkpoint.
///
/// # Cancel safety
/// Nothing is lost.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() {
///     runtime::queue_microtask(|| println!("first"));
///     runtime::yield_microtask().await;
///     println!("second");
/// }
/// ```
pub async fn yield_microtask() {
    let mut is_over = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        coop::wake_yielding(cx.waker());
        Poll::Pending
    })
    .await;
}
