//! Single-threaded state that can't be borrowed across foreign code.

use std::cell::RefCell;

/// A value that is reached by [`with`](Self::with) only, so that a borrow never outlives one
/// expression.
///
/// The closure must not run foreign code: what it takes out of the value, it returns, and the
/// caller runs or drops it after the borrow has ended.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(RefCell<T>);

impl<T> Guarded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Lends the value to `f`.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.borrow_mut())
    }
}

impl<T: Default> Guarded<T> {
    /// Empties the value: what was in it is dropped by the caller, outside of the borrow.
    pub(crate) fn take(&self) -> T {
        self.0.take()
    }
}
