//! What waits for a task's end, and has its output.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Header, HomeRef, abort, flags, header, report, retain, take_waiter, unclaim};
use crate::task::executor::Executor;
use crate::task::flags::{AWAITED, DONE, JOINED};
use crate::task::stage::Outcome;

/// The right to a task's output.
pub(crate) struct Join<T> {
    pub(super) task: NonNull<Header>,
    pub(super) output: PhantomData<fn() -> T>,
}

impl<T> Join<T> {
    pub(in crate::task) fn executor(&self) -> Rc<Executor> {
        // SAFETY: home has a claim, and so a count of it, which stays.
        let owned = ManuallyDrop::new(unsafe { Rc::from_raw(header(self.task).executor) });
        Rc::clone(&owned)
    }

    /// Not before its future is dropped, which may ask.
    pub(in crate::task) fn is_finished(&self) -> bool {
        flags(self.task).is_over()
    }

    /// Makes the task's next turn its last, if it has not ended.
    pub(in crate::task) fn abort(&self) {
        abort(self.task);
    }

    /// What aborts it without being its handle.
    pub(in crate::task) fn reference(&self) -> HomeRef {
        retain(self.task);
        HomeRef(self.task)
    }

    /// The output, `None` if there is none: the task was cancelled, or this was asked before.
    pub(in crate::task) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        if !flags(self.task).is_over() {
            self.wait(cx.waker());
            // That was foreign code: look again.
            if !flags(self.task).is_over() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }

    fn wait(&self, waker: &Waker) {
        let waiter = &header(self.task).waiter;
        let known = waiter.take().filter(|known| known.will_wake(waker));
        let replaced = waiter.replace(Some(known.unwrap_or_else(|| waker.clone())));
        flags(self.task).change(0, AWAITED);
        drop(replaced);
    }

    fn take(&self) -> Outcome<T> {
        let mut output = None;
        if flags(self.task).is_over() {
            // SAFETY: the stage is not lent, and this `Join` was made with the type of the output.
            unsafe {
                (header(self.task).vtable.take)(self.task, NonNull::from(&mut output).cast())
            };
        }
        output
    }
}

impl<T> Join<T> {
    /// Drops the output of a task that has ended, or the waker of who waits for that.
    #[inline(never)]
    fn drop_outcome(&self) {
        let output = match self.take() {
            Some(Ok(output)) => Some(output),
            // A panic that nobody sees any more.
            Some(Err(payload)) => {
                report(self.task, payload);
                None
            }
            None => None,
        };
        let waiter = take_waiter(self.task);
        unclaim(self.task, JOINED);
        drop((waiter, output));
    }
}

impl<T> Drop for Join<T> {
    #[inline]
    fn drop(&mut self) {
        let flags = flags(self.task);
        if flags.has(DONE | AWAITED) {
            self.drop_outcome();
        } else {
            // It is not done: this is not home's last claim.
            flags.change(JOINED, 0);
        }
    }
}
