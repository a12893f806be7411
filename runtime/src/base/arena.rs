//! Values behind generational keys.

use slab::Slab;

/// Names one value of an [`Arena`] for ever: after its removal the key finds nothing, even when
/// the place is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(
    // One word, not two halves: those are stored one by one where they are made, and loaded as a word
    // where they are copied, which then waits for the store.
    u64,
);

impl Key {
    /// A key that no arena gives out.
    pub(crate) const DEAD: Key = Key::new(u32::MAX, 0);

    const fn new(index: u32, generation: u32) -> Key {
        Key((index as u64) << 32 | generation as u64)
    }

    const fn index(self) -> usize {
        (self.0 >> 32) as usize
    }

    const fn generation(self) -> u32 {
        self.0 as u32
    }
}

/// A slab whose places carry a generation.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    entries: Slab<(u32, T)>,
    next_generation: u32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { entries: Slab::new(), next_generation: 0 }
    }
}

impl<T> Arena<T> {
    /// The key of the next [`insert`](Self::insert).
    #[inline]
    pub(crate) fn next_key(&self) -> Key {
        let index =
            u32::try_from(self.entries.vacant_key()).expect("fewer than 2^32 values at once");
        Key::new(index, self.next_generation)
    }

    #[inline(always)]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        let generation = self.next_generation;
        // One counter for all places: a key repeats only if 2^32 insertions later the same place
        // is free, and then only for whoever kept the old key all that time.
        self.next_generation = generation.wrapping_add(1);
        let index = self.entries.insert((generation, value));
        let index = u32::try_from(index).expect("fewer than 2^32 values at once");
        Key::new(index, generation)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let (generation, value) = self.entries.get(key.index())?;
        (*generation == key.generation()).then_some(value)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, value) = self.entries.get_mut(key.index())?;
        (*generation == key.generation()).then_some(value)
    }

    /// Removes a value; the caller drops it.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.entries.remove(key.index()).1)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().map(|(_, (_, value))| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(index, (generation, value))| {
            // It was checked when the value came in.
            (Key::new(index as u32, *generation), value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing_in_a_reused_place() {
        let mut arena = Arena::default();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(old.index(), new.index());
        assert!(arena.get(old).is_none() && arena.remove(old).is_none());
        assert_eq!(arena.get(new), Some(&"new"));
    }

    #[test]
    fn the_dead_key_finds_nothing() {
        let mut arena = Arena::default();
        arena.insert(());
        assert!(arena.get(Key::DEAD).is_none());
    }
}
