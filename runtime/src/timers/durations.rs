//! Which record is a duration's: a small hash table.
//!
//! It holds the records' places only, as the durations are in the records. That leaves a probe of one or two
//! lines, and half the memory of a general map, which counts where each timer has a duration of its own.

/// No record.
const EMPTY: u32 = u32::MAX;

const FEWEST_SLOTS: usize = 64;

#[derive(Clone, Copy)]
struct Slot {
    /// The low half of the duration, which its place is computed of: nobody need look at the record for that,
    /// and most probes need not either.
    tag: u32,
    record: u32,
}

impl Slot {
    const FREE: Self = Self { tag: 0, record: EMPTY };
}

/// The places of records by their durations.
#[derive(Default)]
pub(super) struct Durations {
    /// A power of two, at least half of it free, or nothing.
    slots: Box<[Slot]>,
    len: usize,
}

impl Durations {
    /// The record of `duration`; `is_its` says whether a record is.
    #[inline]
    pub(super) fn find(&self, duration: u64, is_its: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = duration as u32;
        let mut at = home(tag);
        loop {
            let slot = self.slots.get(at & self.slots.len().wrapping_sub(1))?;
            if slot.record == EMPTY {
                return None;
            }
            if slot.tag == tag && is_its(slot.record) {
                return Some(slot.record);
            }
            at += 1;
        }
    }

    /// Adds a record that is not there.
    #[inline]
    pub(super) fn insert(&mut self, duration: u64, record: u32) {
        if self.len >= self.slots.len() / 2 {
            self.grow();
        }
        self.put(Slot { tag: duration as u32, record });
        self.len += 1;
    }

    /// Takes a record out that is there.
    #[inline]
    pub(super) fn remove(&mut self, duration: u64, record: u32) {
        let mask = self.slots.len() - 1;
        let mut gap = home(duration as u32) & mask;
        while self.slots[gap].record != record {
            gap = (gap + 1) & mask;
        }
        // A search ends at a gap. So who stands behind it, but belongs there or before, moves into it.
        let mut at = (gap + 1) & mask;
        while self.slots[at].record != EMPTY {
            let way = at.wrapping_sub(home(self.slots[at].tag)) & mask;
            if way >= at.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = (at + 1) & mask;
        }
        self.slots[gap] = Slot::FREE;
        self.len -= 1;
    }

    /// Puts a slot where the search for it comes by. There must be room.
    #[inline]
    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = home(slot.tag) & mask;
        while self.slots[at].record != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    #[cold]
    fn grow(&mut self) {
        let room = (2 * self.slots.len()).max(FEWEST_SLOTS);
        let former = std::mem::replace(&mut self.slots, vec![Slot::FREE; room].into());
        for slot in former.into_iter().filter(|slot| slot.record != EMPTY) {
            self.put(slot);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Where a search begins. It spreads the bits; no attacker chooses how long a program's timers run.
#[inline]
fn home(tag: u32) -> usize {
    // Fibonacci hashing: 2^64 divided by the golden ratio. The best bits are the high ones.
    (u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn find(table: &Durations, durations: &[u64], duration: u64) -> Option<u32> {
        table.find(duration, |record| durations[record as usize] == duration)
    }

    #[test]
    fn every_duration_finds_its_own_record() {
        let durations: Vec<u64> = (0..300).chain((1..300).map(|n| n << 32 | 7)).collect();
        let mut table = Durations::default();
        for (record, duration) in durations.iter().enumerate() {
            assert_eq!(find(&table, &durations, *duration), None);
            table.insert(*duration, record as u32);
        }
        assert_eq!(table.len(), durations.len());
        for (record, duration) in durations.iter().enumerate() {
            assert_eq!(find(&table, &durations, *duration), Some(record as u32));
        }
        assert_eq!(find(&table, &durations, 301), None);
    }

    #[test]
    fn what_is_taken_out_hides_nobody() {
        // Some of the same tag, so that they stand in each other's way.
        let durations: Vec<u64> = (0..60).chain((1..30).map(|n| n << 32 | 7)).collect();
        let (mut table, mut random) = (Durations::default(), Random::new(1));
        let mut is_there = vec![false; durations.len()];
        for _ in 0..20_000 {
            let record = random.below(durations.len() as u64) as usize;
            if is_there[record] {
                table.remove(durations[record], record as u32);
            } else {
                table.insert(durations[record], record as u32);
            }
            is_there[record] ^= true;
            let looked_for = random.below(durations.len() as u64) as usize;
            let found = find(&table, &durations, durations[looked_for]);
            assert_eq!(found, is_there[looked_for].then_some(looked_for as u32));
        }
        assert_eq!(table.len(), is_there.iter().filter(|is_there| **is_there).count());
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(Durations::default().find(1, |_| true), None);
    }
}
