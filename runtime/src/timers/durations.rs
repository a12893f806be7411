//! Which record is a duration's: a small hash table.
//!
//! It holds the records' places only, as the durations are in the records. Nothing is ever taken out of it: it
//! is built anew when records are swept. That leaves a probe of a few lines, and half the memory of a
//! general map, which counts where each timer has a duration of its own.

/// No record.
const EMPTY: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    /// The low half of the duration: most probes need not look at a record.
    tag: u32,
    record: u32,
}

/// The places of records by their durations.
#[derive(Default)]
pub(super) struct Durations {
    /// A power of two, at least a third of it free, or nothing.
    slots: Box<[Slot]>,
    len: usize,
}

impl Durations {
    /// An empty table with room for `room` records.
    pub(super) fn with_room(room: usize) -> Self {
        let slots = (room + room / 2 + 1).next_power_of_two();
        Self { slots: vec![Slot { tag: 0, record: EMPTY }; slots].into(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The record of `duration`; `is_its` says whether a record is.
    #[inline]
    pub(super) fn find(&self, duration: u64, is_its: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = hash(duration);
        loop {
            let slot = self.slots.get(at & self.slots.len().wrapping_sub(1))?;
            if slot.record == EMPTY {
                return None;
            }
            if slot.tag == duration as u32 && is_its(slot.record) {
                return Some(slot.record);
            }
            at += 1;
        }
    }

    /// Adds a record that is not there. There must be room for it.
    pub(super) fn insert(&mut self, duration: u64, record: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash(duration) & mask;
        while self.slots[at].record != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { tag: duration as u32, record };
        self.len += 1;
    }

    /// All records.
    pub(super) fn records(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().map(|slot| slot.record).filter(|record| *record != EMPTY)
    }
}

/// Spreads the bits of a duration; no attacker chooses how long a program's timers run.
#[inline]
fn hash(duration: u64) -> usize {
    // Fibonacci hashing: 2^64 divided by the golden ratio. The best bits are the high ones.
    (duration.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_finds_its_own_record() {
        let durations: Vec<u64> = (0..300).chain((0..300).map(|n| n << 32 | 7)).collect();
        let mut table = Durations::with_room(durations.len());
        let find = |table: &Durations, duration| {
            table.find(duration, |record| durations[record as usize] == duration)
        };
        for (record, duration) in durations.iter().enumerate() {
            let known = find(&table, *duration);
            if known.is_none() {
                table.insert(*duration, record as u32);
            }
        }
        assert_eq!(table.records().count(), table.len());
        for duration in &durations {
            let record = find(&table, *duration).expect("it was inserted");
            assert_eq!(durations[record as usize], *duration);
        }
        assert_eq!(find(&table, 301), None);
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(Durations::default().find(1, |_| true), None);
    }
}
