//! Where a handle keeps its callback.
//!
//! ```text
//!            take()                      Running dropped (also by a panic)
//!  [ kept ] ────────▶ [ running, slot empty ] ────────▶ [ kept ]
//!                         │ set() or clear() inside of the callback
//!                         ▼
//!                     [ replaced or gone ]: the old one is dropped when it returns
//! ```

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// A slot for a boxed callback that may be replaced, cleared or left alone while it runs.
pub(crate) struct CallbackSlot<F: ?Sized> {
    callback: Cell<Option<Box<F>>>,
    /// Counts `set` and `clear`, so that a callback that comes back sees whether it still belongs.
    changes: Cell<u32>,
}

impl<F: ?Sized> Default for CallbackSlot<F> {
    fn default() -> Self {
        Self { callback: Cell::new(None), changes: Cell::new(0) }
    }
}

impl<F: ?Sized> CallbackSlot<F> {
    fn change(&self, callback: Option<Box<F>>) -> Option<Box<F>> {
        self.changes.set(self.changes.get().wrapping_add(1));
        self.callback.replace(callback)
    }

    /// Installs `callback`; the caller drops the one it replaces.
    #[must_use]
    pub(crate) fn set(&self, callback: Box<F>) -> Option<Box<F>> {
        self.change(Some(callback))
    }

    /// Removes the callback; the caller drops it. One that runs just now is dropped when it
    /// returns.
    #[must_use]
    pub(crate) fn clear(&self) -> Option<Box<F>> {
        self.change(None)
    }

    /// Takes the callback out for one call. It goes back when the guard is dropped, unless the
    /// slot was set or cleared meanwhile.
    #[inline]
    pub(crate) fn take(&self) -> Option<Running<'_, F>> {
        let callback = self.callback.take()?;
        Some(Running { slot: self, callback: Some(callback), changes: self.changes.get() })
    }
}

/// A callback that is out of its slot, being called.
pub(crate) struct Running<'a, F: ?Sized> {
    slot: &'a CallbackSlot<F>,
    callback: Option<Box<F>>,
    changes: u32,
}

impl<F: ?Sized> Deref for Running<'_, F> {
    type Target = F;

    fn deref(&self) -> &F {
        self.callback.as_deref().expect("present until the guard is dropped")
    }
}

impl<F: ?Sized> DerefMut for Running<'_, F> {
    fn deref_mut(&mut self) -> &mut F {
        self.callback.as_deref_mut().expect("present until the guard is dropped")
    }
}

impl<F: ?Sized> Drop for Running<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if self.slot.changes.get() == self.changes {
            self.slot.callback.set(self.callback.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Slot = CallbackSlot<dyn Fn() -> u32>;

    fn call(slot: &Slot) -> Option<u32> {
        slot.take().map(|f| f())
    }

    #[test]
    fn a_callback_goes_back_after_its_call() {
        let slot = Slot::default();
        assert!(slot.set(Box::new(|| 1)).is_none());
        assert_eq!((call(&slot), call(&slot)), (Some(1), Some(1)));
    }

    #[test]
    fn a_callback_replaced_while_it_runs_does_not_come_back() {
        let slot = Slot::default();
        drop(slot.set(Box::new(|| 1)));
        let running = slot.take();
        assert!(slot.set(Box::new(|| 2)).is_none());
        drop(running);
        assert_eq!(call(&slot), Some(2));
    }

    #[test]
    fn a_callback_cleared_while_it_runs_does_not_come_back() {
        let slot = Slot::default();
        drop(slot.set(Box::new(|| 1)));
        let running = slot.take();
        assert!(slot.clear().is_none());
        drop(running);
        assert_eq!(call(&slot), None);
    }
}
