//! How a loop is set up.

use std::io;
use std::time::Duration;

use super::{Loop, State};
use crate::base::Clock;
use crate::pool::Pool;

/// When ticks and microtasks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Microtasks {
    /// After every callback that the loop starts: Node 11 and later.
    #[default]
    AfterEachCallback,
    /// After each phase only: Node before 11.
    BetweenPhases,
}

/// What a loop is told when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) microtasks: Microtasks,
    pub(crate) task_polls: usize,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) pool: PoolChoice,
}

/// The pool of a loop.
#[derive(Clone, Debug, Default)]
pub(crate) enum PoolChoice {
    /// The one of the process.
    #[default]
    Shared,
    /// One of its own, of so many threads.
    Own(usize),
    Given(Pool),
}

/// Polls of tasks in one checkpoint, unless the builder says otherwise.
const TASK_POLLS_PER_CHECKPOINT: usize = 4096;

/// Sets up a [`Loop`].
///
/// # Examples
/// ```
/// use runtime::{Loop, Microtasks};
///
/// let lp = Loop::builder().microtasks(Microtasks::BetweenPhases).pool_threads(2).build()?;
/// # drop(lp);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build`"]
pub struct Builder {
    config: Config,
    clock: Option<Clock>,
}

impl Default for Builder {
    fn default() -> Self {
        let config = Config {
            microtasks: Microtasks::default(),
            task_polls: TASK_POLLS_PER_CHECKPOINT,
            shutdown_timeout: Duration::ZERO,
            pool: PoolChoice::default(),
        };
        Self { config, clock: None }
    }
}

impl Builder {
    /// The defaults: those of [`Loop::new`].
    pub fn new() -> Self {
        Self::default()
    }

    /// When ticks and microtasks run. Default: after each callback.
    pub fn microtasks(mut self, microtasks: Microtasks) -> Self {
        self.config.microtasks = microtasks;
        self
    }

    /// How many polls of tasks one checkpoint runs, at least 1; default 4,096. The rest goes on at the
    /// end of the next poll phase, so that tasks which wake each other can't starve I/O and timers.
    pub fn task_polls_per_checkpoint(mut self, polls: usize) -> Self {
        self.config.task_polls = polls.max(1);
        self
    }

    /// How long the drop of the loop waits for jobs of its own that are in the pool; default 0. Jobs
    /// that are not done by then go on, and their results are dropped. What only asks is not waited for (a
    /// read, a lookup, a wait for [room](Pool::reserve)): nobody is left who would have the answer.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.config.shutdown_timeout = timeout;
        self
    }

    /// Gives the loop a pool of its own with 1 to 1,024 threads (other values are brought into that
    /// range), in place of the one that all loops of the process share. Of this and
    /// [`pool`](Self::pool) the later call counts.
    pub fn pool_threads(mut self, threads: usize) -> Self {
        self.config.pool = PoolChoice::Own(threads);
        self
    }

    /// Gives the loop this pool, in place of the one that all loops of the process share: its files, names
    /// and `spawn_blocking` go there. Several loops may have the same one.
    pub fn pool(mut self, pool: Pool) -> Self {
        self.config.pool = PoolChoice::Given(pool);
        self
    }

    /// Where the loop takes its time from; default: the system's monotonic clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    /// Those of the system's poller: no descriptors are left, for one.
    pub fn build(self) -> io::Result<Loop> {
        let clock = self.clock.unwrap_or_else(Clock::real);
        Ok(Loop::of(State::new(self.config, clock)?))
    }
}
