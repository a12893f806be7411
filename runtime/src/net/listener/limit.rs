//! How many connections a listener lets live at a time.
//!
//! A stream that is accepted under a limit has an answer that the loop gives when it is closed, as for
//! `closed()`: it frees the place. Without a limit there is nothing of the kind, and no cost.

use std::cell::Cell;
use std::rc::Rc;

use socket2::SockAddr;

use super::{Accepted, Listener, ListenerHandle};
use crate::base::{CallbackSlot, InlineFn, LocalQueue};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow, Resource};
use crate::sys::Channel;

/// The two ends of a connection that was closed at once, since there were too many: the own one first.
pub(crate) type Ends<L> = (SockAddr, <L as ListenerHandle>::Address);

type OnDrop<L> = dyn FnMut(&L, Ends<L>) -> Result;

/// The limit of a listener. It is shared with those who free places.
pub(super) struct Limit<L: ListenerHandle> {
    most: Cell<Option<usize>>,
    taken: Cell<usize>,
    on_drop: CallbackSlot<OnDrop<L>>,
    /// Somebody wants to be told.
    has_on_drop: Cell<bool>,
    /// What tasks that accept have dropped, to be told in the pending phase.
    untold: LocalQueue<Ends<L>>,
}

impl<L: ListenerHandle> Default for Limit<L> {
    fn default() -> Self {
        Self {
            most: Cell::default(),
            taken: Cell::default(),
            on_drop: CallbackSlot::default(),
            has_on_drop: Cell::default(),
            untold: LocalQueue::default(),
        }
    }
}

impl<L: ListenerHandle> Limit<L> {
    fn is_reached(&self) -> bool {
        self.most.get().is_some_and(|most| self.taken.get() >= most)
    }

    /// Counts `stream` until it is closed.
    fn count(self: &Rc<Self>, stream: &L::Stream) {
        let Some(closed) = self.most.get().and_then(|_| stream.on_closed()) else { return };
        self.taken.set(self.taken.get() + 1);
        let limit = self.clone();
        let free = move |_| {
            limit.taken.set(limit.taken.get() - 1);
            Ok(())
        };
        closed.callback(InlineFn::new(free), stream.state());
    }

    pub(super) fn discard(&self) {
        self.has_on_drop.set(false);
        drop(self.on_drop.clear());
        drop(self.untold.take());
    }
}

impl<L: ListenerHandle> Listener<L> {
    pub(crate) fn set_max_connections(&self, most: Option<usize>) {
        if most.is_some() || self.limit.get().is_some() {
            self.limit().most.set(most);
        }
    }

    pub(crate) fn max_connections(&self) -> Option<usize> {
        self.limit.get()?.most.get()
    }

    pub(crate) fn connections(&self) -> usize {
        self.limit.get().map_or(0, |limit| limit.taken.get())
    }

    pub(crate) fn on_drop<R: Outcome>(&self, mut f: impl FnMut(&L, Ends<L>) -> R + 'static) {
        if !self.handle().is_closing() {
            let f = Box::new(move |listener: &L, ends| f(listener, ends).into_result());
            self.limit().has_on_drop.set(true);
            drop(self.limit().on_drop.set(f));
        }
    }

    fn limit(&self) -> &Rc<Limit<L>> {
        self.limit.get_or_init(Rc::default)
    }

    /// Whether a connection that was accepted now would be one too many.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.limit.get().is_some_and(|limit| limit.is_reached())
    }

    /// A stream of a connection that was accepted.
    #[inline]
    pub(super) fn admit(&self, socket: Accepted<L>) -> L::Stream {
        let stream = L::stream_of(&self.handle().loop_ref(), socket);
        stream.comes_from(self.handle());
        if let Some(limit) = self.limit.get() {
            limit.count(&stream);
        }
        stream
    }

    /// Closes a connection that is one too many. Its ends, if somebody wants to know.
    fn shut_out(&self, socket: Accepted<L>, peer: L::Address) -> Option<Ends<L>> {
        let is_told = self.limit.get().is_some_and(|limit| limit.has_on_drop.get());
        let local = is_told.then(|| socket.own_name()).flatten();
        drop(socket);
        Some((local?, peer))
    }

    /// The same, told at once.
    pub(super) fn drop_connection(
        self: Rc<Self>,
        socket: Accepted<L>,
        peer: L::Address,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        match self.shut_out(socket, peer) {
            Some(ends) => self.tell_dropped(ends, d),
            None => Ok(()),
        }
    }

    /// The same, told in the pending phase.
    pub(super) fn drop_connection_later(self: &Rc<Self>, socket: Accepted<L>, peer: L::Address) {
        if let Some(ends) = self.shut_out(socket, peer) {
            self.limit().untold.push(ends);
            self.pend();
        }
    }

    /// In the pending phase: tells of one connection that a task dropped.
    pub(super) fn tell_next_dropped(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        match self.limit.get().and_then(|limit| limit.untold.pop()) {
            Some(ends) => self.tell_dropped(ends, d),
            None => Ok(()),
        }
    }

    fn tell_dropped(self: Rc<Self>, ends: Ends<L>, d: &mut Dispatcher<'_>) -> Flow {
        let listener = L::wrap(self);
        let Some(mut callback) = listener.listener().limit().on_drop.take() else { return Ok(()) };
        let result = callback(&listener, ends);
        drop(callback);
        d.done(result)
    }
}
