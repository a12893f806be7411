//! Writing: what is accepted, and who is told when it is written.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::WriteStream;
use super::source::again;
use super::writer::{ENDED, FINISHED, Writer};
use crate::error::{Outcome, QueueFull, Result};
use crate::event_loop::{Dispatcher, Flow, Resource};
use crate::request::{Plain, Request};
use crate::sys;
use crate::task::{coop, keep};

pub(super) type OnDrain = dyn FnMut(&WriteStream) -> Result;

/// An error of a callback must not lose what is behind it.
struct Settle<'a>(&'a Rc<Writer>);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        let writer = self.0;
        if writer.handle().is_closing() {
            return;
        }
        if writer.queue.with(|queue| !queue.finished.is_empty()) {
            writer.pend();
        } else if writer.has(FINISHED) || writer.failure().is_some() {
            writer.close();
        }
        writer.update();
    }
}

impl Writer {
    /// A copy of what ended the stream.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.queue.with(|queue| queue.error.as_ref().map(again))
    }

    /// That it is open, or what ended it.
    fn check_open(&self) -> io::Result<()> {
        self.failure().map_or(Ok(()), Err)?;
        self.handle().check_open()
    }

    fn check_writable(&self) -> io::Result<()> {
        self.check_open()?;
        if self.has(ENDED) { Err(sys::broken_pipe()) } else { Ok(()) }
    }

    pub(super) fn write(self: &Rc<Self>, slices: &[&[u8]]) -> Request<()> {
        if let Err(error) = self.check_writable() {
            return Request::done(Err(error));
        }
        let is_nothing = slices.iter().all(|slice| slice.is_empty());
        if is_nothing && self.queue.with(|queue| queue.size() == 0) {
            return Request::done(Ok(()));
        }
        if let Err(error) = self.accept(slices) {
            return Request::done(Err(error));
        }
        let request = Plain::new(self.state());
        self.queue.with(|queue| queue.push(request.clone()));
        Request::waiting(request)
    }

    fn accept(self: &Rc<Self>, slices: &[&[u8]]) -> io::Result<()> {
        if self.queue.with(|queue| queue.is_over_limit()) {
            self.fail(QueueFull.into());
            self.wakers.wake();
            self.pend();
            return Err(QueueFull.into());
        }
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            self.work.push(slice);
            self.queue.with(|queue| queue.accept(slice.len()));
        }
        self.begin();
        Ok(())
    }

    pub(super) fn drained(&self) -> Request<()> {
        if let Err(error) = self.check_open() {
            return Request::done(Err(error));
        }
        if self.queue.with(|queue| queue.size() == 0) {
            return Request::done(Ok(()));
        }
        let request = Plain::new(self.state());
        self.queue.with(|queue| queue.push_drained(request.clone()));
        Request::waiting(request)
    }

    pub(super) fn finish(self: &Rc<Self>) -> Request<()> {
        if self.has(FINISHED) {
            return Request::done(Ok(()));
        }
        if let Err(error) = self.check_open() {
            return Request::done(Err(error));
        }
        let request = Plain::new(self.state());
        self.queue.with(|queue| queue.push_end(request.clone()));
        self.begin_to_end();
        Request::waiting(request)
    }

    fn begin_to_end(&self) {
        self.set(ENDED, true);
        self.work.end();
        self.begin();
    }

    pub(super) fn on_drain<R: Outcome>(&self, mut f: impl FnMut(&WriteStream) -> R + 'static) {
        if !self.handle().is_closing() {
            let former = self.on_drain.set(Box::new(move |stream| f(stream).into_result()));
            drop(former);
        }
    }

    /// Tells the requests that are done, one by one, then that the queue is empty; then a stream that is over
    /// closes.
    pub(super) fn tell(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let settle = Settle(&self);
        while let Some((request, result)) = self.queue.with(|queue| queue.finished.pop_front()) {
            request.settle(result, d)?;
        }
        let has_drained = self.queue.with(|queue| queue.take_drained());
        // Also if it is empty because it failed: who paused a reader for the queue would wait for ever.
        if has_drained && !self.handle().is_closing() {
            self.tell_drained(d)?;
        }
        drop(settle);
        d.checkpoint()
    }

    fn tell_drained(self: &Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let Some(mut callback) = self.on_drain.take() else { return Ok(()) };
        let result = callback(&WriteStream(self.clone()));
        drop(callback);
        d.done(result)
    }

    // --- tasks ---

    pub(super) fn poll_write(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        slices: &[&[u8]],
    ) -> Poll<io::Result<usize>> {
        self.check_writable()?;
        std::task::ready!(coop::poll_proceed(cx));
        if self.queue.with(|queue| queue.is_full()) {
            coop::made_no_progress();
            return self.wait(cx);
        }
        self.accept(slices)?;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has(FINISHED) {
            return Poll::Ready(Ok(()));
        }
        self.check_open()?;
        if self.queue.with(|queue| queue.size() > 0) {
            return self.wait(cx);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has(FINISHED) {
            return Poll::Ready(Ok(()));
        }
        self.check_open()?;
        if !self.has(ENDED) {
            self.begin_to_end();
        }
        self.wait(cx)
    }

    fn wait<T>(&self, cx: &Context<'_>) -> Poll<io::Result<T>> {
        self.wakers.register_once(keep(cx));
        self.update();
        Poll::Pending
    }
}
