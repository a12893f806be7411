//! The resource behind a [`UdpSocket`](super::UdpSocket): its socket, its state, and what an event does.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use socket2::Socket;

use super::batch::Batch;
use super::queue::SendQueue;
use super::receiving::OnDatagram;
use crate::base::{CallbackSlot, Guarded, Wakers};
use crate::event_loop::{
    ActiveKind, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Pending, Resource,
};
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;

/// `recv_start` was called: a callback is there, be it running or not.
pub(super) const RECEIVING: u8 = 1;
/// The system may have a datagram: nothing was tried yet, or an event came that nobody took.
pub(super) const READABLE: u8 = 2;
/// The loop is an owner.
const HELD: u8 = 4;
/// It has one peer.
pub(super) const CONNECTED: u8 = 8;
/// Its addresses are those of IPv6.
pub(super) const V6: u8 = 16;
/// The system told of an error, which may stand in its queue.
pub(super) const FAILED: u8 = 32;
/// What the network says of datagrams is kept in that queue, and not only there.
pub(super) const QUEUES_ERRORS: u8 = 64;

pub(crate) struct Inner {
    pub(super) handle: Handle,
    socket: Watched<Socket>,
    flags: Cell<u8>,
    pub(super) on_datagram: CallbackSlot<OnDatagram>,
    pub(super) readers: Wakers,
    /// Datagrams that were received and are still to be taken. It goes as soon as it is empty and no
    /// callback looks at it.
    pub(super) left: Guarded<Option<Rc<Batch>>>,
    /// Made when a datagram first has to wait, or its limit is set.
    pub(super) queue: Guarded<Option<Box<SendQueue>>>,
}

impl Inner {
    /// Over `socket`, which must not block.
    #[track_caller]
    pub(super) fn make(lp: &LoopRef, socket: Socket, flags: u8) -> Rc<Self> {
        Handle::make(lp, Kind::UdpSocket, |handle| Self {
            socket: Watched::new(&handle.state().poller, socket),
            handle,
            flags: Cell::new(flags | READABLE),
            on_datagram: CallbackSlot::default(),
            readers: Wakers::default(),
            left: Guarded::default(),
            queue: Guarded::default(),
        })
    }

    #[inline]
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    pub(super) fn set(&self, flag: u8, on: bool) {
        let flags = self.flags.get();
        self.flags.set(if on { flags | flag } else { flags & !flag });
    }

    /// Lends the socket, unless it is closed.
    #[inline]
    pub(super) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.socket.with(f)
    }

    /// Asks for what `more` says, besides what is asked for already.
    pub(super) fn ask_for(&self, more: Interest) -> io::Result<()> {
        self.socket.ask_for(self.handle.slot(), more)
    }

    /// Asks for `less` no longer.
    pub(super) fn ask_no_more_for(&self, less: Interest) {
        self.socket.ask_no_more_for(self.handle.slot(), less);
    }

    /// Brings liveness and ownership in line with what is going on: as in libuv it is active while it
    /// receives and while something is queued.
    pub(super) fn update(self: &Rc<Self>) {
        let (receives, is_sending) = (self.has(RECEIVING), self.is_sending());
        let is_waited_on = !self.readers.is_empty();
        self.handle.set_active(receives || is_waited_on || self.wants_to_send());
        let held = receives || is_sending;
        if held != self.has(HELD) && !self.handle.is_closing() {
            self.set(HELD, held);
            self.handle.hold(held);
        }
    }

    /// What is to be told, and can't be now, comes up in the pending phase.
    pub(super) fn pend_owed(self: &Rc<Self>) {
        let is_owed = self.owes_answers() || (self.has(RECEIVING) && self.has_left());
        if is_owed && !self.handle.is_closing() {
            self.handle.state().pending.push(Pending::Resource(self.clone()));
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
            Event::Pending => {
                self.clone().finish_sends(d)?;
                self.deliver_left(d)
            }
            Event::Timer | Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let sends = self.queue.with(|queue| queue.as_ref().map_or(0, |queue| queue.requests()));
        if sends == 0 { Vec::new() } else { vec![(ActiveKind::Send, sends)] }
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.with_socket(|socket| Ok(sys::raw(socket))).ok()
    }

    fn release(&self) {
        self.socket.close();
        self.readers.wake();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        self.cancel_send(d)
    }

    fn discard(&self) {
        drop(self.on_datagram.clear());
        drop(self.left.take());
        let queue = self.queue.take();
        if let Some(queue) = queue {
            queue.abandon();
        }
    }
}
