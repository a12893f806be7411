//! The list behind idle, prepare and check handles.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Entries in the order of their start, run newest first as in libuv.
///
/// A pass is a number that falls: `next_before(u64::MAX)` is the newest entry, and `next_before(n)`
/// the one that was started before `n`. What is started during a pass has a higher number, so it
/// waits for the next pass; what is stopped is not found. No snapshot is taken.
#[derive(Debug)]
pub(crate) struct WatchList<T> {
    entries: RefCell<BTreeMap<u64, T>>,
    /// That of the entries: each iteration asks for it, and is spared the borrow.
    len: Cell<usize>,
}

impl<T> Default for WatchList<T> {
    fn default() -> Self {
        Self { entries: RefCell::default(), len: Cell::new(0) }
    }
}

impl<T: Clone> WatchList<T> {
    /// Adds an entry under `serial`, which must be above all that were ever used.
    pub(crate) fn start(&self, serial: u64, entry: T) {
        let earlier = self.entries.borrow_mut().insert(serial, entry);
        debug_assert!(earlier.is_none(), "a serial is used once");
        self.len.set(self.len.get() + 1);
    }

    /// Removes an entry; the caller drops it.
    pub(crate) fn stop(&self, serial: u64) -> Option<T> {
        let stopped = self.entries.borrow_mut().remove(&serial)?;
        self.len.set(self.len.get() - 1);
        Some(stopped)
    }

    /// The newest entry with a serial below `serial`.
    pub(crate) fn next_before(&self, serial: u64) -> Option<(u64, T)> {
        let entries = self.entries.borrow();
        let (serial, entry) = entries.range(..serial).next_back()?;
        Some((*serial, entry.clone()))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_and_what_starts_or_stops_in_a_pass_is_respected() {
        let list = WatchList::default();
        for serial in 1..=3 {
            list.start(serial, serial);
        }
        let (mut pass, mut seen) = (u64::MAX, Vec::new());
        while let Some((serial, entry)) = list.next_before(pass) {
            pass = serial;
            seen.push(entry);
            if entry == 3 {
                list.start(4, 4); // waits for the next pass
                list.stop(2); // does not run
            }
        }
        assert_eq!(seen, [3, 1]);
        assert_eq!(list.next_before(u64::MAX), Some((4, 4)));
    }
}
