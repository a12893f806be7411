//! The clock of the current loop.

use std::time::Duration;

use crate::base::Instant;
use crate::event_loop::current;

impl Instant {
    /// The current loop's time, read from its clock just now.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn now() -> Self {
        current().fresh_now()
    }

    /// The time from this moment to now; zero if it is still to come.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn elapsed(self) -> Duration {
        Self::now().duration_since(self)
    }
}
