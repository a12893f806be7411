//! Naps: a loop that sleeps lets jobs that are done wait for one another.
//!
//! ```text
//!   thread of the pool                loop
//!   job, done ─▶ bag                  asleep, for 1 ms at most
//!   job, done ─▶ bag
//!   none left, or 16: tell ─────────▶ awake: all of them are here
//!
//!   job, done ─▶ bag                  asleep
//!   the next one takes long           1 ms is over: it finds the first by itself, and does not
//!                                     nap again for a while
//! ```
//!
//! To be woken costs a loop more than a short job does its thread, and takes a core from the others. So while
//! more than one job is under way it sleeps in naps, in which a thread that goes straight from one job to the
//! next tells it of both together. For 20,000 files that are asked for, 64 at a time on two cores, it is woken 640
//! times where it was 1,780 times.
//!
//! Nobody knows how long a job will take, and no result may wait for one that takes long. So a nap is short,
//! and where it ends by itself the next ones are left out, twice as many each time.

use std::cell::Cell;
use std::time::Duration;

use super::State;

/// The shortest wait that all systems know.
const NAP: Duration = Duration::from_millis(1);

/// Where more jobs than these came home between two sleeps, a wake-up costs little for each of them. A nap costs
/// more, perhaps for the system's timer: empty jobs, of which 1,000 are under way, lost 7% by it.
const MANY: usize = 128;

/// How many naps are left out after one that nobody ended, at first and at most.
const LEFT_OUT: (u32, u32) = (16, 4096);

/// Whether it is worth while to nap.
#[derive(Debug)]
pub(super) struct Naps {
    /// How many are to be left out.
    to_leave_out: Cell<u32>,
    /// How many will be after the next one that nobody ends.
    next: Cell<u32>,
    /// Jobs that came home since the loop slept.
    came_home: Cell<usize>,
}

impl Default for Naps {
    fn default() -> Self {
        Self { to_leave_out: Cell::new(0), next: Cell::new(LEFT_OUT.0), came_home: Cell::new(0) }
    }
}

impl Naps {
    /// So many jobs came home.
    pub(super) fn came_home(&self, jobs: usize) {
        self.came_home.set(self.came_home.get() + jobs);
    }

    /// The loop is about to sleep with so many jobs under way: whether by a nap.
    fn is_due(&self, under_way: usize) -> bool {
        let is_rarely_asleep = self.came_home.take() > MANY;
        // There the shortest wait is up to 16 ms long.
        if cfg!(windows) || is_rarely_asleep || under_way < 2 {
            return false;
        }
        let left = self.to_leave_out.get();
        self.to_leave_out.set(left.saturating_sub(1));
        left == 0
    }

    /// Somebody told the loop in time.
    fn paid(&self) {
        self.next.set(LEFT_OUT.0);
    }

    /// A nap ended by itself.
    fn was_in_vain(&self) {
        let next = self.next.get();
        self.to_leave_out.set(next);
        self.next.set((2 * next).min(LEFT_OUT.1));
    }
}

impl State {
    /// How long the loop naps in place of a wait of `timeout`, if it does. It owes an `end_nap` when it is
    /// awake again.
    pub(super) fn begin_nap(&self, timeout: Option<Duration>) -> Option<Duration> {
        let has_time = timeout.is_none_or(|timeout| timeout >= NAP);
        if !self.naps.is_due(self.jobs.under_way()) || !has_time {
            return None;
        }
        self.sending.begin_nap();
        Some(NAP)
    }

    /// The loop is awake.
    pub(super) fn end_nap(&self) {
        let wakeup = self.poller.wakeup();
        if wakeup.has_mail() {
            self.naps.paid();
        } else if !self.poller.has_events() {
            self.naps.was_in_vain();
        }
        if self.sending.end_nap() {
            wakeup.note_mail();
        }
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;
    use crate::Loop;
    use crate::base::Key;
    use crate::pool::Telling::{self, Now, Together};
    use crate::task::job::Undone;
    use crate::task::mail::Completion;

    /// A job of nobody ends.
    fn end_one(state: &State, telling: Telling) -> Telling {
        let end = Completion::Undone(Box::new((Key::DEAD, Undone::Cancelled)));
        state.sending.completed(end, telling).unwrap()
    }

    #[test]
    fn a_loop_that_naps_is_told_of_jobs_together_and_finds_them_by_itself() {
        let lp = Loop::new().unwrap();
        let (state, wakeup) = (lp.state(), lp.state().poller.wakeup());
        state.sending.begin_nap();
        assert_eq!(end_one(state, Together), Together);
        assert!(!wakeup.has_mail());
        state.end_nap();
        assert!(wakeup.take_mail());
        assert_eq!(end_one(state, Together), Now, "the nap is over");
        assert!(wakeup.take_mail());
    }

    #[test]
    fn a_loop_that_naps_is_told_at_once_of_what_can_not_wait() {
        let lp = Loop::new().unwrap();
        let (state, wakeup) = (lp.state(), lp.state().poller.wakeup());
        state.sending.begin_nap();
        assert_eq!(end_one(state, Now), Now);
        assert!(wakeup.take_mail());
    }

    #[test]
    fn naps_that_nobody_ends_are_left_out_twice_as_many_each_time() {
        let naps = Naps::default();
        let left_out = || (0..).take_while(|_| !naps.is_due(2)).count();
        assert_eq!(left_out(), 0);
        for expected in [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096] {
            naps.was_in_vain();
            assert_eq!(left_out(), expected);
        }
        naps.paid();
        assert_eq!(left_out(), 0);
        naps.was_in_vain();
        assert_eq!(left_out(), 16);
    }

    #[test]
    fn a_loop_that_many_jobs_keep_awake_does_not_nap() {
        let naps = Naps::default();
        naps.came_home(MANY);
        assert!(naps.is_due(2));
        naps.came_home(MANY);
        naps.came_home(1);
        assert!(!naps.is_due(2));
        assert!(naps.is_due(2), "they are counted from sleep to sleep");
    }
}
