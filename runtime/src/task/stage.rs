//! What a task holds: its future, then its output.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::executor::{Executor, ExitPayload};
use super::flags::{Flags, IS_CALLBACK, JOINED};
use crate::error::Uncaught;

/// What a panic unwinds with.
pub(super) type Payload = Box<dyn Any + Send>;

/// A task's outcome, if there is one: none if it was cancelled, or the outcome was taken.
pub(super) type Outcome<T> = Option<Result<T, Payload>>;

pin_project! {
    #[project = Projected]
    pub(super) enum Stage<F: Future> {
        Waiting { #[pin] future: F },
        Ended { outcome: Outcome<F::Output> },
    }
}

impl<F: Future> Stage<F> {
    /// Polls the future once; true if the task has ended. An error is to be raised again by who polls.
    /// No panic comes out of it.
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        flags: &Flags,
        executor: &Executor,
    ) -> Result<bool, Payload> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Projected::Waiting { future } = self.as_mut().project() else { return true };
            let Poll::Ready(output) = future.poll(cx) else { return false };
            // The drop of the future's own state is part of the task: its panic counts too.
            self.set(Stage::Ended { outcome: None });
            if flags.has(JOINED) {
                self.set(Stage::Ended { outcome: Some(Ok(output)) });
            }
            true
        }));
        polled.or_else(|payload| self.panicked(payload, flags, executor))
    }

    #[cold]
    fn panicked(
        mut self: Pin<&mut Self>,
        payload: Payload,
        flags: &Flags,
        executor: &Executor,
    ) -> Result<bool, Payload> {
        if let Some(second) = self.as_mut().cancel() {
            executor.report(Uncaught::Panic(second));
        }
        if flags.has(IS_CALLBACK) || payload.is::<ExitPayload>() {
            return Err(payload);
        }
        if flags.has(JOINED) {
            self.set(Stage::Ended { outcome: Some(Err(payload)) });
        } else {
            executor.report(Uncaught::Panic(payload));
        }
        Ok(true)
    }

    /// Drops the future, and gives its panic.
    pub(super) fn cancel(mut self: Pin<&mut Self>) -> Option<Payload> {
        // Where the drop panics, the stage is set all the same.
        catch_unwind(AssertUnwindSafe(|| self.set(Stage::Ended { outcome: None }))).err()
    }

    pub(super) fn take(self: Pin<&mut Self>) -> Outcome<F::Output> {
        match self.project() {
            Projected::Waiting { .. } => None,
            Projected::Ended { outcome } => outcome.take(),
        }
    }
}
