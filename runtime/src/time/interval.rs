//! Ticks at a fixed rate.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::{Sleep, ms};
use crate::base::clock::ms_up;
use crate::base::{Instant, Origin};

/// Ticks at once, and then every `period`.
///
/// The period counts in whole milliseconds, rounded up; 1 ms at least. What happens when a tick comes late
/// is for [`set_missed_tick_behavior`](Interval::set_missed_tick_behavior) to say.
///
/// Its callback face is [`set_interval`](crate::set_interval), which ticks for the first time after one
/// period, and counts each period from the call before: as [`MissedTickBehavior::Delay`] here. With
/// [`Timer`](crate::handle::Timer) the period counts from the time of the loop at the call before.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::{ms, time::interval};
///
/// #[runtime::main]
/// async fn main() {
///     let mut beat = interval(ms(5));
///     for _ in 0..3 {
///         beat.tick().await; // now, in 5 ms, in 10 ms
///     }
/// }
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start` (at once if that is past), and then every `period`, as [`interval`] does.
///
/// # Examples
/// A first tick after one period:
/// ```
/// use runtime::{ms, time::{Instant, interval_at}};
///
/// #[runtime::main]
/// async fn main() {
///     let mut beat = interval_at(Instant::now() + ms(5), ms(5));
///     beat.tick().await;
/// }
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    let period = ms(ms_up(period).max(1));
    let (missed, origin) = (MissedTickBehavior::default(), Origin::here());
    Interval { period, due: start, missed, sleep: None, origin }
}

/// What an [`Interval`] does about ticks that nobody waited for in time.
///
/// With a period of 10 ms, and the tick of 10 ms being taken at 35 ms only:
///
/// | | further ticks at |
/// |---|---|
/// | `Burst` | 35 35 40 50: those of 20 and 30 are made up at once |
/// | `Delay` | 45 55 65: the rate is kept, the old schedule is not |
/// | `Skip` | 40 50 60: those of 20 and 30 never come |
///
/// `Burst` and `Skip` do not drift: all ticks are multiples of the period from the start. `Delay` does: it
/// counts from the moment when the tick was taken, be it late by a millisecond only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTickBehavior {
    /// Ticks as often as there were periods, without a wait until it has caught up: the default, as in tokio.
    #[default]
    Burst,
    /// The next tick is one period after the late one: Node's `setInterval`.
    Delay,
    /// The next tick is the first one of the schedule that is still to come.
    Skip,
}

impl MissedTickBehavior {
    /// The tick after the one that was due at `due` and taken at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now + period,
            Self::Skip => {
                let (late, period) = (now.duration_since(due).as_nanos(), period.as_nanos());
                let to_come = u64::try_from(period - late % period).unwrap_or(u64::MAX);
                now + Duration::from_nanos(to_come)
            }
        }
    }
}

/// Ticks at a fixed rate: what [`interval`] gives. It is a `Stream` of the moments as well, without an end.
#[must_use = "it ticks only when `tick` is awaited"]
pub struct Interval {
    period: Duration,
    /// When the next tick is due.
    due: Instant,
    missed: MissedTickBehavior,
    /// The wait for it, while somebody waits.
    sleep: Option<Sleep>,
    origin: Origin,
}

impl Interval {
    /// Waits for the next tick, and gives the moment it was due.
    ///
    /// A task that is behind its ticks does not starve the loop: each counts as an operation, and after 128 in
    /// one poll the task goes on at the end of the next poll phase.
    ///
    /// # Ordering
    /// The wait is a timer among those of [`set_timeout`](crate::set_timeout), as that of
    /// [`sleep_until`](super::sleep_until). It keeps the loop alive as long as it is awaited.
    ///
    /// # Cancel safety
    /// No tick is lost: the next call waits for the same one.
    ///
    /// # Panics
    /// If polled where there is no current loop.
    pub async fn tick(&mut self) -> Instant {
        let waiting = Waiting(self);
        poll_fn(|cx| waiting.0.poll_tick(cx)).await
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let sleep = self.sleep.get_or_insert_with(|| Sleep::until(self.due, self.origin));
        ready!(Pin::new(sleep).poll(cx));
        self.sleep = None;
        let due = self.due;
        self.due = self.missed.next(due, Instant::now(), self.period);
        Poll::Ready(due)
    }

    /// Begins anew: the next tick is one period from now.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn reset(&mut self) {
        self.sleep = None;
        self.due = Instant::now() + self.period;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What it does about ticks that nobody waited for in time.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Says what it is to do about ticks that nobody waited for in time, from the next one that is taken.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }
}

/// Ends the wait when nobody awaits the tick any more, so that it does not keep the loop alive.
struct Waiting<'a>(&'a mut Interval);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.sleep = None;
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period)
            .field("due", &self.due)
            .field("missed_tick_behavior", &self.missed)
            .finish()
    }
}
