//! Tallies: what the workers of a pool did, counted by each for itself.
//!
//! A count that all of them wrote to would cost each job a cache line that is somewhere else. So each has
//! its own, and who asks adds them up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::lanes::Lane;
use super::metrics::LaneMetrics;

/// What one worker did. Written by that one only.
#[derive(Default)]
pub(super) struct Tally {
    /// The lane of the job it runs, counted from 1; 0: it runs none.
    running: AtomicUsize,
    completed: [AtomicU64; Lane::ALL.len()],
}

impl Tally {
    #[inline]
    pub(super) fn begins(&self, lane: Lane) {
        self.running.store(lane as usize + 1, Relaxed);
    }

    /// Before the result goes home: who has it finds the job counted.
    #[inline]
    pub(super) fn done(&self, lane: Lane) {
        let completed = &self.completed[lane as usize];
        completed.store(completed.load(Relaxed) + 1, Relaxed);
        self.running.store(0, Relaxed);
    }

    /// Adds what this one did to `sum`.
    pub(super) fn add_to(&self, lane: Lane, sum: &mut LaneMetrics) {
        sum.running += usize::from(self.running.load(Relaxed) == lane as usize + 1);
        sum.completed += self.completed[lane as usize].load(Relaxed);
    }
}
