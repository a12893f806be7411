//! What all watchers of a loop share: the back end, and what it told and nobody was told of yet.
//!
//! ```text
//!   poller ─▶ the leader's slot ─▶ read ─▶ news ─▶ each watcher: its callback, or its queue
//! ```
//!
//! There is one back end a loop, made for the first watcher and gone with the last. Its descriptor is
//! registered under the slot of one of the watchers, the leader; if that stops another one leads. So it
//! needs no handle of its own, which `walk` would show and `metrics` count.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::{Rc, Weak};

use super::resource::Inner;
use crate::base::{Guarded, LocalQueue};
use crate::event_loop::{Dispatcher, Flow, Pending, Resource, State};
use crate::reactor::{Interest, Watched};
use crate::sys::{Backend, News, WatchSource, WatcherId};

pub(super) struct Hub {
    /// Before the back end: it is deregistered before the descriptor can close.
    source: Option<Watched<WatchSource>>,
    backend: Guarded<Backend>,
    watchers: Guarded<BTreeMap<WatcherId, Weak<Inner>>>,
    leader: Cell<Option<WatcherId>>,
    /// Read, and not delivered: an error or a panic of a callback leaves it here.
    news: LocalQueue<News>,
    last_id: Cell<WatcherId>,
}

/// Brings what is left to the next pending phase, also after a panic.
struct Settle<'a>(&'a Hub);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        self.0.pend();
    }
}

impl Hub {
    /// That of the loop, made if there is none.
    pub(super) fn of(state: &Rc<State>) -> io::Result<Rc<Self>> {
        let known = state.file_watching.with(|hub| hub.upgrade());
        if let Some(hub) = known.and_then(|hub| hub.downcast::<Self>().ok()) {
            return Ok(hub);
        }
        let (backend, source) = Backend::new()?;
        let hub = Rc::new(Self {
            source: source.map(|source| Watched::new(&state.poller, source)),
            backend: Guarded::new(backend),
            watchers: Guarded::default(),
            leader: Cell::new(None),
            news: LocalQueue::default(),
            last_id: Cell::new(0),
        });
        let known: Weak<dyn std::any::Any> = Rc::<Self>::downgrade(&hub);
        drop(state.file_watching.with(|hub| std::mem::replace(hub, known)));
        Ok(hub)
    }

    /// Watches `path` for `inner`, under the number that this gives.
    pub(super) fn join(
        &self,
        inner: &Rc<Inner>,
        path: &Path,
        is_recursive: bool,
    ) -> io::Result<WatcherId> {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let handle = inner.handle();
        let (sending, key) = (handle.state().sending.clone(), handle.key());
        // A loop that is gone is not woken.
        let wake = Box::new(move || _ = sending.signalled(key));
        let mut news = Vec::new();
        self.backend.with(|backend| backend.start(id, path, is_recursive, wake, &mut news))?;
        self.watchers.with(|watchers| watchers.insert(id, Rc::downgrade(inner)));
        if self.leader.get().is_none()
            && let Err(error) = self.lead()
        {
            self.leave(id);
            return Err(error);
        }
        // What could not be watched below the path: told when callbacks may run.
        if !news.is_empty() {
            news.into_iter().for_each(|news| self.news.push(news));
            self.pend();
        }
        Ok(id)
    }

    /// Watches for `id` no longer.
    pub(super) fn leave(&self, id: WatcherId) {
        self.backend.with(|backend| backend.stop(id));
        let gone = self.watchers.with(|watchers| watchers.remove(&id));
        drop(gone);
        if self.leader.get() == Some(id) {
            self.leader.set(None);
            // It was registered before; if it can't be now the poller is broken, which its wait tells.
            let _ = self.lead();
            self.pend();
        }
    }

    /// Makes one of the watchers the leader.
    fn lead(&self) -> io::Result<()> {
        if let Some(source) = &self.source {
            source.set_interest(0, Interest::NONE)?;
        }
        // One that is being dropped is no leader.
        let next = self
            .watchers
            .with(|watchers| watchers.iter().find_map(|(id, inner)| Some((*id, inner.upgrade()?))));
        let Some((id, inner)) = next else { return Ok(()) };
        if let Some(source) = &self.source {
            source.set_interest(inner.handle().slot(), Interest::READABLE)?;
        }
        self.leader.set(Some(id));
        Ok(())
    }

    fn watcher(&self, id: WatcherId) -> Option<Rc<Inner>> {
        self.watchers.with(|watchers| watchers.get(&id).and_then(Weak::upgrade))
    }

    /// Has the leader deliver what is left in the pending phase.
    fn pend(&self) {
        if !self.news.is_empty()
            && let Some(leader) = self.leader.get().and_then(|id| self.watcher(id))
        {
            leader.handle().state().pending.push(Pending::Resource(leader.clone()));
        }
    }

    /// Reads what the system tells, and delivers it.
    pub(super) fn read(&self, d: &mut Dispatcher<'_>) -> Flow {
        let mut news = Vec::new();
        let read = self.backend.with(|backend| backend.read(&mut news));
        news.into_iter().for_each(|news| self.news.push(news));
        if let Err(error) = read {
            let ids = self.watchers.with(|all| all.keys().copied().collect::<Vec<_>>());
            ids.into_iter()
                .for_each(|id| self.news.push((id, Err(crate::event_loop::copy_of(&error)))));
        }
        self.deliver(d)
    }

    /// Tells each what is for it, in the order in which it came. Who stopped meanwhile is not told.
    pub(super) fn deliver(&self, d: &mut Dispatcher<'_>) -> Flow {
        let _settle = Settle(self);
        while let Some((id, change)) = self.news.pop() {
            if let Some(inner) = self.watcher(id) {
                inner.tell(change, d)?;
            }
        }
        Ok(())
    }
}
