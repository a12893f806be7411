//! The resource behind a [`UnixDatagram`](super::UnixDatagram): its socket, its state, and what an event
//! does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use socket2::Socket;

use super::lanes::Lanes;
use super::receiving::OnDatagram;
use crate::base::{CallbackSlot, Guarded, Key, Wakers};
use crate::event_loop::{
    ActiveKind, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Pending, Resource,
};
use crate::net::unix::bound::BoundFile;
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;

/// `recv_start` was called: a callback is there, be it running or not.
pub(super) const RECEIVING: u16 = 1;
/// The system may have a datagram: nothing was tried yet, or an event came that nobody took.
pub(super) const READABLE: u16 = 2;
/// The loop is an owner.
const HELD: u16 = 4;

pub(crate) struct Inner {
    pub(super) handle: Handle,
    socket: Watched<Socket>,
    file: Cell<Option<BoundFile>>,
    pub(super) on_datagram: CallbackSlot<OnDatagram>,
    /// Descriptors that the callback takes.
    pub(super) max_fds: Cell<usize>,
    pub(super) readers: Wakers,
    /// Made when a datagram first has to wait, or its limit is set.
    pub(super) lanes: Guarded<Option<Box<Lanes>>>,
    /// Set while a destination is waited for that the system does not tell of.
    pub(super) retry: Cell<Option<Key>>,
}

impl Inner {
    /// Over `socket`, which must not block.
    #[track_caller]
    pub(super) fn make(lp: &LoopRef, socket: Socket, file: Option<BoundFile>) -> Rc<Self> {
        Handle::make(lp, Kind::UnixDatagram, |handle| {
            handle.set_own_flags(READABLE);
            Self {
                socket: Watched::new(&handle.state().poller, socket),
                file: Cell::new(file),
                handle,
                on_datagram: CallbackSlot::default(),
                max_fds: Cell::new(0),
                readers: Wakers::default(),
                lanes: Guarded::default(),
                retry: Cell::default(),
            }
        })
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.handle.own_flags() & flag != 0
    }

    pub(super) fn set(&self, flag: u16, on: bool) {
        let flags = self.handle.own_flags();
        self.handle.set_own_flags(if on { flags | flag } else { flags & !flag });
    }

    /// Lends the socket, unless it is closed.
    pub(super) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.socket.with(f)
    }

    /// Takes the socket out, for who goes on with it elsewhere, and leaves its file to him.
    pub(super) fn take_socket(&self) -> Option<Socket> {
        if let Some(file) = self.file.take() {
            file.leave();
        }
        self.socket.take()
    }

    pub(super) fn ask_for(&self, more: Interest) -> io::Result<()> {
        self.socket.ask_for(self.handle.slot(), more)
    }

    pub(super) fn ask_no_more_for(&self, less: Interest) {
        self.socket.ask_no_more_for(self.handle.slot(), less);
    }

    /// Brings liveness and ownership in line with what is going on: as over UDP it is active while it
    /// receives and while something is queued.
    pub(super) fn update(self: &Rc<Self>) {
        let receives = self.has(RECEIVING);
        let is_waited_on = !self.readers.is_empty();
        self.handle.set_active(receives || is_waited_on || self.wants_to_send());
        let held = receives || self.is_sending();
        if held != self.has(HELD) && !self.handle.is_closing() {
            self.set(HELD, held);
            self.handle.hold(held);
        }
    }

    /// What is to be told, and can't be now, comes up in the pending phase.
    pub(super) fn pend_owed(self: &Rc<Self>) {
        if self.owes_answers() && !self.handle.is_closing() {
            self.handle.state().pending.push(Pending::Resource(self.clone()));
        }
    }

    pub(super) fn disarm(&self) {
        if let Some(timer) = self.retry.take() {
            self.handle.state().disarm(timer);
        }
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn ready(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one: what is to be told comes in the closing phase.
        if self.handle.is_closing() {
            return Ok(());
        }
        if ready.is_readable() {
            self.clone().readable(ready, d)?;
        }
        // The callback may have closed it: what is queued ends as cancelled then.
        if ready.is_writable() && self.wants_to_send() && !self.handle.is_closing() {
            return self.writable(d);
        }
        Ok(())
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Timer => {
                self.retry.set(None);
                self.writable(d)
            }
            Event::Pending => self.finish_sends(d),
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let sends = self.lanes.with(|lanes| lanes.as_ref().map_or(0, |lanes| lanes.requests()));
        if sends == 0 { Vec::new() } else { vec![(ActiveKind::Send, sends)] }
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.with_socket(|socket| Ok(sys::raw(socket))).ok()
    }

    fn release(&self) {
        self.disarm();
        drop(self.file.take());
        self.socket.close();
        self.readers.wake();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        self.cancel_send(d)
    }

    fn discard(&self) {
        drop(self.on_datagram.clear());
        let lanes = self.lanes.take();
        if let Some(lanes) = lanes {
            lanes.abandon();
        }
    }
}

impl Drop for Inner {
    /// Its last owner is gone. The timer must not meet another resource in this slot, and the file goes
    /// before the socket.
    fn drop(&mut self) {
        self.disarm();
        drop(self.file.take());
    }
}
