//! Letting the loop go on: `await setImmediate()`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::ImmediateId;
use crate::event_loop::{context, current};
use crate::task::keep;
use crate::timers::Immediate;

/// Waits until the next check phase, as `await setImmediate()` does in JavaScript: I/O and what is
/// due gets its turn.
///
/// # Panics
/// If polled where there is no current loop.
///
/// # Cancel safety
/// Nothing is lost.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() {
///     for part in 0..4 {
///         println!("a part of long work: {part}");
///         runtime::yield_now().await;
///     }
/// }
/// ```
pub async fn yield_now() {
    Turn { immediate: None }.await;
}

/// An immediate that wakes a task.
struct Turn {
    immediate: Option<ImmediateId>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.immediate {
            None => {
                self.immediate = Some(current().insert_immediate(Immediate::Wake(keep(cx))));
                Poll::Pending
            }
            Some(immediate) if immediate.wake_instead(cx) => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    }
}

impl ImmediateId {
    /// Lets the immediate wake the task of `cx`; false if it has run.
    fn wake_instead(self, cx: &Context<'_>) -> bool {
        let Some(lp) = context::find(self.loop_id()) else { return false };
        let waker = Immediate::Wake(keep(cx));
        let immediates = &lp.state().immediates;
        let (is_there, replaced) = immediates
            .with(|all| (all.contains(self.number()), all.replace_action(self.number(), waker)));
        drop(replaced);
        is_there
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(immediate) = self.immediate {
            immediate.clear();
        }
    }
}
