//! A read buffer that the loop lends to a task.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::event_loop::State;

/// As large as the one that callbacks are lent.
const SIZE: usize = 64 * 1024;

/// A buffer that goes back to the loop when it is dropped. The loop keeps one, so a task that reads
/// while no other does allocates nothing.
pub(crate) struct Lent {
    home: Option<Rc<State>>,
    buffer: Vec<u8>,
}

impl Lent {
    pub(crate) fn nothing() -> Self {
        Self { home: None, buffer: Vec::new() }
    }

    pub(crate) fn new(state: &Rc<State>) -> Self {
        let mut buffer = state.spare_buffer.take();
        buffer.resize(SIZE, 0);
        Self { home: Some(state.clone()), buffer }
    }
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(state) = self.home.take() {
            state.spare_buffer.set(std::mem::take(&mut self.buffer));
        }
    }
}
