//! Values behind generational keys.

use std::num::NonZeroU32;

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
    pub(crate) const DEAD: Key = Key::new(u32::MAX, NonZeroU32::MIN);

    const fn new(index: u32, generation: NonZeroU32) -> Key {
        Key((index as u64) << 32 | generation.get() as u64)
    }

    /// The place in the arena, for [`Arena::at`].
    #[inline]
    pub(crate) const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn generation(self) -> u32 {
        self.0 as u32
    }
}

/// A slab whose places carry a generation. Not being zero, it also says which places are taken.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    entries: Slab<(NonZeroU32, T)>,
    next_generation: NonZeroU32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { entries: Slab::new(), next_generation: NonZeroU32::MIN }
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
        self.next_generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.entries.insert((generation, value));
        let index = u32::try_from(index).expect("fewer than 2^32 values at once");
        Key::new(index, generation)
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let (generation, value) = self.entries.get(key.index() as usize)?;
        (generation.get() == key.generation()).then_some(value)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, value) = self.entries.get_mut(key.index() as usize)?;
        (generation.get() == key.generation()).then_some(value)
    }

    /// Removes a value; the caller drops it.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.entries.remove(key.index() as usize).1)
    }

    /// The value at a place that is known to be taken: for links between values that are here as long
    /// as the link is.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> &T {
        &self.entries[index as usize].1
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        &mut self.entries[index as usize].1
    }

    /// The key of a place that is known to be taken.
    #[inline]
    pub(crate) fn key_at(&self, index: u32) -> Key {
        Key::new(index, self.entries[index as usize].0)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
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
