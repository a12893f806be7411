//! Room: how many CPU jobs may wait, and who waits for room among them.
//!
//! ```text
//!   reserve ──▶ [ who waits ] ──── room ───▶ reserved ──▶ a job in the CPU lane
//!                  │ gives up                    │ dropped: the room is the next one's
//! ```
//!
//! Who waits is a job too, which is not for a worker: as soon as there is room it is run on the spot,
//! gives a permit, and goes home with it. So a loop waits for room as it waits for any job.
//!
//! Whenever both locks of the lanes are free: if somebody waits, there is no room.

use super::job::Job;
use super::line::{Line, Next};

/// The bound of the CPU lane.
#[derive(Default)]
pub(super) struct Room {
    /// `None`: any number may wait.
    limit: Option<usize>,
    /// Permits that were given and are not used yet.
    reserved: usize,
    waiting: Line<Box<dyn Job>>,
}

impl Room {
    pub(super) fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit;
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.len() > 0
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Reserves room, if there is some and nobody waits for it. `queued` CPU jobs are there, and `free`
    /// threads to begin with some of them at once.
    pub(super) fn reserve(&mut self, queued: usize, free: usize) -> bool {
        let is_room = !self.has_waiting() && self.is_room(queued, free);
        if is_room {
            self.reserved += 1;
        }
        is_room
    }

    fn is_room(&self, queued: usize, free: usize) -> bool {
        self.limit.is_none_or(|limit| queued + self.reserved < limit.saturating_add(free))
    }

    /// A permit is used, or given up.
    pub(super) fn release(&mut self) {
        self.reserved -= 1;
    }

    /// Lets `job` wait. `serial` must be larger than those of the others.
    pub(super) fn wait(&mut self, serial: u64, job: Box<dyn Job>) {
        self.waiting.push(serial, job);
    }

    /// Who waits gives up.
    pub(super) fn leave(&mut self, serial: u64) -> Option<Box<dyn Job>> {
        self.waiting.remove(serial)
    }

    /// Gives what room there is to the first of those who wait.
    pub(super) fn grant(&mut self, queued: usize, free: usize) -> Vec<Box<dyn Job>> {
        let mut granted = Vec::new();
        while self.is_room(queued, free)
            && let Some(Next::Value(job)) = self.waiting.pop()
        {
            self.reserved += 1;
            granted.push(job);
        }
        granted
    }
}
