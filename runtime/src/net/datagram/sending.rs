//! Sending: what was queued, and the requests that wait for it.

use std::rc::Rc;

use super::many::{Many, Unsent};
use super::queue::{Asker, SendQueue, Waiting};
use super::{DatagramHandle, DatagramSocket};
use crate::error::Cancelled;
use crate::event_loop::{Dispatcher, Flow};
use crate::request::{Plain, Request};

impl<D: DatagramHandle> DatagramSocket<D> {
    pub(crate) fn with_queue<R>(&self, f: impl FnOnce(&mut SendQueue<D::Waiting>) -> R) -> R {
        self.queue.with(|queue| f(queue.get_or_insert_default()))
    }

    /// Asks the queue, if there is one.
    pub(crate) fn ask_queue<R: Default>(
        &self,
        f: impl FnOnce(&mut SendQueue<D::Waiting>) -> R,
    ) -> R {
        self.queue.with(|queue| queue.as_mut().map(|queue| f(queue)).unwrap_or_default())
    }

    /// Whether requests are in flight.
    pub(crate) fn is_sending(&self) -> bool {
        self.ask_queue(|queue| queue.is_busy())
    }

    /// Whether something is queued for the system.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.ask_queue(|queue| !queue.waiting.is_empty())
    }

    /// Whether requests are done that were not told.
    pub(super) fn owes_answers(&self) -> bool {
        self.ask_queue(|queue| !queue.finished.is_empty())
    }

    /// The request of a datagram that `push` queues.
    pub(crate) fn queued(
        self: &Rc<Self>,
        push: impl FnOnce(&mut D::Waiting, Asker),
    ) -> Request<usize> {
        let request = Plain::new(self.handle.state());
        self.with_queue(|queue| push(&mut queue.waiting, Asker::Alone(request.clone())));
        self.update();
        Request::waiting(request)
    }

    /// The request of many datagrams, of which `push` queues those that are left, `queued` of `count`.
    pub(crate) fn queued_many(
        self: &Rc<Self>,
        (queued, count): (usize, usize),
        unsent: Unsent,
        push: impl FnOnce(&mut D::Waiting, Rc<Many>),
    ) -> Request<usize> {
        let request = Plain::new(self.handle.state());
        let many = Many::new(request.clone(), count, queued, unsent);
        self.with_queue(|queue| push(&mut queue.waiting, many));
        self.update();
        Request::waiting(request)
    }

    /// There may be room: sends what is queued, and tells who waits for that.
    #[inline(never)]
    pub(crate) fn writable(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        D::flush(&self);
        self.finish_sends(d)
    }

    /// Tells the requests that are done, one by one.
    pub(super) fn finish_sends(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let _settle = Settle(&self);
        while let Some((request, result)) = self.ask_queue(|queue| queue.finished.pop_front()) {
            request.settle(result, d)?;
        }
        Ok(())
    }

    /// In the closing phase: one request after the other ends as cancelled.
    pub(super) fn cancel_send(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let (request, result) = self.ask_queue(|queue| {
            queue.fail_all(&Cancelled.into());
            queue.finished.pop_front()
        })?;
        Some(request.settle(result, d))
    }
}

/// An error of a callback must not lose what is behind it.
struct Settle<'a, D: DatagramHandle>(&'a Rc<DatagramSocket<D>>);

impl<D: DatagramHandle> Drop for Settle<'_, D> {
    fn drop(&mut self) {
        self.0.pend_owed();
        self.0.update();
    }
}
