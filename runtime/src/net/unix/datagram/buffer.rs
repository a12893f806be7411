//! The buffer that datagrams are lent in.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// More than Linux sends by default: 416 KiB, for who doubles a socket's buffer as far as he may. The
/// system provides what is written to.
const LONGEST: usize = 576 * 1024;

thread_local! {
    /// One for all sockets of a thread: it is out only while a callback runs.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that goes back to its thread when it is dropped.
pub(super) struct LongBuffer(Vec<u8>);

impl LongBuffer {
    pub(super) fn new() -> Self {
        let spare = SPARE.try_with(Cell::take).unwrap_or_default();
        Self(if spare.is_empty() { vec![0; LONGEST] } else { spare })
    }
}

impl Deref for LongBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for LongBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for LongBuffer {
    fn drop(&mut self) {
        // In a thread that ends there is no place for it.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.0)));
    }
}
