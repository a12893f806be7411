//! Delays of timers: random, and the same in each run and for each contender.

use std::ops::RangeInclusive;
use std::time::Duration;

/// An endless row of random whole milliseconds: xorshift64, from a fixed seed.
#[derive(Clone, Debug)]
pub struct Delays {
    state: u64,
    first_ms: u64,
    count: u64,
}

impl Delays {
    /// Delays in a range of milliseconds.
    #[must_use]
    pub fn ms(range: RangeInclusive<u64>) -> Self {
        let (first_ms, last_ms) = range.into_inner();
        Self { state: 0x9e37_79b9_7f4a_7c15, first_ms, count: last_ms - first_ms + 1 }
    }

    /// The next one.
    pub fn draw(&mut self) -> Duration {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(self.first_ms + (self.state >> 32) % self.count)
    }
}
