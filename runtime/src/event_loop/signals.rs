//! Signals of the system: what this loop watches, and their turn in the poll phase.
//!
//! ```text
//!   inbox ─▶ collect: for each caught signal its watchers ─▶ due ─▶ deliver, one by one
//! ```
//!
//! What is due lies in the loop: a callback that fails loses nothing of what is behind it.

use std::cell::OnceCell;
use std::io;

use super::{Dispatcher, Flow, State};
use crate::base::{Guarded, LocalQueue};
use crate::sys::signal::{Caught, Inbox};
use crate::task::mail::HandleKey;

/// What the poller reports arrivals with. No slot: those have 32 bits; the largest two numbers are the
/// poller's own.
pub(super) const KEY: usize = usize::MAX - 2;

/// A loop's watchers, and what they are owed.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Made for the first watcher, and kept.
    inbox: OnceCell<Inbox>,
    /// In the order of their start.
    watchers: Guarded<Vec<Watcher>>,
    due: LocalQueue<(HandleKey, Caught)>,
}

#[derive(Clone, Copy, Debug)]
struct Watcher {
    key: HandleKey,
    signum: i32,
    once: bool,
}

impl Signals {
    fn inbox(&self, state: &State) -> io::Result<&Inbox> {
        if let Some(inbox) = self.inbox.get() {
            return Ok(inbox);
        }
        let inbox = Inbox::new(&state.poller, KEY)?;
        Ok(self.inbox.get_or_init(|| inbox))
    }

    /// Begins to watch `signum` for the handle `key`. Gives the epoch of what it is told.
    pub(crate) fn watch(
        &self,
        state: &State,
        key: HandleKey,
        signum: i32,
        once: bool,
    ) -> io::Result<u64> {
        let epoch = self.inbox(state)?.watch(signum)?;
        self.watchers.with(|watchers| watchers.push(Watcher { key, signum, once }));
        Ok(epoch)
    }

    /// Changes whether a watcher is for one signal only.
    pub(crate) fn set_once(&self, key: HandleKey, once: bool) {
        self.watchers.with(|watchers| {
            for watcher in watchers.iter_mut().filter(|watcher| watcher.key == key) {
                watcher.once = once;
            }
        });
    }

    /// Watches `signum` for the handle no longer.
    pub(crate) fn unwatch(&self, key: HandleKey, signum: i32) {
        let is_it = |watcher: &Watcher| watcher.key == key && watcher.signum == signum;
        self.watchers.with(|watchers| watchers.retain(|watcher| !is_it(watcher)));
        if let Some(inbox) = self.inbox.get() {
            inbox.unwatch(signum);
        }
    }

    /// The poller reported the inbox.
    pub(super) fn arrived(&self) {
        if let Some(inbox) = self.inbox.get() {
            inbox.arrived();
        }
    }

    /// Whether there is something to deliver.
    #[inline]
    pub(super) fn are_due(&self) -> bool {
        self.inbox.get().is_some_and(Inbox::is_due) || !self.due.is_empty()
    }

    /// Finds out who is to be told what, as it stands now.
    fn collect(&self) -> io::Result<()> {
        let Some(inbox) = self.inbox.get().filter(|inbox| inbox.is_due()) else { return Ok(()) };
        let mut all = Vec::new();
        inbox.take(&mut all)?;
        self.watchers.with(|watchers| {
            for caught in all {
                // Those that stay first, as libuv.
                for once in [false, true] {
                    let told = |w: &&Watcher| w.signum == caught.signum && w.once == once;
                    watchers.iter().filter(told).for_each(|w| self.due.push((w.key, caught)));
                }
            }
        });
        Ok(())
    }
}

#[inline(never)]
pub(super) fn deliver(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    state.signals.collect()?;
    while let Some((key, caught)) = state.signals.due.pop() {
        if let Some(resource) = state.registry.find(key) {
            resource.caught(caught, d)?;
        }
    }
    Ok(())
}
