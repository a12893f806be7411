//! Reading: by callback or by tasks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::ReadStream;
use super::reader::{Ahead, ENDED, FAILURE_TOLD, PAUSED, READING, Reader};
use super::source::again;
use crate::base::{Waiter, Wakers};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow, Pending, Resource, copy_of};
use crate::sys;
use crate::task::{coop, keep};

pub(super) type OnRead = dyn FnMut(&ReadStream, io::Result<&[u8]>) -> Result;

/// Closes the stream when its last callback is over, also after a panic of that.
struct CloseAfter<'a>(&'a Rc<Reader>, Option<io::Error>);

impl Drop for CloseAfter<'_> {
    fn drop(&mut self) {
        if !self.0.handle().is_closing() {
            self.1.take().into_iter().for_each(|error| self.0.handle().ends_with(error));
            self.0.close();
        }
    }
}

/// A chunk that a callback is lent: its memory comes back. An error of the callback must not lose what is
/// behind it.
struct Lent<'a> {
    reader: &'a Rc<Reader>,
    bytes: Vec<u8>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.reader.recycle(std::mem::take(&mut self.bytes));
        if self.reader.calls_back() && self.reader.has_news() {
            self.reader.pend();
        }
    }
}

// --- by callback ---

impl Reader {
    pub(super) fn read_start<R: Outcome>(
        self: &Rc<Self>,
        mut f: impl FnMut(&ReadStream, io::Result<&[u8]>) -> R + 'static,
    ) {
        if let Err(error) = self.check_start() {
            // The callback gets all errors, and no call of the API calls back.
            let stream = ReadStream(self.clone());
            return self.state().call_later(move || f(&stream, Err(error)).into_result());
        }
        let former = self.on_read.set(Box::new(move |stream, data| f(stream, data).into_result()));
        self.set(READING, true);
        self.set(PAUSED, false);
        self.go_on();
        drop(former);
    }

    fn check_start(&self) -> io::Result<()> {
        self.check_open()?;
        if self.has(READING) || !self.readers.is_empty() {
            return Err(sys::already());
        }
        Ok(())
    }

    /// That it is open, or what closed it.
    fn check_open(&self) -> io::Result<()> {
        let why = |error| self.failure.with(|failure| failure.as_ref().map(again)).unwrap_or(error);
        self.handle().check_open().map_err(why)
    }

    pub(super) fn read_stop(&self) {
        if !self.handle().is_closing() {
            self.set(READING | PAUSED, false);
            let callback = self.on_read.clear();
            self.update();
            drop(callback);
        }
    }

    pub(super) fn pause(&self) {
        self.set(PAUSED, true);
        self.update();
    }

    pub(super) fn resume(self: &Rc<Self>) {
        self.set(PAUSED, false);
        if self.calls_back() {
            self.go_on();
        }
    }

    /// What is there already is told in the pending phase.
    fn go_on(self: &Rc<Self>) {
        self.update();
        if self.has_news() {
            self.pend();
        } else {
            self.read_ahead();
        }
    }

    fn pend(self: &Rc<Self>) {
        self.state().pending.push(Pending::Resource(self.clone()));
    }

    fn calls_back(&self) -> bool {
        self.has(READING) && !self.has(PAUSED) && !self.handle().is_closing()
    }

    /// Tells whoever waits what is new, and has the pool go on.
    pub(super) fn tell(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if self.has(READING) {
            return self.tell_callback(d);
        }
        if self.readers.is_empty() {
            return Ok(());
        }
        if !self.has_news() {
            self.read_ahead();
            return Ok(());
        }
        self.readers.wake();
        self.update();
        d.checkpoint()
    }

    fn tell_callback(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let stream = ReadStream(self);
        let me = &stream.0;
        if me.calls_back() {
            let Ahead { bytes, taken } = me.ahead.take();
            if taken < bytes.len() {
                // The pool reads on while the callback works on this.
                me.read_ahead();
                me.tell_chunk(&stream, bytes, taken, d)?;
            }
        }
        // The callback, or a microtask after it, may have stopped, paused or closed; and begun anew.
        if !me.calls_back() || me.ahead.with(|ahead| !ahead.is_empty()) {
            return Ok(());
        }
        let failure = me.failure.with(|failure| failure.as_ref().map(again));
        match failure {
            Some(error) => me.tell_last(&stream, Err(error), d),
            None if me.has(ENDED) => me.tell_last(&stream, Ok(&[]), d),
            None => {
                me.read_ahead();
                Ok(())
            }
        }
    }

    fn tell_chunk(
        self: &Rc<Self>,
        stream: &ReadStream,
        bytes: Vec<u8>,
        taken: usize,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let lent = Lent { reader: self, bytes };
        let Some(mut callback) = self.on_read.take() else { return Ok(()) };
        let result = callback(stream, Ok(&lent.bytes[taken..]));
        drop((callback, lent));
        d.done(result)
    }

    /// The end, or the error: reading stops before it is told, and the stream closes afterwards.
    fn tell_last(
        self: &Rc<Self>,
        stream: &ReadStream,
        last: io::Result<&[u8]>,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let close = CloseAfter(self, last.as_ref().err().map(copy_of));
        self.set(READING | PAUSED, false);
        let Some(mut callback) = self.on_read.clear() else { return Ok(()) };
        self.update();
        let result = callback(stream, last);
        drop((callback, close));
        d.done(result)
    }
}

// --- by tasks ---

impl Reader {
    /// Lets `take` have what was read; `None` at the end. While nothing is there, `enlist`s the task.
    pub(super) fn poll_ahead<R>(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        enlist: impl FnOnce(&Wakers, Waker),
        take: impl FnOnce(&mut Ahead) -> R,
    ) -> Poll<io::Result<Option<R>>> {
        self.check_open()?;
        if self.has(READING) {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        if let Some(taken) = self.take_ahead(take) {
            return Poll::Ready(Ok(Some(taken)));
        }
        if let Some(error) = self.failure.with(|failure| failure.as_ref().map(again)) {
            return Poll::Ready(Err(error));
        }
        if self.has(ENDED) {
            return Poll::Ready(Ok(None));
        }
        coop::made_no_progress();
        self.read_ahead();
        enlist(&self.readers, keep(cx));
        self.update();
        Poll::Pending
    }

    /// When all of a chunk is taken the pool reads the next, while the task works on this one.
    fn take_ahead<R>(&self, take: impl FnOnce(&mut Ahead) -> R) -> Option<R> {
        let (taken, used) = self.ahead.with(|ahead| {
            if ahead.is_empty() {
                return None;
            }
            let taken = take(ahead);
            let is_used = ahead.is_empty();
            Some((taken, is_used.then(|| std::mem::take(ahead).bytes)))
        })?;
        if let Some(bytes) = used {
            if bytes.capacity() > 0 {
                self.recycle(bytes);
            }
            self.read_ahead();
        }
        Some(taken)
    }

    pub(super) fn poll_chunk(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Vec<u8>>>> {
        if self.has(FAILURE_TOLD) {
            return Poll::Ready(None);
        }
        let chunk = std::task::ready!(self.poll_ahead(cx, Wakers::register_once, take_chunk));
        self.set(FAILURE_TOLD, chunk.is_err());
        Poll::Ready(chunk.transpose())
    }

    /// Waits for something that was read, as a future: a dropped one waits no longer.
    pub(super) fn wait_for<R, F>(self: &Rc<Self>, take: F) -> Wait<'_, F>
    where
        F: FnMut(&mut Ahead) -> R + Unpin,
    {
        Wait { reader: self, waiter: None, take }
    }
}

/// All of it, as it lies there.
pub(super) fn take_chunk(ahead: &mut Ahead) -> Vec<u8> {
    let Ahead { mut bytes, taken } = std::mem::take(ahead);
    bytes.drain(..taken);
    bytes
}

/// As much as `buffer` has room for.
pub(super) fn copy_into(buffer: &mut [u8]) -> impl FnMut(&mut Ahead) -> usize {
    |ahead| {
        let rest = ahead.rest();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        ahead.taken += length;
        length
    }
}

/// A task's wait.
pub(super) struct Wait<'a, F> {
    reader: &'a Rc<Reader>,
    /// What it is enlisted with while it waits.
    waiter: Option<Waiter>,
    take: F,
}

impl<R, F: FnMut(&mut Ahead) -> R + Unpin> Future for Wait<'_, F> {
    type Output = io::Result<Option<R>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { reader, waiter, take } = self.get_mut();
        reader.poll_ahead(cx, |readers, waker| readers.register(waiter, waker), take)
    }
}

impl<F> Drop for Wait<'_, F> {
    fn drop(&mut self) {
        if self.waiter.take().is_some_and(|waiter| self.reader.readers.unregister(waiter)) {
            self.reader.update();
        }
    }
}
