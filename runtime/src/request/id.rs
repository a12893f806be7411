//! Names of requests.

use crate::base::Key;
use crate::event_loop::context;

/// Names a request that was given a callback, to cancel it later.
///
/// It is a copyable name and owns nothing. The name of a request that is done, or used on another
/// thread than the loop's, does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    loop_id: u64,
    key: Key,
}

impl RequestId {
    /// The name of what is done already, or can't be cancelled.
    pub(super) const DEAD: Self = Self { loop_id: 0, key: Key::DEAD };

    pub(super) const fn new(loop_id: u64, key: Key) -> Self {
        Self { loop_id, key }
    }

    /// As [`Request::cancel`](super::Request::cancel).
    pub fn cancel(self) -> bool {
        let Some(lp) = context::find(self.loop_id) else { return false };
        let request = lp.state().requests.with(|requests| requests.get(self.key).cloned());
        request.is_some_and(|request| request.cancel())
    }
}
