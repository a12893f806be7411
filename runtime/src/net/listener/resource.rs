//! What accepts: its socket, who waits for connections, and what happens without descriptors.
//!
//! ```text
//!   connection waits ─▶ accept ─▶ callback, or a task      one an event for callbacks, as libuv
//!                         │ no descriptor is left
//!                         ▼
//!              give the spare one up, accept and close what waits, take it back,
//!              tell on_error once, ask for no connections for 100 ms
//! ```
//!
//! Another error may be that of one connection, so the next one is tried. If that fails too, it pauses
//! likewise: what is wrong with the socket itself would come again at once, for ever.

use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::Socket;

use super::ListenerHandle;
use super::backlog::Backlog;
use super::limit::Limit;
use crate::base::clock::saturating_ns;
use crate::base::{CallbackSlot, Key, Waiter, Wakers};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, LoopRef, Pending, Resource, State};
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;
use crate::task::{coop, keep};

/// How long a listener pauses that can't accept.
const PAUSE: Duration = Duration::from_millis(100);
/// Waiting connections that are shed at once, so that shedding ends although more come.
const SHED_AT_ONCE: usize = 1024;

/// The state of a listener whose handle type is `L`.
pub(crate) struct Listener<L: ListenerHandle> {
    handle: Handle,
    source: Watched<L::Source>,
    guard: Cell<Option<L::Guard>>,
    on_connection: CallbackSlot<OnConnection<L>>,
    on_error: CallbackSlot<OnError<L>>,
    is_listening: Cell<bool>,
    acceptors: Wakers,
    backlog: Backlog,
    /// Set while it pauses since it can't accept.
    paused: Cell<Option<Key>>,
    /// An error was told, and no connection accepted since.
    has_failed: Cell<bool>,
    /// An error that a task's accept met, to be told in the pending phase.
    untold: Cell<Option<io::Error>>,
    /// Made when it first has one.
    pub(super) limit: OnceCell<Rc<Limit<L>>>,
}

type OnConnection<L> = dyn FnMut(&L, <L as ListenerHandle>::Stream) -> Result;
type OnError<L> = dyn FnMut(&L, io::Error) -> Result;

fn keep_spare(state: &State) {
    let spare = state.spare_descriptor.take().or_else(|| sys::spare().ok());
    state.spare_descriptor.set(spare);
}

impl<L: ListenerHandle> Listener<L> {
    /// A listener over `source`, which listens and does not block.
    #[track_caller]
    pub(crate) fn make(lp: &LoopRef, kind: Kind, source: L::Source) -> Rc<Self> {
        // Taken now, while there are some. Without a spare one connections wait instead of being shed.
        keep_spare(lp.state());
        Handle::make(lp, kind, |handle| Self {
            source: Watched::new(&handle.state().poller, source),
            handle,
            guard: Cell::default(),
            on_connection: CallbackSlot::default(),
            on_error: CallbackSlot::default(),
            is_listening: Cell::new(false),
            acceptors: Wakers::default(),
            backlog: Backlog::default(),
            paused: Cell::new(None),
            has_failed: Cell::new(false),
            untold: Cell::new(None),
            limit: OnceCell::new(),
        })
    }

    pub(crate) fn listen<R: Outcome>(
        self: &Rc<Self>,
        mut f: impl FnMut(&L, L::Stream) -> R + 'static,
    ) {
        if self.handle.is_closing() {
            return;
        }
        let f = Box::new(move |listener: &L, socket| f(listener, socket).into_result());
        drop(self.on_connection.set(f));
        self.is_listening.set(true);
        // While a callback is there; tasks that wait hold it themselves.
        self.handle.hold(true);
        // Tasks that wait are told: EALREADY.
        self.acceptors.wake();
        self.update();
    }

    pub(crate) fn on_error<R: Outcome>(&self, mut f: impl FnMut(&L, io::Error) -> R + 'static) {
        if !self.handle.is_closing() {
            let f = Box::new(move |listener: &L, error| f(listener, error).into_result());
            drop(self.on_error.set(f));
        }
    }

    /// Gives the listener what is to be dropped just before its socket closes.
    #[cfg_attr(windows, expect(dead_code, reason = "nothing there has a guard"))]
    pub(crate) fn set_guard(&self, guard: Option<L::Guard>) {
        self.guard.set(guard);
    }

    #[cfg_attr(windows, expect(dead_code, reason = "as above"))]
    pub(crate) fn take_guard(&self) -> Option<L::Guard> {
        self.guard.take()
    }

    pub(crate) fn with_source<R>(
        &self,
        f: impl FnOnce(&L::Source) -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.with(f)
    }

    /// The same, where it is a socket.
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R>
    where
        L: ListenerHandle<Source = Socket>,
    {
        self.source.with(f)
    }

    /// Gives the source up, unless it is closed.
    pub(crate) fn take_socket(&self) -> Option<L::Source> {
        self.source.take()
    }

    fn is_wanted(&self) -> bool {
        self.is_listening.get() || !self.acceptors.is_empty()
    }

    fn is_paused(&self) -> bool {
        self.paused.get().is_some()
    }

    /// Brings interest and liveness in line with what is wanted.
    fn update(self: &Rc<Self>) {
        if self.handle.is_closing() {
            return;
        }
        let is_wanted = self.is_wanted();
        if is_wanted
            && !self.is_paused()
            && let Err(error) = self.source.ask_for(self.handle.slot(), Interest::READABLE)
        {
            self.tell_later(error);
        }
        self.handle.set_active(is_wanted);
    }

    fn ask_for_nothing(&self) {
        self.source.ask_no_more_for(self.handle.slot(), Interest::READABLE);
    }

    /// Accepts the next connection that is worth the name: one that was gone before it was accepted
    /// is skipped, where the system says so.
    fn accept<A>(&self, accept: impl Fn(&L::Source) -> io::Result<A>) -> io::Result<A> {
        loop {
            match self.with_source(&accept) {
                Ok(accepted) => {
                    if self.has_failed.replace(false) {
                        keep_spare(self.handle.state());
                    }
                    return Ok(accepted);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// No descriptor is left: sheds what waits, and pauses. True if that is news.
    fn shed(self: &Rc<Self>) -> bool {
        let state = self.handle.state();
        if let Some(spare) = state.spare_descriptor.take() {
            drop(spare);
            for _ in 0..SHED_AT_ONCE {
                if self.with_source(L::accept).is_err() {
                    break;
                }
            }
            // Another thread may have been quicker: then what comes waits.
            state.spare_descriptor.set(sys::spare().ok());
        }
        self.pause();
        !self.has_failed.replace(true)
    }

    /// Asks for no connections for a while.
    fn pause(self: &Rc<Self>) {
        let state = self.handle.state();
        self.ask_for_nothing();
        let deadline = state.update_time().saturating_add(saturating_ns(PAUSE));
        let timer = state.arm(deadline, self.handle.slot());
        if let Some(former) = self.paused.replace(Some(timer)) {
            state.disarm(former);
        }
    }

    /// A connection waits, as the system says.
    fn readable(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if !self.is_listening.get() {
            self.backlog.is_reported();
            if self.acceptors.is_empty() {
                self.ask_for_nothing();
                return Ok(());
            }
            self.acceptors.wake();
            self.update();
            return d.checkpoint();
        }
        if self.is_full() {
            return match self.accept(L::accept) {
                Ok((socket, peer)) => self.drop_connection(socket, peer, d),
                Err(error) => self.accept_failed(error, d),
            };
        }
        match self.accept(L::accept_nameless) {
            Ok(socket) => {
                let socket = self.admit(socket);
                let listener = L::wrap(self);
                let Some(mut callback) = listener.listener().on_connection.take() else {
                    return Ok(());
                };
                let result = callback(&listener, socket);
                drop(callback);
                d.done(result)
            }
            Err(error) => self.accept_failed(error, d),
        }
    }

    /// Nothing was accepted for the callback.
    #[inline(never)]
    fn accept_failed(self: Rc<Self>, error: io::Error, d: &mut Dispatcher<'_>) -> Flow {
        match error {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            error if sys::is_exhausted(&error) => {
                if self.shed() {
                    self.tell(error, d)
                } else {
                    Ok(())
                }
            }
            _ if self.has_failed.replace(true) => {
                self.pause();
                Ok(())
            }
            error => self.tell(error, d),
        }
    }

    fn tell(self: Rc<Self>, error: io::Error, d: &mut Dispatcher<'_>) -> Flow {
        let listener = L::wrap(self);
        let Some(mut callback) = listener.listener().on_error.take() else { return Ok(()) };
        let result = callback(&listener, error);
        drop(callback);
        d.done(result)
    }

    fn tell_later(self: &Rc<Self>, error: io::Error) {
        self.untold.set(Some(error));
        self.pend();
    }

    /// Asks for the pending phase, once for each thing that is to be told.
    pub(super) fn pend(self: &Rc<Self>) {
        self.handle.state().pending.push(Pending::Resource(self.clone()));
    }

    /// Whoever waited waits no longer.
    pub(crate) fn forget(self: &Rc<Self>, waiter: Option<Waiter>) {
        if waiter.is_some_and(|waiter| self.acceptors.unregister(waiter)) {
            self.update();
        }
    }

    pub(crate) fn poll_accept(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
    ) -> Poll<io::Result<(L::Stream, L::Address)>> {
        self.handle.check_open()?;
        if self.is_listening.get() {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        while !self.is_paused() && self.backlog.may_have() {
            match self.accept(L::accept) {
                Ok((socket, peer)) => {
                    self.backlog.gave_one();
                    if !self.is_full() {
                        return Poll::Ready(Ok((self.admit(socket), peer)));
                    }
                    self.drop_connection_later(socket, peer);
                    // Who accepts goes on, but not for ever.
                    std::task::ready!(coop::poll_proceed(cx));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.backlog.was_empty(),
                Err(error) if sys::is_exhausted(&error) => {
                    if self.shed() {
                        self.tell_later(error);
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        coop::made_no_progress();
        self.acceptors.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }
}

impl<L: ListenerHandle> Resource for Listener<L> {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn ready(self: Rc<Self>, _ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one.
        if self.handle.is_closing() { Ok(()) } else { self.readable(d) }
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Timer => {
                self.paused.set(None);
                self.update();
                Ok(())
            }
            Event::Pending => match self.untold.take() {
                Some(error) => self.tell(error, d),
                None => self.tell_next_dropped(d),
            },
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.with_source(|source| Ok(sys::raw(source))).ok()
    }

    fn release(&self) {
        if let Some(timer) = self.paused.take() {
            self.handle.state().disarm(timer);
        }
        drop(self.guard.take());
        self.source.close();
        self.acceptors.wake();
    }

    fn discard(&self) {
        drop(self.on_connection.clear());
        drop(self.on_error.clear());
        if let Some(limit) = self.limit.get() {
            limit.discard();
        }
    }
}

impl<L: ListenerHandle> Drop for Listener<L> {
    /// Its last owner is gone. The timer must not meet another resource in this slot.
    fn drop(&mut self) {
        drop(self.guard.take());
        if let Some(timer) = self.paused.take() {
            self.handle.state().disarm(timer);
        }
    }
}
