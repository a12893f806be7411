//! What a pool says of itself.

use std::time::Duration;

use super::lanes::Lane;

/// What a [`Pool`](crate::Pool) does at this moment, and what it did since it was made.
///
/// # Examples
/// ```
/// use runtime::Pool;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let pool = Pool::new(2);
///     pool.spawn_blocking(|| ()).await?;
///     let metrics = pool.metrics();
///     assert_eq!((metrics.threads, metrics.busy), (1, 0));
///     assert_eq!((metrics.cpu.completed, metrics.cpu.queued), (1, 0));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolMetrics {
    /// Threads that were started. One is when a job finds none free, up to the size of the pool.
    pub threads: usize,
    /// Threads that run a job.
    pub busy: usize,
    /// Threads that were started and run none.
    pub idle: usize,
    /// Requests that wait for [room](crate::Pool::reserve).
    pub waiting_for_room: usize,
    /// Operations on files.
    pub fast: LaneMetrics,
    /// Names that are looked up.
    pub slow: LaneMetrics,
    /// Jobs of `spawn_blocking`, `execute` and `map`.
    pub cpu: LaneMetrics,
}

impl PoolMetrics {
    pub(super) fn lane(&mut self, lane: Lane) -> &mut LaneMetrics {
        match lane {
            Lane::Fast => &mut self.fast,
            Lane::Slow => &mut self.slow,
            Lane::Cpu => &mut self.cpu,
        }
    }
}

/// One kind of a pool's jobs, in [`PoolMetrics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneMetrics {
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that came to their end, be it by a panic. Those that were cancelled did not run, and are not
    /// counted.
    pub completed: u64,
    /// From the submission of a job to its begin, while
    /// [`record_times`](crate::Pool::record_times) is on.
    pub wait: Times,
    /// From its begin to its end, of the same jobs.
    pub run: Times,
}

/// Some durations taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// How many they are.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
}

impl Times {
    /// The average; zero if there are none.
    pub fn mean(&self) -> Duration {
        let ns = self.sum.as_nanos().checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}
