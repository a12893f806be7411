//! Entries in order, and a pass over them.

use std::collections::BTreeMap;

/// Entries in the order they came, each with a number by which it can leave; and a pass over them, which
/// stands before the next entry.
pub(super) struct Line<T> {
    entries: BTreeMap<u64, T>,
    next_number: u64,
    pass: Option<u64>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next_number: 0, pass: None }
    }
}

impl<T> Line<T> {
    pub(super) fn push(&mut self, entry: T) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.entries.insert(number, entry);
        number
    }

    /// Replaces an entry, if it is there; the caller drops what is given back.
    pub(super) fn replace(&mut self, number: u64, entry: T) -> Option<T> {
        match self.entries.get_mut(&number) {
            Some(place) => Some(std::mem::replace(place, entry)),
            None => Some(entry),
        }
    }

    /// Removes an entry; the caller drops it. A pass that stands before it goes on.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        if self.pass == Some(number) {
            self.pass = self.after(number);
        }
        self.entries.remove(&number)
    }

    /// Begins a pass.
    pub(super) fn rewind(&mut self) {
        self.pass = self.entries.keys().next().copied();
    }

    /// Removes the next entry of the pass, which ends here if there is none behind it.
    pub(super) fn take_next(&mut self) -> Option<T> {
        self.remove(self.pass?)
    }

    fn after(&self, number: u64) -> Option<u64> {
        self.entries.range(number + 1..).next().map(|(number, _)| *number)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_values()
    }
}
