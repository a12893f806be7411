//! Values behind generational keys.

use std::num::NonZeroU32;

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

/// Places that are used again, each with a generation.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    places: Vec<Place<T>>,
    /// The place that is taken next; behind the last one if all are taken.
    vacant: u32,
    len: usize,
    next_generation: NonZeroU32,
}

#[derive(Debug)]
enum Place<T> {
    /// The place that is taken after this one.
    Vacant {
        next: u32,
    },
    Taken(NonZeroU32, T),
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { places: Vec::new(), vacant: 0, len: 0, next_generation: NonZeroU32::MIN }
    }
}

/// A place that waits for its value.
pub(crate) struct Vacancy<'a, T> {
    place: &'a mut Place<T>,
    index: u32,
    generation: NonZeroU32,
}

impl<T> Vacancy<'_, T> {
    /// Puts the value there. This can't fail, so that the value is built in its place.
    #[inline(always)]
    pub(crate) fn fill(self, value: T) -> Key {
        let vacant = std::mem::replace(self.place, Place::Taken(self.generation, value));
        // There is nothing in it, and this says so to the compiler.
        std::mem::forget(vacant);
        Key::new(self.index, self.generation)
    }
}

impl<T> Arena<T> {
    /// The key of the next [`insert`](Self::insert).
    #[inline]
    pub(crate) fn next_key(&self) -> Key {
        Key::new(self.vacant, self.next_generation)
    }

    #[inline(always)]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.vacancy().fill(value)
    }

    /// The place for a value, which must be filled: it counts as taken.
    #[inline(always)]
    pub(crate) fn vacancy(&mut self) -> Vacancy<'_, T> {
        let index = self.vacant;
        if index as usize == self.places.len() {
            self.add_place();
        }
        let place = &mut self.places[index as usize];
        let Place::Vacant { next } = *place else { unreachable!("the next place is vacant") };
        let generation = self.next_generation;
        self.vacant = next;
        self.len += 1;
        // One counter for all places: a key repeats only if 2^32 insertions later the same place
        // is free, and then only for whoever kept the old key all that time.
        self.next_generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        Vacancy { place, index, generation }
    }

    #[cold]
    fn add_place(&mut self) {
        let next = u32::try_from(self.places.len() + 1).expect("fewer than 2^32 values at once");
        self.places.push(Place::Vacant { next });
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.places.get(key.index() as usize)? {
            Place::Taken(generation, value) if generation.get() == key.generation() => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.places.get_mut(key.index() as usize)? {
            Place::Taken(generation, value) if generation.get() == key.generation() => Some(value),
            _ => None,
        }
    }

    /// Removes a value; the caller drops it.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let place = &mut self.places[key.index() as usize];
        let former = std::mem::replace(place, Place::Vacant { next: self.vacant });
        self.freed(key.index());
        match former {
            Place::Taken(_, value) => Some(value),
            Place::Vacant { .. } => None,
        }
    }

    /// Removes the value at a place that is known to be taken, and drops it there, which spares the move.
    #[inline]
    pub(crate) fn discard_at(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        if matches!(place, Place::Taken(..)) {
            *place = Place::Vacant { next: self.vacant };
            self.freed(index);
        }
    }

    #[inline]
    fn freed(&mut self, index: u32) {
        self.vacant = index;
        self.len -= 1;
    }

    /// The value at a place that is known to be taken: for links between values that are here as long
    /// as the link is.
    #[inline]
    pub(crate) fn at(&self, index: u32) -> &T {
        match &self.places[index as usize] {
            Place::Taken(_, value) => value,
            Place::Vacant { .. } => not_taken(),
        }
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        match &mut self.places[index as usize] {
            Place::Taken(_, value) => value,
            Place::Vacant { .. } => not_taken(),
        }
    }

    /// The key of a place that is known to be taken.
    #[inline]
    pub(crate) fn key_at(&self, index: u32) -> Key {
        match self.places[index as usize] {
            Place::Taken(generation, _) => Key::new(index, generation),
            Place::Vacant { .. } => not_taken(),
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.places.into_iter().filter_map(|place| match place {
            Place::Taken(_, value) => Some(value),
            Place::Vacant { .. } => None,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        (0..).zip(&self.places).filter_map(|(index, place)| match place {
            Place::Taken(generation, value) => Some((Key::new(index, *generation), value)),
            Place::Vacant { .. } => None,
        })
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_taken() -> ! {
    unreachable!("the place is taken as long as there is a link to it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing_in_a_reused_place() {
        let mut arena = Arena::<_>::default();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(old.index(), new.index());
        assert!(arena.get(old).is_none() && arena.remove(old).is_none());
        assert_eq!(arena.get(new), Some(&"new"));
    }

    #[test]
    fn places_are_used_again_the_last_one_first() {
        let mut arena = Arena::<_>::default();
        let keys = ["a", "b", "c"].map(|name| arena.insert(name));
        assert_eq!(arena.remove(keys[0]), Some("a"));
        arena.discard_at(2);
        arena.discard_at(2);
        assert_eq!((arena.len(), arena.at(1)), (1, &"b"));
        let next = arena.next_key();
        assert_eq!((next.index(), arena.insert("d")), (2, next));
        assert_eq!((arena.insert("e").index(), arena.insert("f").index()), (0, 3));
        assert_eq!(arena.iter().map(|(_, name)| *name).collect::<String>(), "ebdf");
        assert_eq!(arena.into_values().collect::<String>(), "ebdf");
    }

    #[test]
    fn a_value_is_dropped_once() {
        let counted = std::rc::Rc::new(());
        let mut arena = Arena::<_>::default();
        let keys = [0; 3].map(|_| arena.insert(counted.clone()));
        arena.discard_at(keys[0].index());
        assert_eq!(std::rc::Rc::strong_count(&counted), 3);
        drop(arena.remove(keys[1]));
        arena.insert(counted.clone());
        assert_eq!(std::rc::Rc::strong_count(&counted), 3);
        drop(arena);
        assert_eq!(std::rc::Rc::strong_count(&counted), 1);
    }

    #[test]
    fn the_dead_key_finds_nothing() {
        let mut arena = Arena::<_>::default();
        arena.insert(());
        assert!(arena.get(Key::DEAD).is_none());
    }
}
