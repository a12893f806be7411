//! Changes that wait for a task.

use std::collections::VecDeque;
use std::io;

use super::FsChange;

/// Bounded: the first change that finds it full is kept as an overflow, those behind it are not kept.
#[derive(Debug, Default)]
pub(super) struct Queue {
    changes: VecDeque<io::Result<FsChange>>,
    size: usize,
    is_over: bool,
}

impl Queue {
    pub(super) fn new(size: usize) -> Self {
        Self { changes: VecDeque::new(), size, is_over: false }
    }

    /// Adds a change, or gives back what there was no room for.
    pub(super) fn push(&mut self, change: io::Result<FsChange>) -> Option<io::Result<FsChange>> {
        // The end is told in any case.
        if self.changes.len() < self.size || matches!(change, Ok(FsChange::Gone)) {
            self.changes.push_back(change);
            return None;
        }
        if !self.is_over {
            self.is_over = true;
            self.changes.push_back(Ok(FsChange::Overflow));
        }
        Some(change)
    }

    pub(super) fn pop(&mut self) -> Option<io::Result<FsChange>> {
        let change = self.changes.pop_front();
        self.is_over &= self.changes.len() >= self.size;
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(number: u32) -> FsChange {
        FsChange::Created(number.to_string().into())
    }

    #[test]
    fn an_overflow_is_told_once_and_at_its_place() {
        let mut queue = Queue::new(2);
        let refused: Vec<_> =
            (0..5).map(|number| queue.push(Ok(created(number))).is_some()).collect();
        assert_eq!(refused, [false, false, true, true, true]);
        assert_eq!(queue.pop().unwrap().unwrap(), created(0));
        // Two are left, one of them the overflow: it is still full.
        assert!(queue.push(Ok(created(5))).is_some());
        assert_eq!(queue.pop().unwrap().unwrap(), created(1));
        assert!(queue.push(Ok(created(6))).is_none());
        assert!(queue.push(Ok(FsChange::Gone)).is_none());
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).map(Result::unwrap).collect();
        assert_eq!(rest, [FsChange::Overflow, created(6), FsChange::Gone]);
    }
}
