//! The list of the tasks that are alive.

use std::cell::Cell;
use std::ptr::NonNull;

use super::{Header, Link, cancel, flags, header};
use crate::task::flags::{LIVING, RUNNING, WOKEN};

/// The tasks of an executor whose future is there, the oldest first. Without it a task that left no
/// waker anywhere would be freed with its future never dropped; and teardown has to reach them all.
#[derive(Default)]
pub(in crate::task) struct Living {
    first: Cell<Link>,
    last: Cell<Link>,
    len: Cell<usize>,
}

impl Living {
    pub(in crate::task) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    pub(super) fn link(&self, task: NonNull<Header>) {
        let last = self.last.replace(Some(task));
        header(task).previous.set(last);
        last.map_or(&self.first, |last| &header(last).next).set(Some(task));
        self.len.set(self.len.get() + 1);
    }

    #[inline]
    pub(super) fn unlink(&self, task: NonNull<Header>) {
        let (previous, next) = (header(task).previous.get(), header(task).next.get());
        previous.map_or(&self.first, |previous| &header(previous).next).set(next);
        next.map_or(&self.last, |next| &header(next).previous).set(previous);
        self.len.set(self.len.get() - 1);
    }

    /// Drops the future of the oldest task. One that is polled just now loses it when the poll returns.
    pub(in crate::task) fn cancel_first(&self) {
        let Some(task) = self.first.get() else { return };
        if flags(task).has(RUNNING) {
            self.unlink(task);
            // As if it were woken: so that it is looked at when the poll returns.
            flags(task).change(LIVING, WOKEN);
        } else {
            cancel(task);
        }
    }
}
