//! Receiving: by callback or by tasks.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::resource::{READABLE, RECEIVING};
use super::{DatagramHandle, DatagramSocket};
use crate::base::Waiter;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow};
use crate::reactor::{Interest, Ready};
use crate::sys;
use crate::task::{coop, keep};

/// Receiving by callback.
impl<D: DatagramHandle> DatagramSocket<D> {
    /// Calls `f` with what comes from now on. If that can't even start `f` is told why, later, and the
    /// result is false.
    pub(crate) fn recv_start<R: Outcome>(
        self: &Rc<Self>,
        mut f: impl FnMut(&D, io::Result<D::Datagram<'_>>) -> R + 'static,
    ) -> bool {
        if let Err(error) = self.begin_receiving() {
            // The callback gets all errors, and no call of the API calls back.
            let socket = D::wrap(self.clone());
            self.handle.state().call_later(move || f(&socket, Err(error)).into_result());
            return false;
        }
        let former = self.on_datagram.set(Box::new(
            move |socket: &D, datagram: io::Result<D::Datagram<'_>>| {
                f(socket, datagram).into_result()
            },
        ));
        self.update();
        self.pend_owed();
        drop(former);
        true
    }

    fn begin_receiving(&self) -> io::Result<()> {
        self.handle.check_open()?;
        if self.has(RECEIVING) || !self.readers.is_empty() {
            return Err(sys::already());
        }
        self.ask_for(Interest::READABLE)?;
        self.set(RECEIVING, true);
        Ok(())
    }

    pub(crate) fn recv_stop(self: &Rc<Self>) {
        if !self.handle.is_closing() {
            self.set(RECEIVING, false);
            let callback = self.on_datagram.clear();
            self.update();
            drop(callback);
        }
    }

    /// There is something to receive: datagrams, or an error.
    pub(super) fn readable(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if ready.is_error() {
            D::heed_error(&self);
        }
        if self.has(RECEIVING) {
            D::wrap(self).deliver(d)
        } else {
            self.readable_by_tasks(ready, d)
        }
    }

    /// Calls back with what `datagram` gives, which is not asked if no callback is free. True if the
    /// same callback, or one that took its place, may get more.
    #[inline]
    pub(crate) fn call_back<'a>(
        &self,
        socket: &D,
        datagram: impl FnOnce() -> io::Result<D::Datagram<'a>>,
        d: &mut Dispatcher<'_>,
    ) -> Result<bool> {
        let Some(mut callback) = self.on_datagram.take() else { return Ok(false) };
        let result = callback(socket, datagram());
        drop(callback);
        d.done(result)?;
        // The callback, or a microtask after it, may have stopped or closed.
        Ok(self.has(RECEIVING) && !self.handle.is_closing())
    }
}

/// Receiving by tasks.
impl<D: DatagramHandle> DatagramSocket<D> {
    /// No callback: tasks that wait are woken. If nobody waits the event is noted, and not asked for
    /// again.
    #[inline(never)]
    fn readable_by_tasks(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        self.set(READABLE, true);
        if self.readers.is_empty() {
            self.ask_no_more_for(Interest::READABLE);
            if ready.is_error() && !self.wants_to_send() {
                // An error can't be masked while anything is asked for.
                self.ask_no_more_for(Interest::READABLE | Interest::WRITABLE);
            }
            return Ok(());
        }
        self.readers.wake();
        self.update();
        d.checkpoint()
    }

    /// Why a task can't receive.
    #[inline]
    pub(crate) fn check_receivable(&self) -> io::Result<()> {
        self.handle.check_open()?;
        if self.has(RECEIVING) {
            return Err(sys::already());
        }
        Ok(())
    }

    /// Tries `receive`, and waits for readiness while it would block.
    fn poll_receive<R>(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
        mut receive: impl FnMut(&Self) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.check_receivable()?;
        std::task::ready!(coop::poll_proceed(cx));
        if self.has(READABLE) || D::has_left(self) {
            match receive(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.set(READABLE, false);
                }
                result => return Poll::Ready(result),
            }
        }
        coop::made_no_progress();
        self.ask_for(Interest::READABLE)?;
        self.readers.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }

    /// [`poll_receive`](Self::poll_receive) as a future: a dropped one waits no longer.
    pub(crate) async fn receive_with<R>(
        self: &Rc<Self>,
        mut receive: impl FnMut(&Self) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut reader = Reader(self, None);
        poll_fn(|cx| {
            let Reader(socket, waiter) = &mut reader;
            socket.poll_receive(cx, waiter, &mut receive)
        })
        .await
    }
}

/// A task that receives.
struct Reader<'a, D: DatagramHandle>(&'a Rc<DatagramSocket<D>>, Option<Waiter>);

impl<D: DatagramHandle> Drop for Reader<'_, D> {
    fn drop(&mut self) {
        if self.1.take().is_some_and(|waiter| self.0.readers.unregister(waiter)) {
            self.0.update();
        }
    }
}
