//! What the poller watches, and who owns it.

use std::cell::Cell;
use std::io;
use std::mem;
use std::rc::Rc;

use super::{Interest, Poller, Source};
use crate::error::Closed;

/// A source that the poller watches until its handle closes it. It owns the source, so the poller forgets
/// it before it closes.
pub(crate) struct Watched<S: Source> {
    /// Out of its cell while it is lent, which needs no flag.
    source: Cell<Option<S>>,
    poller: Rc<Poller>,
    registered: Cell<Interest>,
}

impl<S: Source> Watched<S> {
    /// Owns `source`; it is not registered before somebody is interested.
    pub(crate) fn new(poller: &Rc<Poller>, source: S) -> Self {
        Self {
            source: Cell::new(Some(source)),
            poller: poller.clone(),
            registered: Cell::new(Interest::NONE),
        }
    }

    /// Lends the source to `f`, for a system call.
    ///
    /// # Errors
    /// [`Closed`], besides those of `f`.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&S) -> io::Result<R>) -> io::Result<R> {
        /// Puts the source back, also after a panic: what is registered must not close.
        struct Lent<'a, S: Source>(&'a Cell<Option<S>>, Option<S>);
        impl<S: Source> Drop for Lent<'_, S> {
            #[inline]
            fn drop(&mut self) {
                // The cell is empty: there is nothing to drop.
                mem::forget(self.0.replace(self.1.take()));
            }
        }
        // Asked before the guard is there, and told by itself: so it takes nothing from what is usual.
        let Some(source) = self.source.take() else { return Err(closed()) };
        let lent = Lent(&self.source, Some(source));
        match &lent.1 {
            Some(source) => f(source),
            None => Err(closed()),
        }
    }

    /// Asks the system for exactly `interest`, in events that carry `key`: at most one system call,
    /// none if nothing changes.
    ///
    /// No interest is no registration: a hang-up or an error can't be masked, and in level mode it
    /// would be reported for ever.
    ///
    /// # Errors
    /// [`Closed`]; the system's.
    #[inline]
    pub(crate) fn set_interest(&self, key: usize, interest: Interest) -> io::Result<()> {
        if interest == self.registered.get() { Ok(()) } else { self.register(key, interest) }
    }

    #[inline(never)]
    fn register(&self, key: usize, interest: Interest) -> io::Result<()> {
        let before = self.registered.get();
        self.with(|source| self.poller.register(source, key, before, interest))?;
        self.registered.set(interest);
        Ok(())
    }

    /// Asks for what `more` says, besides what is asked for already.
    ///
    /// # Errors
    /// [`Closed`]; the system's.
    #[inline]
    pub(crate) fn ask_for(&self, key: usize, more: Interest) -> io::Result<()> {
        self.set_interest(key, self.registered.get() | more)
    }

    /// Asks for `less` no longer.
    pub(crate) fn ask_no_more_for(&self, key: usize, less: Interest) {
        // Less interest can fail only if the poller itself is broken, which its wait reports.
        let _ = self.set_interest(key, self.registered.get().without(less));
    }

    /// Closes the source: the poller forgets it, then the system does.
    pub(crate) fn close(&self) {
        drop(self.take());
    }

    /// Gives the source up: the poller forgets it. What is left is as if it were closed.
    pub(crate) fn take(&self) -> Option<S> {
        let source = self.source.take()?;
        if !self.registered.replace(Interest::NONE).is_none() {
            // It can fail only for what is not registered, and then there is nothing to undo.
            let _ = self.poller.forget(&source);
        }
        Some(source)
    }
}

#[cold]
#[inline(never)]
fn closed() -> io::Error {
    Closed.into()
}

impl<S: Source> Drop for Watched<S> {
    fn drop(&mut self) {
        self.close();
    }
}
