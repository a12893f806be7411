//! `Wait`: one thing to wait for, with both faces.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::Outcome;
use crate::handle::Waiter;
use crate::task::coop;

pin_project! {
    /// A wait that has not begun: await it, or give it a [`callback`](Self::callback).
    ///
    /// It borrows nothing, and needs no loop to be awaited: any executor will do.
    #[must_use = "nothing is waited for unless this is awaited or given a callback"]
    pub struct Wait<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Wait<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future + 'static> Wait<F> {
    /// Waits on the current loop, and calls `f` with what came; never from inside this call.
    ///
    /// The loop stays alive until then, unless the [`Waiter`] is closed or unreferenced.
    ///
    /// # Ordering
    /// `f` is a callback of the poll phase, followed by a checkpoint: see [`Waiter`]. Who waits in the same
    /// line is served in the order in which the waits began; this one begins in the next poll phase.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn callback<R: Outcome>(self, f: impl FnOnce(F::Output) -> R + 'static) -> Waiter {
        Waiter::of_future(self.future, f)
    }
}

impl<F: Future> Future for Wait<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        coop::poll_within(cx, |cx| self.project().future.poll(cx))
    }
}

impl<F> fmt::Debug for Wait<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}
