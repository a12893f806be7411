//! A FIFO that may be pushed to while one of its entries runs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// A ring buffer behind `&self`. Every method ends its borrow before it returns, so
/// `while let Some(f) = queue.pop() { f() }` may push from inside `f`.
#[derive(Debug)]
pub(crate) struct LocalQueue<T> {
    ring: RefCell<VecDeque<T>>,
    /// That of the ring. A queue is far more often asked whether it is empty than it is not: this
    /// spares the question the borrow.
    len: Cell<usize>,
}

impl<T> Default for LocalQueue<T> {
    fn default() -> Self {
        Self { ring: RefCell::default(), len: Cell::new(0) }
    }
}

impl<T> LocalQueue<T> {
    #[inline(always)] // an entry that is passed by memory would be stored twice
    pub(crate) fn push(&self, entry: T) {
        self.ring.borrow_mut().push_back(entry);
        self.len.set(self.len.get() + 1);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        self.len.set(self.len.get() - 1);
        self.ring.borrow_mut().pop_front()
    }

    /// Removes the newest entry.
    pub(crate) fn pop_newest(&self) -> Option<T> {
        let newest = self.ring.borrow_mut().pop_back()?;
        self.len.set(self.len.get() - 1);
        Some(newest)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// Moves all of `entries` to the end. Where this is empty the two are swapped: nothing is copied,
    /// and the memory of both is used again.
    pub(crate) fn append(&self, entries: &mut VecDeque<T>) {
        let mut ring = self.ring.borrow_mut();
        if ring.is_empty() {
            std::mem::swap(&mut *ring, entries);
        } else {
            ring.append(entries);
        }
        self.len.set(ring.len());
    }

    /// Whether `test`, which must not run foreign code, holds for an entry.
    pub(crate) fn any(&self, test: impl FnMut(&T) -> bool) -> bool {
        self.ring.borrow().iter().any(test)
    }

    /// Empties the queue; the caller drops what was in it.
    pub(crate) fn take(&self) -> VecDeque<T> {
        self.replace(VecDeque::new())
    }

    /// Exchanges the entries with those of `other`; both keep their room.
    pub(crate) fn swap(&self, other: &Self) {
        self.ring.swap(&other.ring);
        self.len.swap(&other.len);
    }

    /// Replaces the entries by `entries`; the caller drops what was there.
    pub(crate) fn replace(&self, entries: VecDeque<T>) -> VecDeque<T> {
        self.len.set(entries.len());
        self.ring.replace(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_may_push_while_it_runs() {
        let queue = LocalQueue::default();
        let mut seen = Vec::new();
        queue.push(1);
        while let Some(n) = queue.pop() {
            seen.push(n);
            if n < 3 {
                queue.push(n + 1);
            }
        }
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn what_is_appended_stands_behind_what_was_there() {
        let queue = LocalQueue::default();
        let mut more = VecDeque::from([1, 2]);
        queue.append(&mut more);
        more.push_back(3);
        queue.append(&mut more);
        assert!(more.is_empty());
        assert!(queue.any(|&n| n == 3) && !queue.any(|&n| n == 4));
        assert_eq!(queue.take(), [1, 2, 3]);
    }

    #[test]
    fn both_ends_are_open() {
        let queue = LocalQueue::default();
        [1, 2, 3].into_iter().for_each(|n| queue.push(n));
        assert_eq!(queue.pop_newest(), Some(3));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.len(), 1);
    }
}
