//! The stream itself: its socket, its state, and what an event does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use socket2::Socket;

use super::idle::Idle;
use super::kind::StreamHandle;
use super::queue::Writing;
use super::reading::OnRead;
use super::writing::OnDrain;
use crate::base::{CallbackSlot, Guarded, Wakers};
use crate::error::Closed;
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, LoopRef, Resource, State};
use crate::net::connect::Connecting;
use crate::reactor::{Interest, Ready, Registration};

/// `read_start` was called: a callback is there, be it running or not.
pub(super) const READING: u16 = 1;
/// The callback is kept, but not called.
pub(super) const PAUSED: u16 = 2;
/// The end was read.
pub(super) const READ_ENDED: u16 = 4;
/// `shutdown` was called, or a write failed.
pub(super) const WRITE_ENDED: u16 = 8;
/// A read may find something without waiting: nothing was tried yet, or an event came that nobody
/// took. A short read clears it; level mode reports what is left.
pub(super) const READABLE: u16 = 16;
/// The loop is an owner.
const HELD: u16 = 32;
/// An error waits to be told to the reader in the pending phase.
pub(super) const FAILED: u16 = 64;
/// A connect is under way.
pub(crate) const CONNECTING: u16 = 128;
/// The end was told to a read callback.
pub(super) const END_TOLD: u16 = 256;

/// The state of a byte stream whose handle type is `S`.
pub(crate) struct Stream<S: StreamHandle> {
    handle: Handle,
    socket: Guarded<Option<Registration<Socket>>>,
    flags: Cell<u16>,
    pub(super) on_read: CallbackSlot<OnRead<S>>,
    pub(super) readers: Wakers,
    /// Made when a write first has to wait, or its limits are set.
    pub(super) writing: Guarded<Option<Box<Writing>>>,
    /// What `on_drain` installed; most streams have none.
    pub(super) on_drain: Guarded<Option<Rc<CallbackSlot<OnDrain<S>>>>>,
    pub(super) idle: Cell<Option<Box<Idle>>>,
    pub(crate) connecting: Cell<Option<Box<Connecting<S>>>>,
}

impl<S: StreamHandle> Stream<S> {
    /// A stream over `socket`, which must not block.
    pub(crate) fn make(lp: &LoopRef, kind: Kind, socket: Socket) -> Rc<Self> {
        Handle::make(lp, kind, |handle| {
            let socket = Registration::new(handle.state().poller.clone(), handle.slot(), socket);
            Self {
                handle,
                socket: Guarded::new(Some(socket)),
                flags: Cell::new(READABLE),
                on_read: CallbackSlot::default(),
                readers: Wakers::default(),
                writing: Guarded::default(),
                on_drain: Guarded::default(),
                idle: Cell::default(),
                connecting: Cell::default(),
            }
        })
    }

    #[inline]
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: u16, on: bool) {
        let flags = self.flags.get();
        self.flags.set(if on { flags | flag } else { flags & !flag });
    }

    pub(crate) fn state(&self) -> &Rc<State> {
        self.handle.state()
    }

    /// Lends the socket, unless it is closed.
    #[inline]
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.socket.with(|socket| match socket {
            Some(socket) => f(socket.source()),
            None => Err(Closed.into()),
        })
    }

    /// Puts another socket in the place of the one whose connect failed.
    pub(crate) fn replace_socket(&self, socket: Socket) {
        let poller = self.state().poller.clone();
        let socket = Registration::new(poller, self.handle.slot(), socket);
        let former = self.socket.with(|current| current.replace(socket));
        drop(former);
    }

    /// Asks for what `more` says, besides what is asked for already.
    pub(crate) fn ask_for(&self, more: Interest) -> io::Result<()> {
        self.socket.with(|socket| match socket {
            Some(socket) => socket.set_interest(socket.interest() | more),
            None => Err(Closed.into()),
        })
    }

    /// Asks for `less` no longer.
    pub(crate) fn ask_no_more_for(&self, less: Interest) {
        self.socket.with(|socket| {
            if let Some(socket) = socket {
                // Less interest can fail only if the poller itself is broken, which its wait reports.
                let _ = socket.set_interest(socket.interest().without(less));
            }
        });
    }

    /// Why the stream can't be used: the error that ended it, or that it is closed.
    pub(super) fn check_open(&self) -> io::Result<()> {
        match self.handle.check_open() {
            Err(error) => Err(self.handle.ending().unwrap_or(error)),
            open => open,
        }
    }

    /// Brings liveness and ownership in line with what is going on.
    ///
    /// Active is what a callback or a task waits for. Held is more: what a callback was installed for,
    /// though it is paused, and what has requests in flight.
    #[inline]
    pub(crate) fn update(self: &Rc<Self>) {
        let (has_callback, is_paused) = (self.has(READING), self.has(PAUSED));
        let is_connecting = self.has(CONNECTING);
        let is_waited_on = !self.readers.is_empty() || self.has_write_waiters();
        self.handle.set_active((has_callback && !is_paused) || is_waited_on || is_connecting);
        let held = has_callback || is_connecting || self.has(FAILED) || self.is_writing();
        if held != self.has(HELD) && !self.handle.is_closing() {
            self.set(HELD, held);
            self.handle.hold(self.clone(), held);
        }
    }

    /// Closes it because of `error`, which `closed()` and later calls tell.
    pub(super) fn close_with(self: &Rc<Self>, error: io::Error) {
        if !self.handle.is_closing() {
            self.handle.ends_with(error);
            self.close();
        }
    }

    pub(crate) fn close(self: &Rc<Self>) {
        let resource: Rc<dyn Resource> = self.clone();
        crate::event_loop::close(&resource);
    }

    /// Closes it if both directions have ended. A task that read the end may ask again, and has the
    /// stream to drop.
    pub(super) fn close_if_over(self: &Rc<Self>) {
        if self.has(END_TOLD) && self.has(WRITE_ENDED) && !self.is_writing() {
            self.close();
        }
    }

    #[inline]
    fn ready(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if ready.is_writable() && self.has(CONNECTING) {
            return crate::net::connect::advance(self, d);
        }
        if ready.is_readable() {
            self.clone().readable(ready, d)?;
        }
        // The read callback may have closed it: what is queued ends as cancelled then.
        if ready.is_writable() && self.wants_to_write() && !self.handle.is_closing() {
            return self.writable(d);
        }
        Ok(())
    }
}

impl<S: StreamHandle> Resource for Stream<S> {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    #[inline]
    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one: what is to be told comes in the closing phase.
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Ready(ready) => self.ready(ready, d),
            Event::Timer => self.idle_timer(d),
            Event::Pending => {
                self.clone().pending_writes(d)?;
                self.tell_failure(d)
            }
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn release(&self) {
        self.disarm_idle();
        drop(self.socket.with(Option::take));
        self.readers.wake();
        self.wake_writers();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        self.cancel_connect(d).or_else(|| self.cancel_write(d))
    }

    fn discard(&self) {
        drop(self.on_read.clear());
        // Emptied as well: it may run just now, and then the frame that runs it is an owner.
        if let Some(slot) = self.on_drain.take() {
            drop(slot.clear());
        }
        if let Some(connecting) = self.connecting.take() {
            connecting.abandon();
        }
        let writing = self.writing.with(Option::take);
        if let Some(writing) = writing {
            writing.abandon();
        }
    }
}

impl<S: StreamHandle> Drop for Stream<S> {
    /// Its last owner is gone. The idle timer must not meet another resource in this slot.
    fn drop(&mut self) {
        self.disarm_idle();
    }
}
