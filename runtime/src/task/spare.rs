//! The memory of tasks that have ended, kept for those to come.
//!
//! ```text
//!   first of its size ──▶ [ next ──┐ ...  ]   ┌─▶ [ none | ... ]
//!                                  └──────────┘
//! ```
//!
//! Tasks come and go in bursts: a batch is spawned, then a batch ends. An allocator keeps a few blocks of a
//! size at hand, and the rest of a burst takes its slow paths: half of what it costs to spawn a task.
//!
//! The blocks that are kept are a list, whose links lie in the blocks: what was just given is in the cache,
//! and taking or giving one is six instructions.

#![allow(unsafe_code)] // a block's first word is a link while it is kept

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// What blocks are made of: few types need a wider alignment.
pub(super) type Unit = u64;

/// The largest block that is kept, in units: tasks of 512 bytes.
const UNITS: usize = 64;

/// Blocks that are kept at most: half a megabyte, if all were of the largest.
const BLOCKS: usize = 1024;

/// A block that is kept: the next one of its size.
struct Kept(Option<NonNull<Kept>>);

const _: () = assert!(size_of::<Kept>() <= size_of::<Unit>());
const _: () = assert!(align_of::<Kept>() <= align_of::<Unit>());

pub(super) struct Spare {
    /// By their number of units, from 1. Those in a list are nobody else's.
    first: [Cell<Option<NonNull<Kept>>>; UNITS],
    len: Cell<usize>,
}

impl Default for Spare {
    fn default() -> Self {
        Self { first: [const { Cell::new(None) }; UNITS], len: Cell::new(0) }
    }
}

fn layout(units: usize) -> Layout {
    Layout::array::<Unit>(units).expect("the size of a type")
}

/// A block of so many units, one at least, to be given back or to be [freed](free).
fn allocate(units: usize) -> NonNull<Unit> {
    let layout = layout(units);
    assert!(units > 0, "a task has a header");
    // SAFETY: the layout is not empty.
    let block = unsafe { alloc(layout) };
    NonNull::new(block.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Frees a block.
///
/// # Safety
/// It is one of [`Spare::take`], of as many units, and nobody uses it any more.
pub(super) unsafe fn free(block: NonNull<Unit>, units: usize) {
    // SAFETY: it was allocated with this layout; the rest the caller has promised.
    unsafe { dealloc(block.as_ptr().cast(), layout(units)) };
}

impl Spare {
    /// A block of so many units, one at least. What is in it is anything.
    #[inline]
    pub(super) fn take(&self, units: usize) -> NonNull<Unit> {
        let Some(first) = self.first.get(units.wrapping_sub(1)) else { return allocate(units) };
        let Some(block) = first.get() else { return allocate(units) };
        // SAFETY: what is in the list is a block that is ours, with a link at its start.
        first.set(unsafe { block.as_ref() }.0);
        self.len.set(self.len.get() - 1);
        block.cast()
    }

    /// Keeps a block, or frees it.
    ///
    /// # Safety
    /// As [`free`]: it is one of `take`, of as many units, and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn give(&self, block: NonNull<Unit>, units: usize) {
        match self.first.get(units.wrapping_sub(1)) {
            Some(first) if self.len.get() < BLOCKS => {
                // SAFETY: a link fits into a unit, and the block is ours now.
                unsafe { block.cast().write(Kept(first.get())) };
                first.set(Some(block.cast()));
                self.len.set(self.len.get() + 1);
            }
            // SAFETY: as the caller has promised.
            _ => unsafe { free(block, units) },
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        for units in 1..=UNITS {
            while self.first[units - 1].get().is_some() {
                // SAFETY: it is a block of so many units, which was in the list.
                unsafe { free(self.take(units), units) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_last_is_taken_first_by_who_wants_its_size() {
        let spare = Spare::default();
        let [a, b, other] = [3, 3, 4].map(|units| spare.take(units));
        // SAFETY: they were just taken, and nothing is done with them.
        unsafe {
            spare.give(a, 3);
            spare.give(other, 4);
            spare.give(b, 3);
        }
        assert_eq!([spare.take(3), spare.take(3), spare.take(4)], [b, a, other]);
        let new = spare.take(3);
        assert!(![a, b].contains(&new));
        // SAFETY: as above.
        unsafe {
            free(a, 3);
            free(b, 3);
            spare.give(new, 3);
            spare.give(other, 4);
        }
    }

    #[test]
    fn no_more_are_kept_than_that_and_none_that_is_too_large() {
        let spare = Spare::default();
        let blocks: Vec<_> = (0..BLOCKS + 10).map(|_| spare.take(2)).collect();
        for block in blocks {
            // SAFETY: it was just taken, and nothing is done with it.
            unsafe { spare.give(block, 2) };
        }
        assert_eq!(spare.len.get(), BLOCKS);
        let large = spare.take(UNITS + 1);
        // SAFETY: as above.
        unsafe { spare.give(large, UNITS + 1) };
        assert_eq!(spare.len.get(), BLOCKS);
    }
}
