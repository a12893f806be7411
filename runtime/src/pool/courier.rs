//! The courier of a worker: brings jobs home that are done, and sees to it that their home hears of them.
//!
//! ```text
//!   job ─▶ home: awake, it is told at once
//!   job ─▶ home: asleep for a moment ── job ─▶ ── job ─▶ ... told of all of them
//!                                       before a pause, a slow job, or the 17th
//! ```
//!
//! To wake a thread costs more than a file that lies in memory. So where a worker goes on with the next job at
//! once, a home that allows it is told of some jobs together. What it allows is up to the home: see
//! [`Telling`].

use std::sync::Arc;

use super::job::{self, Home, Job, Telling};
use super::lanes::Lane;

/// How many jobs a home may be told of together. With 64 files under way the other threads still have work while
/// the loop wakes.
const TOGETHER: usize = 16;

/// The home of the last job, which mostly is that of the next one.
#[derive(Default)]
pub(super) struct Courier {
    address: u64,
    home: Option<Arc<dyn Home>>,
    /// Jobs that are at home, and nobody was told.
    untold: usize,
}

impl Courier {
    /// Gives a job of a lane to its home.
    #[inline]
    pub(super) fn bring(&mut self, job: Box<dyn Job>, lane: Lane) {
        if self.home.is_none() || self.address != job.address() {
            self.tell();
            *self = Self { address: job.address(), home: job.find_home(), untold: 0 };
        }
        let telling = if lane == Lane::Slow { Telling::Now } else { Telling::Together };
        let outcome = match &self.home {
            Some(home) => home.done(job, telling),
            None => Err(job),
        };
        match outcome {
            Ok(Telling::Together) => self.untold += 1,
            Ok(Telling::Now) => self.untold = 0,
            Err(refused) => job::discard(refused),
        }
    }

    /// A job of a lane is about to begin.
    #[inline]
    pub(super) fn before(&mut self, lane: Lane) {
        if self.untold >= TOGETHER || lane == Lane::Slow {
            self.tell();
        }
    }

    /// Tells of what was not told yet. Before every pause.
    #[inline]
    pub(super) fn tell(&mut self) {
        if std::mem::take(&mut self.untold) > 0
            && let Some(home) = &self.home
        {
            home.tell();
        }
    }

    /// Whether something is left to do before a sleep, which may be for ever.
    pub(super) fn is_out(&self) -> bool {
        self.home.is_some()
    }

    /// Tells, and forgets the home: its end is foreign code.
    pub(super) fn come_back(&mut self) {
        self.tell();
        self.home = None;
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::super::job::Address;
    use super::*;
    use crate::base::Key;

    /// A home that sleeps, and may be told of jobs together. It notes how many were there each time it was
    /// told.
    #[derive(Default)]
    struct Asleep {
        here: Mutex<usize>,
        told: Mutex<Vec<usize>>,
    }

    impl Home for Asleep {
        fn done(&self, job: Box<dyn Job>, telling: Telling) -> Result<Telling, Box<dyn Job>> {
            drop(job);
            *self.here.lock() += 1;
            if telling == Telling::Now {
                self.tell();
            }
            Ok(telling)
        }

        fn tell(&self) {
            self.told.lock().push(*self.here.lock());
        }
    }

    struct Street(u64, Arc<Asleep>);

    impl Address for Street {
        fn number(&self) -> u64 {
            self.0
        }

        fn find(&self) -> Option<Arc<dyn Home>> {
            Some(self.1.clone())
        }
    }

    fn job(number: u64, home: &Arc<Asleep>) -> Box<dyn Job> {
        job::job(Street(number, home.clone()), Key::DEAD, || ())
    }

    #[test]
    fn a_home_that_can_wait_is_told_of_some_jobs_together() {
        let (mut courier, home) = (Courier::default(), Arc::default());
        for lane in [Lane::Fast, Lane::Cpu].into_iter().cycle().take(2 * TOGETHER + 3) {
            courier.before(lane);
            courier.bring(job(1, &home), lane);
        }
        assert_eq!(*home.told.lock(), [TOGETHER, 2 * TOGETHER]);
        courier.tell();
        courier.come_back();
        assert_eq!(*home.told.lock(), [TOGETHER, 2 * TOGETHER, 2 * TOGETHER + 3]);
    }

    #[test]
    fn a_home_is_told_before_a_slow_job_and_of_it_at_once() {
        let (mut courier, home) = (Courier::default(), Arc::default());
        courier.bring(job(1, &home), Lane::Fast);
        courier.before(Lane::Slow);
        assert_eq!(*home.told.lock(), [1]);
        courier.bring(job(1, &home), Lane::Slow);
        assert_eq!(*home.told.lock(), [1, 2]);
    }

    #[test]
    fn a_home_is_told_before_another_one_is_visited() {
        let (mut courier, [first, second]) = (Courier::default(), [Arc::default(), Arc::default()]);
        courier.bring(job(1, &first), Lane::Fast);
        courier.bring(job(2, &second), Lane::Fast);
        assert_eq!((first.told.lock().len(), second.told.lock().len()), (1, 0));
        courier.come_back();
        assert_eq!((first.told.lock().len(), second.told.lock().len()), (1, 1));
        assert_eq!(Arc::strong_count(&second), 1, "it is forgotten");
    }
}
