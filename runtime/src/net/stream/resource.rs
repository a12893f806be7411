//! The stream itself: its socket, its state, and what an event does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use socket2::Socket;

use super::kind::StreamHandle;
use super::rare::Rare;
use super::reading::OnRead;
use crate::base::Wakers;
use crate::error::Closed;
use crate::event_loop::{
    ActiveKind, CLOSING, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Resource, State,
};
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;

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
/// Something is queued for the system.
pub(super) const QUEUED: u16 = 512;
/// Requests to write or to shut down are in flight.
pub(super) const BUSY: u16 = 1024;
/// It has an idle timeout.
pub(super) const IDLE: u16 = 2048;
/// It has, or had, something rare.
pub(super) const RARE: u16 = 4096;
/// It has no reading direction.
pub(super) const WRITE_ONLY: u16 = 8192;

/// The read callback, while there is one, takes descriptors.
pub(super) const TAKES_FDS: u16 = 16384;

/// What a channel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directions {
    Both,
    Read,
    Write,
}

impl Directions {
    /// The flags a stream begins with: what it can't do is over from the start.
    fn flags(self) -> u16 {
        match self {
            Self::Both => READABLE,
            Self::Read => READABLE | WRITE_ENDED,
            Self::Write => WRITE_ONLY | READ_ENDED | END_TOLD,
        }
    }
}

/// The state of a byte stream whose handle type is `S`; its flags are the handle's own.
///
/// As small as can be: a server has one for each client, and most of them are idle.
pub(crate) struct Stream<S: StreamHandle> {
    handle: Handle,
    pub(super) channel: Watched<S::Channel>,
    /// The read callback, which is out while it runs; or the tasks that wait to read.
    pub(super) readers: Wakers<Box<OnRead<S>>>,
    pub(super) rare: Cell<Option<Box<Rare<S>>>>,
}

impl<S: StreamHandle> Stream<S> {
    /// A stream over `channel`.
    #[track_caller]
    pub(crate) fn make(lp: &LoopRef, kind: Kind, channel: S::Channel) -> Rc<Self> {
        Self::make_for(Directions::Both, lp, kind, channel)
    }

    #[track_caller]
    pub(crate) fn make_for(
        directions: Directions,
        lp: &LoopRef,
        kind: Kind,
        channel: S::Channel,
    ) -> Rc<Self> {
        Handle::make(lp, kind, |handle| {
            handle.set_own_flags(directions.flags());
            Self {
                channel: Watched::new(&handle.state().poller, channel),
                handle,
                readers: Wakers::default(),
                rare: Cell::default(),
            }
        })
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub(crate) fn has(&self, flags: u16) -> bool {
        self.handle.own_flags() & flags != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: u16, on: bool) {
        let flags = self.handle.own_flags();
        self.handle.set_own_flags(if on { flags | flag } else { flags & !flag });
    }

    /// Whether, of `mask`, exactly `flags` are set, and the stream is open: one test of what is usual.
    #[inline]
    pub(super) fn is_just(&self, flags: u16, mask: u16) -> bool {
        self.handle.own_flags() & (mask | CLOSING) == flags
    }

    pub(crate) fn state(&self) -> &Rc<State> {
        self.handle.state()
    }

    /// Lends the channel, unless it is closed.
    #[inline]
    pub(crate) fn with_channel<R>(
        &self,
        f: impl FnOnce(&S::Channel) -> io::Result<R>,
    ) -> io::Result<R> {
        self.channel.with(f)
    }

    /// The same, where it is a socket.
    #[inline]
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R>
    where
        S: StreamHandle<Channel = Socket>,
    {
        self.channel.with(f)
    }

    /// Gives the channel up, for who goes on with it elsewhere: the stream is closed, and refuses if it
    /// writes still.
    pub(crate) fn hand_off(self: &Rc<Self>) -> io::Result<S::Channel> {
        self.check_open()?;
        if self.is_writing() {
            let bytes = self.write_queue_size();
            let message = format!("the stream can't be handed on: it writes still, {bytes} bytes");
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let channel = self.channel.take().ok_or(Closed)?;
        self.close();
        Ok(channel)
    }

    /// Asks for what `more` says, besides what is asked for already.
    #[inline]
    pub(crate) fn ask_for(&self, more: Interest) -> io::Result<()> {
        self.channel.ask_for(self.handle.slot(), more)
    }

    /// Asks for `less` no longer.
    pub(crate) fn ask_no_more_for(&self, less: Interest) {
        self.channel.ask_no_more_for(self.handle.slot(), less);
    }

    /// Why the stream can't be used: the error that ended it, or that it is closed.
    pub(crate) fn check_open(&self) -> io::Result<()> {
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
        let is_called_back = self.handle.own_flags() & (READING | PAUSED) == READING;
        let is_active = is_called_back
            || self.has(CONNECTING)
            || !self.readers.is_empty()
            || (self.has(RARE) && self.has_write_waiters());
        self.handle.set_active(is_active);
        if self.has(READING | CONNECTING | FAILED | BUSY) != self.has(HELD) {
            self.change_owner();
        }
    }

    #[inline(never)]
    fn change_owner(self: &Rc<Self>) {
        if !self.handle.is_closing() {
            let held = !self.has(HELD);
            self.set(HELD, held);
            self.handle.hold(held);
        }
    }

    /// Whether nothing can come of it any more, though its close may be still to come.
    pub(crate) fn is_over(&self) -> bool {
        let has_ended = self.has(WRITE_ONLY) && self.has(WRITE_ENDED) && !self.is_writing();
        has_ended || self.handle.is_closing()
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

    /// What is not usual.
    #[inline(never)]
    fn other_ready(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() {
            return Ok(());
        }
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

    fn ready(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        // The usual events have one test: data for a callback, or for a task, and nothing else to do.
        const OTHER: u16 = PAUSED | CONNECTING | QUEUED | IDLE | TAKES_FDS;
        if ready.is_readable() && self.is_just(READING, READING | OTHER) {
            self.call_reader(d)
        } else if ready.is_readable() && self.is_just(0, READING | OTHER) {
            self.readable_by_tasks(ready, d)
        } else {
            self.other_ready(ready, d)
        }
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one: what is to be told comes in the closing phase.
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Timer => self.idle_timer(d),
            Event::Pending => {
                self.clone().pending_writes(d)?;
                self.tell_failure(d)
            }
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        self.ask_rare(|rare| rare.requests())
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.with_channel(|channel| Ok(sys::raw(channel))).ok()
    }

    fn release(&self) {
        self.disarm_idle();
        if self.has(QUEUED) && self.state().is_dead() {
            self.send_last();
        }
        self.channel.close();
        self.readers.wake();
        self.wake_writers();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        self.cancel_connect(d).or_else(|| self.cancel_write(d))
    }

    fn discard(&self) {
        self.set(READING | PAUSED, false);
        drop(self.readers.take_callback());
        if let Some(rare) = self.rare.take() {
            self.set(RARE, false);
            rare.discard();
        }
    }
}

impl<S: StreamHandle> Drop for Stream<S> {
    /// Its last owner is gone. The idle timer must not meet another resource in this slot.
    fn drop(&mut self) {
        self.disarm_idle();
    }
}
