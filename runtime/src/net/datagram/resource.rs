//! What all sockets for datagrams have, and what an event does.

use std::io;
use std::rc::Rc;

use socket2::Socket;

use super::DatagramHandle;
use super::queue::SendQueue;
use crate::base::{CallbackSlot, Guarded, Wakers};
use crate::error::Result;
use crate::event_loop::{ActiveKind, Dispatcher, Event, Flow, Handle, LoopRef, Pending, Resource};
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;

/// `recv_start` was called: a callback is there, be it running or not.
pub(crate) const RECEIVING: u16 = 1;
/// The system may have a datagram: nothing was tried yet, or an event came that nobody took.
pub(crate) const READABLE: u16 = 2;
/// The loop is an owner.
const HELD: u16 = 4;
/// From here on the flags are the handle type's.
pub(crate) const FIRST_OWN: u16 = 8;

/// The state of a socket whose handle type is `D`.
pub(crate) struct DatagramSocket<D: DatagramHandle> {
    pub(crate) handle: Handle,
    pub(crate) socket: Watched<Socket>,
    pub(super) on_datagram: CallbackSlot<OnDatagram<D>>,
    pub(crate) readers: Wakers,
    /// Made when a datagram first has to wait, or its limit is set.
    pub(super) queue: Guarded<Option<Box<SendQueue<D::Waiting>>>>,
    pub(crate) own: D::Own,
}

type OnDatagram<D> = dyn FnMut(&D, io::Result<<D as DatagramHandle>::Datagram<'_>>) -> Result;

impl<D: DatagramHandle> DatagramSocket<D> {
    /// Over `socket`, which must not block.
    #[track_caller]
    pub(crate) fn make(lp: &LoopRef, socket: Socket, flags: u16, own: D::Own) -> Rc<Self> {
        Handle::make(lp, D::KIND, |handle| {
            handle.set_own_flags(flags | READABLE);
            Self {
                socket: Watched::new(&handle.state().poller, socket),
                handle,
                on_datagram: CallbackSlot::default(),
                readers: Wakers::default(),
                queue: Guarded::default(),
                own,
            }
        })
    }

    #[inline]
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.handle.own_flags() & flag != 0
    }

    #[inline]
    pub(crate) fn set(&self, flag: u16, on: bool) {
        let flags = self.handle.own_flags();
        self.handle.set_own_flags(if on { flags | flag } else { flags & !flag });
    }

    /// Lends the socket, unless it is closed.
    #[inline]
    pub(crate) fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.socket.with(f)
    }

    /// Asks for what `more` says, besides what is asked for already.
    pub(crate) fn ask_for(&self, more: Interest) -> io::Result<()> {
        self.socket.ask_for(self.handle.slot(), more)
    }

    /// Asks for `less` no longer.
    pub(crate) fn ask_no_more_for(&self, less: Interest) {
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
    pub(crate) fn pend_owed(self: &Rc<Self>) {
        let is_owed = self.owes_answers() || (self.has(RECEIVING) && D::has_left(self));
        if is_owed && !self.handle.is_closing() {
            self.handle.state().pending.push(Pending::Resource(self.clone()));
        }
    }
}

impl<D: DatagramHandle> Resource for DatagramSocket<D> {
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
        if matches!(event, Event::Pending) {
            self.clone().finish_sends(d)?;
        }
        D::dispatch(self, event, d)
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let sends = self.ask_queue(|queue| queue.requests());
        if sends == 0 { Vec::new() } else { vec![(ActiveKind::Send, sends)] }
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.with_socket(|socket| Ok(sys::raw(socket))).ok()
    }

    fn release(&self) {
        D::let_go(self);
        self.socket.close();
        self.readers.wake();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        self.cancel_send(d)
    }

    fn discard(&self) {
        drop(self.on_datagram.clear());
        D::discard(self);
        let queue = self.queue.take();
        if let Some(queue) = queue {
            queue.abandon();
        }
    }
}

impl<D: DatagramHandle> Drop for DatagramSocket<D> {
    /// Its last owner is gone.
    fn drop(&mut self) {
        D::let_go(self);
    }
}
