//! Waits that block a thread.

use crate::event_loop::try_current;

/// Refuses to block a loop's thread: what it waited for could be that loop's to do, and then both wait for
/// ever.
#[track_caller]
pub(super) fn assert_no_loop_here(called: &str, instead: &str) {
    assert!(
        try_current().is_none(),
        "`{called}` would block this thread's loop: use `{instead}` here; it is for threads without one"
    );
}
