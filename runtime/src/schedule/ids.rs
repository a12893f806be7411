//! Names of timers and immediates.

use crate::event_loop::context;
pub use crate::timers::TimerId;

impl TimerId {
    /// Cancels the timer and drops its callback. A timer that is due in the same pass does not fire.
    pub fn clear(self) {
        let Some(lp) = context::find(self.loop_id()) else { return };
        let state = lp.state();
        let action = state.lists.with(|lists| lists.clear(self.key()));
        drop(action);
    }

    /// Arms the timer anew with its own duration, counted from now, behind the timers of that duration
    /// that are set already. False if it is gone: cleared, or a [`set_timeout`](crate::set_timeout)
    /// that has fired. In an interval's own callback it has no effect.
    pub fn refresh(self) -> bool {
        let Some(lp) = context::find(self.loop_id()) else { return false };
        let state = lp.state();
        let start = state.timer_start();
        state.change_lists(|lists| lists.refresh(self.key(), start))
    }

    /// Lets the timer keep the loop alive: the default.
    pub fn ref_(self) -> Self {
        self.set_ref(true)
    }

    /// Lets the loop end although the timer is still to come. It fires if something else keeps the
    /// loop alive so long.
    pub fn unref(self) -> Self {
        self.set_ref(false)
    }

    fn set_ref(self, is_ref: bool) -> Self {
        if let Some(lp) = context::find(self.loop_id()) {
            lp.state().lists.with(|lists| lists.set_ref(self.key(), is_ref));
        }
        self
    }

    /// Whether the timer is there and would keep the loop alive.
    pub fn has_ref(self) -> bool {
        context::find(self.loop_id())
            .is_some_and(|lp| lp.state().lists.with(|lists| lists.has_ref(self.key())))
    }
}

/// Names an immediate that was set by [`set_immediate`](crate::set_immediate).
///
/// It is a copyable name and owns nothing. The name of an immediate that is gone, or used on another
/// thread than the loop's, does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImmediateId {
    loop_id: u64,
    number: u64,
}

impl ImmediateId {
    pub(crate) const fn new(loop_id: u64, number: u64) -> Self {
        Self { loop_id, number }
    }

    pub(super) const fn loop_id(self) -> u64 {
        self.loop_id
    }

    pub(super) const fn number(self) -> u64 {
        self.number
    }

    /// Cancels the immediate and drops its callback, also if it is one of those that the check phase
    /// is just running.
    pub fn clear(self) {
        let Some(lp) = context::find(self.loop_id) else { return };
        let action = lp.state().immediates.with(|immediates| immediates.clear(self.number));
        drop(action);
    }

    /// Lets the immediate keep the loop alive, and poll from blocking: the default.
    pub fn ref_(self) -> Self {
        self.set_ref(true)
    }

    /// Lets the loop end although the immediate is still to come. Poll blocks as if it were not there.
    pub fn unref(self) -> Self {
        self.set_ref(false)
    }

    fn set_ref(self, is_ref: bool) -> Self {
        if let Some(lp) = context::find(self.loop_id) {
            lp.state().immediates.with(|immediates| immediates.set_ref(self.number, is_ref));
        }
        self
    }

    /// Whether the immediate is there and keeps the loop alive.
    pub fn has_ref(self) -> bool {
        context::find(self.loop_id)
            .is_some_and(|lp| lp.state().immediates.with(|all| all.has_ref(self.number)))
    }
}
