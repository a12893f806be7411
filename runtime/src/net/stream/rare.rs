//! What few streams have: a write queue, a drain callback, an idle timeout, a connect under way.
//!
//! All of it lies behind one pointer, which is empty for a stream that has nothing of the kind.

use super::idle::Idle;
use super::kind::StreamHandle;
use super::passing::Taking;
use super::queue::Writing;
use super::resource::{BUSY, QUEUED, RARE, Stream};
use super::writing::OnDrain;
use crate::event_loop::ActiveKind;
use crate::net::connect::Connecting;

pub(crate) struct Rare<S: StreamHandle> {
    /// Made when a write first has to wait, or its limits are set.
    writing: Option<Box<Writing>>,
    /// The drain callback; it is out while it runs.
    pub(super) on_drain: Option<Box<OnDrain<S>>>,
    pub(super) idle: Option<Box<Idle>>,
    errand: Option<Box<Errand<S>>>,
}

/// What a stream does before it is used, or what its callback takes then. One word for both: with another
/// one a stream with a drain callback would take 16 bytes more.
enum Errand<S: StreamHandle> {
    Connecting(Connecting<S>),
    Taking(Taking),
}

impl<S: StreamHandle> Default for Rare<S> {
    fn default() -> Self {
        Self { writing: None, on_drain: None, idle: None, errand: None }
    }
}

impl<S: StreamHandle> Rare<S> {
    pub(crate) fn set_connecting(&mut self, connecting: Connecting<S>) {
        self.errand = Some(Box::new(Errand::Connecting(connecting)));
    }

    pub(crate) fn take_connecting(&mut self) -> Option<Connecting<S>> {
        match *self.errand.take()? {
            Errand::Connecting(connecting) => Some(connecting),
            // It is read from, and its connect is past.
            taking @ Errand::Taking(_) => {
                self.errand = Some(Box::new(taking));
                None
            }
        }
    }

    fn connecting(&self) -> Option<&Connecting<S>> {
        match self.errand.as_deref()? {
            Errand::Connecting(connecting) => Some(connecting),
            Errand::Taking(_) => None,
        }
    }

    /// A callback takes `max_fds` descriptors from now on.
    pub(super) fn set_taking(&mut self, taking: Taking) {
        self.errand = Some(Box::new(Errand::Taking(taking)));
    }

    pub(super) fn taking(&mut self) -> Option<&mut Taking> {
        match self.errand.as_deref_mut()? {
            Errand::Taking(taking) => Some(taking),
            Errand::Connecting(_) => None,
        }
    }

    /// The requests in flight, by kind.
    pub(super) fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let connects = usize::from(self.connecting().is_some_and(Connecting::is_request));
        let mut requests = vec![(ActiveKind::Connect, connects)];
        if let Some(writing) = &self.writing {
            requests.push((ActiveKind::Write, writing.queue.len() + writing.finished.len()));
            requests.push((ActiveKind::Drained, writing.drained.len()));
            requests.push((ActiveKind::Shutdown, usize::from(writing.shutdown.is_some())));
        }
        requests.retain(|(_, count)| *count > 0);
        requests
    }

    /// The end of the stream: drops the callbacks, gives up what is in flight.
    pub(super) fn discard(mut self) {
        drop(self.on_drain.take());
        if let Some(connecting) = self.take_connecting() {
            connecting.abandon();
        }
        if let Some(writing) = self.writing {
            writing.abandon();
        }
    }
}

impl<S: StreamHandle> Stream<S> {
    /// Lends what is rare to `f`, which calls nothing that is not the stream's own.
    pub(crate) fn with_rare<R>(&self, f: impl FnOnce(&mut Rare<S>) -> R) -> R {
        let mut rare = self.take_rare();
        let result = f(&mut rare);
        self.put_rare(rare);
        result
    }

    /// By itself, as the next two: the compiler makes its callers anew for each of theirs.
    #[inline(never)]
    fn take_rare(&self) -> Box<Rare<S>> {
        self.rare.take().unwrap_or_else(|| {
            assert!(!self.has(RARE), "it is lent to somebody else");
            self.set(RARE, true);
            Box::default()
        })
    }

    #[inline(never)]
    fn put_rare(&self, rare: Box<Rare<S>>) {
        self.rare.set(Some(rare));
    }

    /// The same, if there is anything.
    pub(crate) fn ask_rare<R: Default>(&self, f: impl FnOnce(&mut Rare<S>) -> R) -> R {
        if self.has(RARE) { self.with_rare(f) } else { R::default() }
    }

    /// Lends the write queue to `f`, and notes in the flags what became of it.
    pub(super) fn with_writing<R>(&self, f: impl FnOnce(&mut Writing) -> R) -> R {
        let mut rare = self.take_rare();
        let result = f(rare.writing.get_or_insert_default());
        self.put_writing(rare);
        result
    }

    #[inline(never)]
    fn put_writing(&self, rare: Box<Rare<S>>) {
        if let Some(writing) = &rare.writing {
            self.set(QUEUED, !writing.queue.is_empty());
            self.set(BUSY, writing.is_busy());
        }
        self.put_rare(rare);
    }

    /// The same, if there is a queue.
    #[inline]
    pub(super) fn ask_writing<R: Default>(&self, f: impl FnOnce(&mut Writing) -> R) -> R {
        let has_queue = self.ask_rare(|rare| rare.writing.is_some());
        if has_queue { self.with_writing(f) } else { R::default() }
    }
}
