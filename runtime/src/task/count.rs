//! How many references to a task there are, counted in two parts.
//!
//! ```text
//!   local    what home cloned less what it dropped        plain
//!   shared   the same of other threads, and `HOME` as     atomic
//!            long as home itself refers to the task
//! ```
//!
//! The sum is what is left. A part alone may be negative: a waker that is cloned here may be dropped there.
//! But while home refers to the task `HOME` is in the sum, and nobody finds it zero. When home leaves it
//! adds `local` to `shared` and takes `HOME` out; from then on everybody, home included, counts in
//! `shared`, and who brings it to zero is the last.

use std::cell::Cell;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Home's share of `shared`: more than there can ever be references.
const HOME: i64 = 1 << 62;

#[derive(Debug)]
pub(super) struct Count {
    local: Cell<i64>,
    shared: AtomicI64,
}

impl Count {
    /// Home's reference, and no other.
    pub(super) fn new() -> Self {
        Self { local: Cell::new(0), shared: AtomicI64::new(HOME) }
    }

    /// One more, counted at home, which has not left.
    #[inline]
    pub(super) fn retain_at_home(&self) {
        self.local.set(self.local.get() + 1);
    }

    /// One less, counted at home, which has not left: it is not the last.
    #[inline]
    pub(super) fn release_at_home(&self) {
        self.local.set(self.local.get() - 1);
    }

    /// One more, by who has one.
    #[inline]
    pub(super) fn retain_shared(&self) {
        self.shared.fetch_add(1, Relaxed);
    }

    /// One less. True if it was the last: then all that others did to the task has happened before.
    #[inline]
    pub(super) fn release_shared(&self) -> bool {
        self.shared.fetch_sub(1, AcqRel) == 1
    }

    /// Home leaves, which it does once. True if it was the last.
    #[inline]
    pub(super) fn leave(&self) -> bool {
        let change = self.local.get() - HOME;
        // Mostly nobody else is left. A sum of zero stays zero: nobody is there to change it. And it is not
        // zero too early: what home has from elsewhere was counted there before it came.
        self.shared.load(Acquire) + change == 0
            || self.shared.fetch_add(change, AcqRel) + change == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_alone_is_the_last() {
        assert!(Count::new().leave());
    }

    #[test]
    fn what_is_cloned_on_one_side_may_be_dropped_on_the_other() {
        let count = Count::new();
        count.retain_at_home();
        assert!(!count.release_shared());
        count.retain_shared();
        count.release_at_home();
        assert!(count.leave());
    }

    #[test]
    fn who_outlives_home_is_the_last() {
        let count = Count::new();
        count.retain_at_home();
        count.retain_shared();
        assert!(!count.leave());
        count.retain_shared();
        assert!(!count.release_shared());
        assert!(!count.release_shared());
        assert!(count.release_shared());
    }
}
