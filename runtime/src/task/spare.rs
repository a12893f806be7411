//! The memory of tasks that have ended, kept for those to come.
//!
//! Tasks come and go in bursts: a batch is spawned, then a batch ends. An allocator keeps a few blocks of a
//! size at hand, and the rest of a burst takes its slow paths: half of what it costs to spawn a task.

use std::mem::MaybeUninit;

use crate::base::Guarded;

/// What blocks are made of: few types need a wider alignment.
pub(super) type Unit = u64;

pub(super) type Block = Box<[MaybeUninit<Unit>]>;

/// The largest block that is kept, in units: tasks of 512 bytes.
const UNITS: usize = 64;

/// Blocks that are kept at most: half a megabyte, if all were of the largest.
const BLOCKS: usize = 1024;

#[derive(Default)]
pub(super) struct Spare(Guarded<Kept>);

struct Kept {
    /// By their number of units, from 1.
    blocks: [Vec<Block>; UNITS],
    len: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self { blocks: [const { Vec::new() }; UNITS], len: 0 }
    }
}

impl Spare {
    #[inline]
    pub(super) fn take(&self, units: usize) -> Block {
        let kept = self.0.with(|kept| {
            let block = kept.blocks.get_mut(units.wrapping_sub(1))?.pop()?;
            kept.len -= 1;
            Some(block)
        });
        kept.unwrap_or_else(|| Box::new_uninit_slice(units))
    }

    #[inline]
    pub(super) fn give(&self, block: Block) {
        let refused = self.0.with(|kept| match kept.blocks.get_mut(block.len().wrapping_sub(1)) {
            Some(blocks) if kept.len < BLOCKS => {
                blocks.push(block);
                kept.len += 1;
                None
            }
            _ => Some(block),
        });
        drop(refused);
    }
}
