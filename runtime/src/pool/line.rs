//! A line: first come, first served, and whoever is in it may leave.
//!
//! ```text
//!   first ─▶ [ 7 a ][ 8 b ][ 9 gone ][ 10 c ] ◀─ last        serials only grow
//! ```
//!
//! A ring and no list of nodes: what one thread puts in and another takes out should lie close
//! together, since it is the cache lines between the two that cost. Who leaves leaves a hole; holes are
//! swept out before the ring would grow, so it holds no more than twice of who is in it.

use std::collections::VecDeque;
use std::num::NonZeroU64;

/// So that the first jobs do not each make it grow.
const FIRST_PLACES: usize = 16;

/// A queue that can be left from the middle, by serial.
// In this order: what a push and a pop need comes first.
#[repr(C)]
pub(super) struct Line<T> {
    places: VecDeque<(u64, Option<T>)>,
    /// Places that are empty.
    empty: usize,
    /// The empty place that stays where it is, and comes up in its turn.
    mark: Option<NonZeroU64>,
}

/// Who is next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    Value(T),
    Mark,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { places: VecDeque::new(), empty: 0, mark: None }
    }
}

impl<T> Line<T> {
    /// How many are in it.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.empty
    }

    /// Whether nothing would come up: neither a value nor the mark.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.len() == 0 && self.mark.is_none()
    }

    /// Puts `value` behind the others. `serial` must be larger than theirs.
    pub(super) fn push(&mut self, serial: u64, value: T) {
        self.make_room();
        self.places.push_back((serial, Some(value)));
    }

    /// Puts the mark behind the others. There is one at most.
    pub(super) fn push_mark(&mut self, serial: u64) {
        debug_assert!(self.mark.is_none() && serial > 0);
        self.make_room();
        self.places.push_back((serial, None));
        self.empty += 1;
        self.mark = NonZeroU64::new(serial);
    }

    /// Takes out the first.
    pub(super) fn pop(&mut self) -> Option<Next<T>> {
        loop {
            let (serial, value) = self.places.pop_front()?;
            if let Some(value) = value {
                return Some(Next::Value(value));
            }
            self.empty -= 1;
            if self.mark.is_some_and(|mark| mark.get() == serial) {
                self.mark = None;
                return Some(Next::Mark);
            }
        }
    }

    /// Takes out whom `serial` names, if that is still there.
    pub(super) fn remove(&mut self, serial: u64) -> Option<T> {
        let place = self.find(serial)?;
        let value = self.places[place].1.take()?;
        self.empty += 1;
        // Who comes and leaves while the line stands leaves nothing behind.
        if place + 1 == self.places.len() {
            self.places.pop_back();
            self.empty -= 1;
        }
        Some(value)
    }

    fn find(&self, serial: u64) -> Option<usize> {
        let first = self.places.front()?.0;
        let guess = usize::try_from(serial.checked_sub(first)?).ok()?;
        if self.places.get(guess).is_some_and(|place| place.0 == serial) {
            return Some(guess);
        }
        // Places were swept, or serials left out.
        self.places.binary_search_by_key(&serial, |place| place.0).ok()
    }

    fn make_room(&mut self) {
        if self.places.len() == self.places.capacity() {
            self.sweep();
        }
    }

    /// Sweeps a full ring; it grows if less than half was empty: a constant cost for each push, on
    /// average.
    #[cold]
    fn sweep(&mut self) {
        let (places, mark) = (&mut self.places, self.mark.map(NonZeroU64::get));
        if self.empty > 0 {
            places.retain(|place| place.1.is_some() || mark == Some(place.0));
            self.empty = usize::from(mark.is_some());
        }
        if places.len() >= places.capacity() / 2 {
            places.reserve(places.len().max(FIRST_PLACES));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: u64 = u64::MAX;

    fn line(serials: impl IntoIterator<Item = u64>) -> Line<u64> {
        let mut line = Line::default();
        serials.into_iter().for_each(|serial| line.push(serial, serial));
        line
    }

    fn drain(mut line: Line<u64>) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(next) = line.pop() {
            match next {
                Next::Value(value) => all.push(value),
                Next::Mark => all.push(MARK),
            }
        }
        assert_eq!((line.len(), line.empty, line.mark), (0, 0, None));
        assert!(line.is_over());
        all
    }

    #[test]
    fn who_comes_first_is_served_first() {
        assert_eq!(drain(line([1, 2, 3])), [1, 2, 3]);
    }

    #[test]
    fn anybody_may_leave_once_and_the_others_keep_their_order() {
        for leaves in 10..14 {
            let mut line = line(10..14);
            assert_eq!(line.remove(leaves), Some(leaves));
            assert_eq!(line.remove(leaves), None);
            line.push(14, 14);
            assert_eq!(line.len(), 4);
            assert_eq!(drain(line), (10..15).filter(|&n| n != leaves).collect::<Vec<_>>());
        }
    }

    #[test]
    fn who_was_served_or_never_came_is_not_found() {
        let mut line = line([5, 6, 9]);
        line.pop();
        for serial in [0, 5, 7, 8, 10, u64::MAX] {
            assert_eq!(line.remove(serial), None, "{serial}");
        }
        assert_eq!(line.remove(9), Some(9));
        assert_eq!(drain(line), [6]);
    }

    #[test]
    fn who_stays_is_found_though_others_were_swept() {
        let mut line = line(0..4);
        for serial in 4..10_000 {
            line.push(serial, serial);
            assert_eq!(line.remove(serial - 2), Some(serial - 2));
        }
        assert!(line.places.capacity() < 32, "{}", line.places.capacity());
        assert_eq!(line.len(), 4);
        assert_eq!(line.remove(1), Some(1));
        assert_eq!(line.remove(9_998), Some(9_998));
        assert_eq!(drain(line), [0, 9_999]);
    }

    #[test]
    fn the_mark_comes_up_in_its_turn_counts_for_nobody_and_is_never_swept() {
        let mut line = line([1, 2]);
        line.push_mark(3);
        assert_eq!(line.len(), 2);
        for serial in 4..1000 {
            line.push(serial, serial);
            assert_eq!(line.remove(serial), Some(serial));
        }
        line.push(1000, 1000);
        assert_eq!(line.remove(3), None, "the mark cannot leave");
        assert_eq!(drain(line), [1, 2, MARK, 1000]);
    }
}
