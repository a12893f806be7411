//! Immediates: one ring, whose entries are named by their place in the order of all ever made.

use std::collections::VecDeque;

use crate::base::InlineFn;
use crate::error::Result;

/// What an immediate does.
pub(crate) enum Immediate {
    Callback(InlineFn<(), Result>),
    /// A task yields to the loop.
    Wake(std::task::Waker),
}

/// The queue, and the batch of it that the check phase is running.
///
/// The n-th immediate of the loop has the number n for ever: a number below the first entry's has
/// run, and the end of a batch is a number too.
#[derive(Default)]
pub(crate) struct Immediates {
    /// A cleared entry stays as `None` until it comes up.
    queue: VecDeque<Option<Entry>>,
    /// The number of the first entry.
    first: u64,
    /// The running batch ends before this number.
    batch_end: u64,
    refs: usize,
}

struct Entry {
    action: Immediate,
    is_ref: bool,
}

impl Immediates {
    #[inline(always)] // an entry that is passed by memory would be stored twice
    pub(crate) fn push(&mut self, action: Immediate) -> u64 {
        self.refs += 1;
        self.queue.push_back(Some(Entry { action, is_ref: true }));
        self.first + self.queue.len() as u64 - 1
    }

    /// Number of entries, those that were cleared among them.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Number of immediates that keep the loop alive, and poll from blocking.
    #[inline]
    pub(crate) fn refs(&self) -> usize {
        self.refs
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.index(number).is_some_and(|index| self.queue[index].is_some())
    }

    /// Takes an immediate out; the caller drops it.
    pub(crate) fn clear(&mut self, number: u64) -> Option<Immediate> {
        let index = self.index(number)?;
        let entry = self.queue[index].take()?;
        self.refs -= usize::from(entry.is_ref);
        Some(entry.action)
    }

    pub(crate) fn set_ref(&mut self, number: u64, is_ref: bool) {
        if let Some(index) = self.index(number)
            && let Some(entry) = &mut self.queue[index]
        {
            self.refs = self.refs + usize::from(is_ref) - usize::from(entry.is_ref);
            entry.is_ref = is_ref;
        }
    }

    pub(crate) fn has_ref(&self, number: u64) -> bool {
        let entry = self.index(number).and_then(|index| self.queue[index].as_ref());
        entry.is_some_and(|entry| entry.is_ref)
    }

    /// Puts another action in the place of an immediate's; the caller drops the one that comes back.
    pub(crate) fn replace_action(&mut self, number: u64, action: Immediate) -> Option<Immediate> {
        match self.index(number).and_then(|index| self.queue[index].as_mut()) {
            Some(entry) => Some(std::mem::replace(&mut entry.action, action)),
            None => Some(action),
        }
    }

    /// Makes all that are queued now the batch.
    #[inline]
    pub(crate) fn begin_batch(&mut self) {
        self.batch_end = self.first + self.queue.len() as u64;
    }

    /// The next immediate of the batch that was not cleared.
    #[inline]
    pub(crate) fn next_of_batch(&mut self) -> Option<Immediate> {
        while self.first < self.batch_end {
            let entry = self.queue.pop_front().expect("the batch is a part of the queue");
            self.first += 1;
            if let Some(entry) = entry {
                self.refs -= usize::from(entry.is_ref);
                return Some(entry.action);
            }
        }
        None
    }

    /// Empties the queue; the caller drops it.
    pub(crate) fn take_actions(&mut self) -> Vec<Immediate> {
        self.first += self.queue.len() as u64;
        self.refs = 0;
        self.queue.drain(..).flatten().map(|entry| entry.action).collect()
    }

    fn index(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (index < self.queue.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback() -> Immediate {
        Immediate::Callback(InlineFn::new(|()| Ok(())))
    }

    #[test]
    fn what_is_queued_in_a_batch_waits_and_what_is_cleared_is_skipped() {
        let mut immediates = Immediates::default();
        let numbers = [(); 3].map(|()| immediates.push(callback()));
        immediates.begin_batch();
        assert!(immediates.next_of_batch().is_some());
        assert!(immediates.clear(numbers[1]).is_some());
        let later = immediates.push(callback());
        assert!(immediates.next_of_batch().is_some());
        assert!(immediates.next_of_batch().is_none());
        assert!(immediates.contains(later) && !immediates.contains(numbers[0]));
        immediates.set_ref(later, false);
        assert_eq!((immediates.refs(), immediates.contains(later)), (0, true));
        assert!(immediates.clear(numbers[0]).is_none(), "a stale number does nothing");
    }
}
