//! The name of a timer, as its own callback is given it. What it can do is in `schedule`.

use crate::base::Key;

/// Names a timer that was set by [`set_timeout`](crate::set_timeout),
/// [`set_timeout_mut`](crate::set_timeout_mut) or [`set_interval`](crate::set_interval).
///
/// It is a copyable name and owns nothing. The name of a timer that is gone, or used on another thread
/// than the loop's, does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    loop_id: u64,
    key: Key,
}

impl TimerId {
    pub(crate) const fn new(loop_id: u64, key: Key) -> Self {
        Self { loop_id, key }
    }

    pub(crate) const fn loop_id(self) -> u64 {
        self.loop_id
    }

    pub(crate) const fn key(self) -> Key {
        self.key
    }
}
