//! The queue of what runs most often: ticks and microtasks.
//!
//! ```text
//!   places   [ e f . . a b c d ]      a power of two of them, and always one that is free
//!                  │   └ head         both count on for ever; the low bits are the place
//!                  └ tail
//! ```
//!
//! As [`LocalQueue`](super::LocalQueue), without what that asks at each step: whether it is borrowed, and
//! where the end of the memory is. A push and a pop are 20 user instructions in place of 60, and a
//! task takes both for each of its turns.
//!
//! Since a place is free, an entry is written to it before anything is asked: one that had to be kept
//! across the growth would be stored on the stack, word by word, and loaded from there as one, which
//! waits for the stores.

#![allow(unsafe_code)] // no flag says that the places are borrowed: see `with_places`

use std::cell::{Cell, UnsafeCell};
use std::mem::{MaybeUninit, replace, swap};

/// Places at the start: a power of two, and not none.
const FIRST_ROOM: usize = 16;

const _: () = assert!(FIRST_ROOM.is_power_of_two());

/// A FIFO that may be pushed to while one of its entries runs.
pub(crate) struct Ring<T> {
    /// Those from `head` to `tail` have an entry in them.
    places: UnsafeCell<Box<[MaybeUninit<T>]>>,
    head: Cell<usize>,
    tail: Cell<usize>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        let places = UnsafeCell::new(Box::new_uninit_slice(FIRST_ROOM));
        Self { places, head: Cell::new(0), tail: Cell::new(0) }
    }
}

impl<T> Ring<T> {
    #[inline(always)] // an entry that is passed by memory would be stored twice
    pub(crate) fn push(&self, entry: T) {
        let tail = self.tail.get();
        let next = tail.wrapping_add(1);
        let is_full = self.with_places(|places| {
            *place(places, tail) = MaybeUninit::new(entry);
            next.wrapping_sub(self.head.get()) == places.len()
        });
        if is_full {
            self.grow(next);
        } else {
            self.tail.set(next);
        }
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let head = self.head.get();
        self.head.set(head.wrapping_add(1));
        let entry = self.with_places(|places| replace(place(places, head), MaybeUninit::uninit()));
        // SAFETY: it lay between head and tail, so it was pushed, and head has left it behind.
        Some(unsafe { entry.assume_init() })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.get() == self.head.get()
    }

    /// Lends the places to `f`, which moves entries and does nothing else.
    #[inline(always)]
    fn with_places<R>(&self, f: impl FnOnce(&mut Box<[MaybeUninit<T>]>) -> R) -> R {
        // SAFETY: a ring stays on one thread. Each `f` is in this file: it calls nothing that could come
        // here again, since what is moved is neither cloned nor dropped. So the borrow is the only one.
        f(unsafe { &mut *self.places.get() })
    }

    /// Doubles the room for the entries up to `tail`, the last of which was pushed just now. They keep their
    /// numbers, of which one bit more tells the place from now on.
    #[cold]
    fn grow(&self, tail: usize) {
        self.with_places(|places| {
            // If this panics the last entry is forgotten, and its place is free.
            let mut wider = Box::new_uninit_slice(places.len() * 2);
            let mut number = self.head.get();
            while number != tail {
                swap(place(&mut wider, number), place(places, number));
                number = number.wrapping_add(1);
            }
            // Nothing is dropped with the former places: their entries have moved.
            *places = wider;
        });
        self.tail.set(tail);
    }
}

/// The place of an entry, by its number.
#[inline(always)]
fn place<T>(places: &mut [MaybeUninit<T>], number: usize) -> &mut MaybeUninit<T> {
    debug_assert!(places.len().is_power_of_two());
    let low_bits = places.len() - 1;
    // SAFETY: a ring has places from the start. With no bit beyond those of the last one's number this is no
    // larger than that.
    unsafe { places.get_unchecked_mut(number & low_bits) }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // All of them first: a drop that panics does not keep the others.
        drop(std::iter::from_fn(|| self.pop()).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;
    use crate::base::random::Random;

    #[test]
    fn an_entry_may_push_while_it_runs() {
        let ring = Ring::default();
        let mut seen = Vec::new();
        ring.push(1);
        while let Some(n) = ring.pop() {
            seen.push(n);
            if n < 3 {
                ring.push(n + 1);
            }
        }
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn it_is_a_queue_however_often_it_wraps_and_grows() {
        let mut random = Random::new(1);
        let (ring, mut model) = (Ring::default(), VecDeque::new());
        // As after so many entries: the numbers wrap in the middle of this.
        ring.head.set(usize::MAX - 300);
        ring.tail.set(usize::MAX - 300);
        for n in 0..if cfg!(miri) { 1_000 } else { 20_000 } {
            // Grows for a while, then shrinks.
            if random.below(100) < (if n % 700 < 350 { 60 } else { 40 }) {
                ring.push(Box::new(n));
                model.push_back(Box::new(n));
            } else {
                assert_eq!(ring.pop(), model.pop_front());
            }
            assert_eq!((ring.len(), ring.is_empty()), (model.len(), model.is_empty()));
        }
        assert!(std::iter::from_fn(|| ring.pop()).eq(model));
    }

    #[test]
    fn what_is_left_is_dropped_once_though_a_drop_panics() {
        struct Noted(Rc<Cell<u32>>, bool);
        impl Drop for Noted {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                assert!(!self.1, "on purpose");
            }
        }
        let dropped = Rc::new(Cell::new(0));
        let ring = Ring::default();
        for n in 0..40 {
            ring.push(Noted(dropped.clone(), n == 20));
        }
        drop((ring.pop(), ring.pop()));
        assert_eq!(dropped.get(), 2);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(ring))).is_err());
        assert_eq!(dropped.get(), 40);
    }
}
