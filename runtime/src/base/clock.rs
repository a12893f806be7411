//! The loop's clock, real or manual.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

pub(crate) const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;
const MS_PER_S: u64 = 1_000;

/// Where a loop takes its time from.
///
/// The real clock is the system's monotonic one. A manual clock stands still while the loop works
/// and jumps to the next timer when nothing but timers is waited for: an hour's `sleep` takes no
/// time, and the order of timers is the same in every run.
///
/// Nothing else that is waited for lets the clock jump: with a referenced handle active that another
/// thread or the system can wake (a listener, a pending read, an [`Async`](crate::handle::Async)), or
/// with work in the pool, the loop waits for that, in real time. [`advance`](Self::advance) moves the clock in such cases.
///
/// What a task or `main` awaits, and only another thread will wake, is none of these: a channel whose sender is
/// there, or a [`Notify`](crate::sync::Notify). The clock jumps on meanwhile, so a `timeout` around such a wait is
/// over at once. Their callbacks are handles: those hold the clock.
///
/// # Examples
/// ```
/// use runtime::{Clock, Loop, secs, set_timeout};
///
/// let mut lp = Loop::builder().clock(Clock::manual()).build()?;
/// let _here = lp.enter();
/// let start = lp.now();
/// set_timeout(secs(3600), || println!("an hour later"));
/// lp.run()?; // returns at once
/// assert_eq!(lp.now() - start, secs(3600));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Real(Origin),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's monotonic clock: the default.
    pub fn real() -> Self {
        Self(Source::Real(Origin::now()))
    }

    /// A clock that moves only when the loop has nothing but timers to wait for, or by
    /// [`advance`](Self::advance). Its clones are one clock.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::default()))
    }

    /// Moves a manual clock on. A loop that sleeps meanwhile does not notice before it wakes.
    ///
    /// # Panics
    /// On a real clock: nobody can move that.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::Manual(now) => {
                now.fetch_add(saturating_ns(by), SeqCst);
            }
            Source::Real(_) => panic!("only a manual clock can be advanced: use `Clock::manual()`"),
        }
    }

    /// Nanoseconds since the clock began.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        match &self.0 {
            Source::Real(origin) => origin.elapsed_ns(),
            Source::Manual(now) => now.load(SeqCst),
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Lets a manual clock jump forward to `ns`.
    pub(crate) fn jump_to(&self, ns: u64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_max(ns, SeqCst);
        }
    }
}

#[cfg(target_os = "linux")]
use linux::Origin;
#[cfg(not(target_os = "linux"))]
use portable::Origin;

#[cfg(target_os = "linux")]
mod linux {
    //! The clock that `std::time::Instant` has there, too, without its arithmetic: each iteration reads it.

    use rustix::time::{ClockId, clock_gettime};

    /// A moment to count from.
    #[derive(Clone, Debug)]
    pub(super) struct Origin(u64);

    impl Origin {
        pub(super) fn now() -> Self {
            Self(now_ns())
        }

        #[inline]
        pub(super) fn elapsed_ns(&self) -> u64 {
            now_ns().saturating_sub(self.0)
        }
    }

    /// Nanoseconds since the system began.
    #[inline]
    fn now_ns() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * super::NS_PER_S + now.tv_nsec as u64
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::time::Instant;

    /// A moment to count from.
    #[derive(Clone, Debug)]
    pub(super) struct Origin(Instant);

    impl Origin {
        pub(super) fn now() -> Self {
            Self(Instant::now())
        }

        pub(super) fn elapsed_ns(&self) -> u64 {
            super::saturating_ns(self.0.elapsed())
        }
    }
}

/// `duration` in nanoseconds; what is too long becomes the greatest value, 584 years.
#[inline]
pub(crate) fn saturating_ns(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(NS_PER_S);
    whole.saturating_add(u64::from(duration.subsec_nanos()))
}

/// `duration` in whole milliseconds, rounded up.
#[inline]
pub(crate) fn ms_up(duration: Duration) -> u64 {
    let part = duration.subsec_nanos().div_ceil(NS_PER_MS as u32);
    duration.as_secs().saturating_mul(MS_PER_S).saturating_add(u64::from(part))
}

/// A moment on a loop's clock, real or manual: nanoseconds since the loop's clock began.
///
/// Moments of different loops can't be compared in a meaningful way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    pub(crate) const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    pub(crate) const fn as_ns(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero if that is later.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_ns(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_ns(duration)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}
