//! What a task holds: its future, then its outcome.
//!
//! Which of the two it is says the task's flag `DONE`, so the stage itself need not: a union, whose users
//! all have the flags at hand. The future is there until that flag is set, just before it is dropped; the
//! outcome is there afterwards.

#![allow(unsafe_code)] // a flag outside of it says what is in it: see above

use std::any::Any;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::flags::{DONE, Flags, JOINED};

/// What a panic unwinds with.
pub(super) type Payload = Box<dyn Any + Send>;

/// A task's outcome, if there is one: none if it was cancelled, or the outcome was taken.
pub(super) type Outcome<T> = Option<Result<T, Payload>>;

/// What a poll says, in one register: a payload goes by the executor.
pub(super) enum Polled {
    Pending,
    /// `DONE` is set.
    Ended,
    /// It ended by a panic that is to be raised again: the executor has it.
    Unwinds,
}

pub(super) union Stage<F: Future> {
    future: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<F::Output>>,
}

impl<F: Future> Stage<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: ManuallyDrop::new(future) }
    }

    /// Polls the future. A panic comes out of it: then the future is gone if the flag says so.
    ///
    /// # Safety
    /// The future is there, and will not be moved.
    #[inline]
    pub(super) unsafe fn poll(&mut self, cx: &mut Context<'_>, flags: &Flags) -> Polled {
        // SAFETY: as the caller has promised.
        let future = unsafe { Pin::new_unchecked(&mut *self.future) };
        let Poll::Ready(output) = future.poll(cx) else { return Polled::Pending };
        flags.change(0, DONE);
        // The drop of the future's own state is part of the task: its panic counts too.
        // SAFETY: it was there a line ago. From the flag on nobody takes it to be.
        unsafe { self.drop_future() };
        if flags.has(JOINED) {
            self.end(Some(Ok(output)));
        }
        Polled::Ended
    }

    /// Drops the future, and gives its panic. `DONE` is set by the caller.
    ///
    /// # Safety
    /// The future is there, and nobody takes it to be from now on.
    pub(super) unsafe fn cancel(&mut self) -> Option<Payload> {
        // SAFETY: as the caller has promised.
        catch_unwind(AssertUnwindSafe(|| unsafe { self.drop_future() })).err()
    }

    /// # Safety
    /// As [`cancel`](Self::cancel).
    #[inline]
    unsafe fn drop_future(&mut self) {
        /// Where the drop panics the outcome is set all the same.
        struct Ends<'a, F: Future>(&'a mut Stage<F>);
        impl<F: Future> Drop for Ends<'_, F> {
            fn drop(&mut self) {
                self.0.end(None);
            }
        }
        let ends = Ends(self);
        // SAFETY: as the caller has promised. It is dropped where it lies, as what is pinned must be.
        unsafe { ManuallyDrop::drop(&mut ends.0.future) };
    }

    /// Sets the outcome, where none or `None` is. The future is gone.
    #[inline]
    pub(super) fn end(&mut self, outcome: Outcome<F::Output>) {
        self.outcome = ManuallyDrop::new(outcome);
    }

    /// # Safety
    /// The outcome is there.
    pub(super) unsafe fn take(&mut self) -> Outcome<F::Output> {
        // SAFETY: as the caller has promised.
        unsafe { self.outcome.take() }
    }
}
