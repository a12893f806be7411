//! Times: how long jobs waited and ran, where somebody wants to know.
//!
//! A job whose times are wanted goes in a wrapper, so that the others carry nothing for it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::job::{Home, Job};
use super::metrics::Times;
use crate::base::Key;

/// The times of one lane. All threads of the pool write to them.
#[derive(Default)]
pub(super) struct LaneTimes {
    pub(super) wait: Sums,
    pub(super) run: Sums,
}

/// Durations, in nanoseconds.
#[derive(Default)]
pub(super) struct Sums {
    count: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Sums {
    fn add(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(ns, Relaxed);
        self.max.fetch_max(ns, Relaxed);
    }

    pub(super) fn get(&self) -> Times {
        Times {
            count: self.count.load(Relaxed),
            sum: Duration::from_nanos(self.sum.load(Relaxed)),
            max: Duration::from_nanos(self.max.load(Relaxed)),
        }
    }
}

/// A job whose times are taken.
struct Timed {
    job: Box<dyn Job>,
    submitted: Instant,
    times: Arc<LaneTimes>,
}

/// Takes the times of a job that is submitted now.
pub(super) fn timed(job: Box<dyn Job>, times: &Arc<LaneTimes>) -> Box<dyn Job> {
    Box::new(Timed { job, submitted: Instant::now(), times: times.clone() })
}

impl Job for Timed {
    fn run(&mut self) {
        let begin = Instant::now();
        self.job.run();
        self.times.wait.add(begin.duration_since(self.submitted));
        self.times.run.add(begin.elapsed());
    }

    fn address(&self) -> u64 {
        self.job.address()
    }

    fn find_home(&self) -> Option<Arc<dyn Home>> {
        self.job.find_home()
    }

    fn key(&self) -> Key {
        self.job.key()
    }

    fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.job.take_panic()
    }

    fn give(&mut self, to: &mut dyn Any) {
        self.job.give(to);
    }
}
