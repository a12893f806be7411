//! What the timers phase waits for: the deadlines of resources, in a heap, and among them, as one
//! deadline, all of Node's timers.

use super::State;
use crate::base::clock::NS_PER_MS;
use crate::base::{Key, Rank};
use crate::timers::{Fired, TimerId, TimerLists};

/// Whose time has come.
pub(super) enum Due {
    /// The resource in this slot.
    Resource(usize),
    /// A pass over Node's lists.
    Lists,
}

impl State {
    /// Makes a deadline of the resource in `slot`. Equal ones keep the order of these calls.
    pub(crate) fn arm(&self, deadline_ns: u64, slot: usize) -> Key {
        self.heap.with(|heap| {
            let key = heap.insert(slot);
            heap.start(key, deadline_ns);
            key
        })
    }

    /// Moves a deadline, behind those that are equal. False if it is not there.
    #[inline]
    pub(crate) fn rearm(&self, key: Key, deadline_ns: u64) -> bool {
        self.heap.with(|heap| heap.start(key, deadline_ns))
    }

    /// Suspends a deadline, for `rearm`.
    #[inline]
    pub(crate) fn rest(&self, key: Key) {
        self.heap.with(|heap| heap.stop(key));
    }

    /// Takes a deadline out. False if it is not there, since it came or was taken out before.
    pub(crate) fn disarm(&self, key: Key) -> bool {
        self.heap.with(|heap| heap.remove(key)).is_some()
    }

    /// Lends Node's lists to `change`. A list that is founded by it may be due before all others.
    ///
    /// During a pass nothing is noted: its end does that.
    #[inline]
    pub(crate) fn change_lists<R>(
        &self,
        change: impl FnOnce(&mut TimerLists<Fired<TimerId>>) -> R,
    ) -> R {
        let (result, bound) = self.lists.with(|lists| (change(lists), lists.expiry_bound()));
        if let Some(expiry) = bound
            && self.lists_due.get().is_none_or(|due| deadline_of(expiry) < due.0)
            && self.progress.pass.get().is_none()
        {
            self.set_lists_due(deadline_of(expiry));
        }
        result
    }

    /// Where a pass over the lists stands among the deadlines. A list that is not there any more
    /// makes none.
    pub(super) fn lists_due(&self) -> Option<Rank> {
        let Some(expiry) = self.lists.with(|lists| lists.next_expiry()) else {
            self.lists_due.set(None);
            return None;
        };
        if self.lists_due.get().is_none_or(|due| due.0 < deadline_of(expiry)) {
            self.set_lists_due(deadline_of(expiry));
        }
        self.lists_due.get()
    }

    /// A pass has ended. What became due during it waits for an iteration.
    pub(super) fn pass_ended(&self) {
        let next_ms = self.now_ns() / NS_PER_MS + 1;
        if let Some(expiry) = self.lists.with(|lists| lists.next_expiry()) {
            self.set_lists_due(deadline_of(expiry.max(next_ms)));
        }
    }

    fn set_lists_due(&self, deadline_ns: u64) {
        let serial = self.heap.with(|heap| heap.next_serial());
        self.lists_due.set(Some((deadline_ns, serial)));
    }

    /// False if no timer is armed, be it a handle's, a resource's or Node's. It is cheap: what was stopped or
    /// cleared may not have been noticed yet.
    #[inline]
    pub(super) fn may_have_timers(&self) -> bool {
        self.heap.with(|heap| heap.bound().is_some())
            || self.lists.with(|lists| lists.expiry_bound().is_some())
    }

    /// The earliest deadline.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let first = self.heap.with(|heap| heap.first()).map(|(rank, _)| rank);
        [first, self.lists_due()].into_iter().flatten().min().map(|rank| rank.0)
    }

    /// Takes the first deadline, if it is `deadline` or earlier, and of a resource that was armed up to
    /// `serial`. The lists may have got a new serial meanwhile, since the first of them went: what is due of
    /// them was due before.
    pub(super) fn take_due(&self, (deadline, serial): Rank) -> Option<Due> {
        let lists = self.lists_due().filter(|lists| lists.0 <= deadline);
        let resource = self.heap.with(|heap| {
            let (rank, key) = heap.first()?;
            let is_due = rank.0 <= deadline && rank.1 <= serial;
            let is_first = lists.is_none_or(|lists| rank < lists);
            if is_due && is_first { heap.remove_first(key) } else { None }
        });
        if resource.is_none() && lists.is_some() {
            self.lists_due.set(None);
            return Some(Due::Lists);
        }
        resource.map(Due::Resource)
    }
}

fn deadline_of(expiry: u64) -> u64 {
    expiry.saturating_mul(NS_PER_MS)
}
