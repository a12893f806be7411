//! Time: sleeping, deadlines, and the loop's clock.
//!
//! All of it counts on the loop's clock, real or manual.

mod instant;
mod interval;
mod sleep;
mod timeout;

pub use crate::base::Instant;
pub use crate::error::Elapsed;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Timeout, timeout};

/// `n` milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
