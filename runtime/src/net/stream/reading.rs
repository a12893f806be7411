//! Reading: by callback or by tasks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::kind::StreamHandle;
use super::resource::{
    CONNECTING, END_TOLD, FAILED, PAUSED, RARE, READ_ENDED, READABLE, READING, Stream, TAKES_FDS,
    WRITE_ONLY,
};
use crate::base::Waiter;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow, Resource, copy_of};
use crate::reactor::{Interest, Ready};
use crate::sys::{self, Channel};
use crate::task::{coop, keep};

/// Reads of one event, as libuv: a fast peer must not starve the other connections.
const READS_PER_EVENT: usize = 32;

/// Does something to a stream when a callback is over, also after its panic.
struct Then<'a, S: StreamHandle, F: Fn(&Rc<Stream<S>>)>(&'a Rc<Stream<S>>, F);

impl<S: StreamHandle, F: Fn(&Rc<Stream<S>>)> Drop for Then<'_, S, F> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

/// A read callback: it is given data, or an error. Not as one `Result`: so they come in registers.
pub(super) type OnRead<S> = dyn FnMut(&S, &[u8], Option<io::Error>) -> Result;

/// The read callback, out of its place to be called. It goes back, also after its panic, unless it was
/// stopped or replaced meanwhile.
struct LentReader<'a, S: StreamHandle> {
    stream: &'a S,
    callback: Option<Box<OnRead<S>>>,
}

impl<S: StreamHandle> LentReader<'_, S> {
    /// Gives it out if it does not go back.
    #[inline]
    fn put_back(mut self) -> Option<Box<OnRead<S>>> {
        put_back(self.stream, self.callback.take()?)
    }
}

impl<S: StreamHandle> Drop for LentReader<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(callback) = self.callback.take() {
            put_back_by_panic(self.stream, callback);
        }
    }
}

#[inline]
fn put_back<S: StreamHandle>(stream: &S, callback: Box<OnRead<S>>) -> Option<Box<OnRead<S>>> {
    let stream = stream.stream();
    // A newer one keeps its place.
    if stream.has(READING) { stream.readers.put_callback(callback) } else { Some(callback) }
}

/// By itself: so the way of a panic takes no room from the other one.
#[cold]
#[inline(never)]
fn put_back_by_panic<S: StreamHandle>(stream: &S, callback: Box<OnRead<S>>) {
    drop(put_back(stream, callback));
}

/// The end of a callback that was stopped or replaced while it ran.
#[cold]
#[inline(never)]
fn discard<S: StreamHandle>(
    callback: Box<OnRead<S>>,
    result: Result,
    d: &mut Dispatcher<'_>,
) -> Flow {
    drop(callback);
    d.done(result)
}

impl<S: StreamHandle> Stream<S> {
    pub(crate) fn read_start<R: Outcome>(
        self: &Rc<Self>,
        mut f: impl FnMut(&S, io::Result<&[u8]>) -> R + 'static,
    ) {
        // The one place that calls `f`, so that it can be inlined here.
        let mut f: Box<OnRead<S>> = Box::new(move |stream, data, error| {
            f(stream, error.map_or(Ok(data), Err)).into_result()
        });
        if let Err(error) = self.begin_reading() {
            // The callback gets all errors, and no call of the API calls back.
            let stream = S::wrap(self.clone());
            return self.state().call_later(move || f(&stream, &[], Some(error)));
        }
        let refused = self.readers.put_callback(f);
        debug_assert!(refused.is_none(), "nobody reads: that was asked");
        self.update();
        drop(refused);
    }

    fn begin_reading(self: &Rc<Self>) -> io::Result<()> {
        self.check_open()?;
        if self.has(READING) || !self.readers.is_empty() {
            return Err(sys::already());
        }
        if self.has(WRITE_ONLY) {
            return Err(sys::not_connected());
        }
        self.with_channel(Channel::check_usable)?;
        self.ask_for(Interest::READABLE)?;
        self.set(READING, true);
        self.set(PAUSED | TAKES_FDS, false);
        Ok(())
    }

    pub(crate) fn read_stop(self: &Rc<Self>) {
        if !self.handle().is_closing() {
            self.set(READING | PAUSED, false);
            let callback = self.readers.take_callback();
            self.update();
            drop(callback);
        }
    }

    #[inline(never)]
    pub(crate) fn pause(self: &Rc<Self>) {
        self.set(PAUSED, true);
        self.update();
    }

    pub(crate) fn resume(self: &Rc<Self>) -> io::Result<()> {
        self.set(PAUSED, false);
        if self.has(READING) && !self.handle().is_closing() {
            self.ask_for(Interest::READABLE)?;
            self.update();
        }
        Ok(())
    }

    #[inline]
    fn calls_back(&self) -> bool {
        self.has(READING) && !self.has(PAUSED)
    }

    /// There is something to read: data, the end or an error.
    pub(crate) fn readable(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if !self.calls_back() {
            return self.readable_by_tasks(ready, d);
        }
        let stream = S::wrap(self);
        let me = stream.stream();
        let read = me.receive(d.buffer);
        me.read_on(&stream, read, d)
    }

    /// The same for a read callback of a stream without an idle timeout.
    #[inline(never)]
    pub(crate) fn call_reader(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let stream = S::wrap(self);
        let me = stream.stream();
        match me.with_channel(|channel| channel.recv(d.buffer)) {
            Ok(0) => me.end_of_stream(&stream, d),
            // A short read took all there was: the usual case, and all of it.
            Ok(read) if read < d.buffer.len() => me.hand_over(&stream, read, d),
            read => me.read_on(&stream, read, d),
        }
    }

    /// Calls the read callback with what was read into the buffer.
    #[inline(always)] // twice: a call of its own would cost one echo in ten instructions
    fn hand_over(&self, stream: &S, read: usize, d: &mut Dispatcher<'_>) -> Flow {
        let Some(callback) = self.readers.take_callback() else { return Ok(()) };
        let mut lent = LentReader { stream, callback: Some(callback) };
        let callback = lent.callback.as_mut().expect("it was put there");
        let result = callback(stream, &d.buffer[..read], None);
        match lent.put_back() {
            None => d.done(result),
            Some(callback) => discard(callback, result, d),
        }
    }

    /// Goes on behind a read, whatever it has brought.
    #[inline(never)]
    fn read_on(
        self: &Rc<Self>,
        stream: &S,
        mut read: io::Result<usize>,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        for reads in 1.. {
            let length = match read {
                Ok(0) => return self.end_of_stream(stream, d),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return self.read_failed(stream, error, d),
            };
            self.note_activity();
            self.hand_over(stream, length, d)?;
            // Descriptors end a read, whatever is behind them.
            let is_short = length < d.buffer.len() && !self.has(TAKES_FDS);
            let is_all = is_short || reads == READS_PER_EVENT;
            // The callback may have stopped, paused or closed.
            if is_all || !self.is_just(READING, READING | PAUSED) {
                break;
            }
            read = self.receive(d.buffer);
        }
        Ok(())
    }

    /// The end: reading stops before it is told, so that the callback may start anew.
    fn end_of_stream(self: &Rc<Self>, stream: &S, d: &mut Dispatcher<'_>) -> Flow {
        self.set(READ_ENDED | END_TOLD, true);
        self.ask_no_more_for(Interest::READABLE);
        let _then = Then(self, |stream| stream.close_if_over());
        self.tell_reader(stream, None, d)
    }

    pub(crate) fn read_failed(
        self: &Rc<Self>,
        stream: &S,
        error: io::Error,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let cause = copy_of(&error);
        let _then = Then(self, move |stream| stream.close_with(copy_of(&cause)));
        self.tell_reader(stream, Some(error), d)
    }

    /// The last call of the read callback, which is out of its slot by then: the end, or an error.
    fn tell_reader(
        self: &Rc<Self>,
        stream: &S,
        error: Option<io::Error>,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        self.set(READING | PAUSED, false);
        let callback = self.readers.take_callback();
        self.update();
        let Some(mut callback) = callback else { return Ok(()) };
        let result = callback(stream, &[], error);
        drop(callback);
        d.done(result)
    }

    /// No callback: tasks that wait are woken. If nobody waits the event is noted, and not asked for
    /// again.
    #[inline(never)]
    pub(crate) fn readable_by_tasks(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        self.set(READABLE, true);
        if self.has(CONNECTING | RARE) {
            if self.readers.is_empty() {
                return self.nobody_reads(ready);
            }
            self.readers.wake();
            self.update();
        } else {
            // It is active for those who wait to read, and for nothing else.
            if !self.handle().is_active() {
                return self.nobody_reads(ready);
            }
            self.handle().set_active(false);
            self.readers.wake();
        }
        d.checkpoint()
    }

    #[inline(never)]
    fn nobody_reads(&self, ready: Ready) -> Flow {
        self.ask_no_more_for(Interest::READABLE);
        if ready.is_error() && !self.has(READING) && !self.wants_to_write() {
            // An error can't be masked while anything is asked for.
            self.ask_no_more_for(Interest::READABLE | Interest::WRITABLE);
        }
        Ok(())
    }

    /// Lets the reader know of an error that did not come from reading: in the pending phase, since no
    /// call of the API calls back.
    pub(crate) fn fail_later(self: &Rc<Self>, error: io::Error) {
        if self.handle().is_closing() || self.has(FAILED) {
            return;
        }
        self.handle().ends_with(error);
        self.set(FAILED, true);
        self.update();
        let resource: Rc<dyn Resource> = self.clone();
        self.state().pending.push(crate::event_loop::Pending::Resource(resource));
    }

    pub(crate) fn tell_failure(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if !self.has(FAILED) || self.handle().is_closing() {
            return Ok(());
        }
        self.set(FAILED, false);
        let error = self.handle().ending().unwrap_or_else(sys::not_connected);
        let stream = S::wrap(self);
        stream.stream().read_failed(&stream, error, d)
    }

    // --- tasks ---

    /// Tries `read`; while that would block, waits for readiness: as `waiter`, or as nobody in
    /// particular.
    #[inline]
    pub(crate) fn poll_read<R>(
        &self,
        cx: &mut Context<'_>,
        waiter: Option<&mut Option<Waiter>>,
        read: impl FnOnce(&Self, &S::Channel) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        // One test of what is usual: there may be something, and nothing is in the way.
        if self.is_just(READABLE, READING | WRITE_ONLY | READABLE)
            && let Some(polled) = self.try_to_read(cx, read)
        {
            return polled;
        }
        self.wait_to_read(cx, waiter)?;
        Poll::Pending
    }

    /// `None`: nothing is there.
    #[inline(never)]
    fn try_to_read<R>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&Self, &S::Channel) -> io::Result<R>,
    ) -> Option<Poll<io::Result<R>>> {
        if coop::poll_proceed(cx).is_pending() {
            return Some(Poll::Pending);
        }
        match self.with_channel(|channel| read(self, channel)) {
            Ok(read) => {
                self.note_activity();
                Some(Poll::Ready(Ok(read)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.set(READABLE, false);
                coop::made_no_progress();
                None
            }
            Err(error) => Some(Poll::Ready(Err(error))),
        }
    }

    #[inline(never)]
    fn wait_to_read(
        &self,
        cx: &Context<'_>,
        waiter: Option<&mut Option<Waiter>>,
    ) -> io::Result<()> {
        // Foreign code, which may close the stream, or read it by a callback.
        let waker = keep(cx);
        if !self.is_just(0, READING | WRITE_ONLY) {
            return Err(self.why_not_read());
        }
        self.ask_for(Interest::READABLE)?;
        match waiter {
            Some(waiter) => self.readers.register(waiter, waker),
            None => self.readers.register_once(waker),
        }
        self.handle().set_active(true);
        Ok(())
    }

    /// The error of who reads a closed stream, beside a callback, or from what is only written to.
    #[inline(never)]
    fn why_not_read(&self) -> io::Error {
        let other = if self.has(WRITE_ONLY) { sys::not_connected } else { sys::already };
        self.check_open().err().unwrap_or_else(other)
    }

    /// [`poll_read`](Self::poll_read) as a future: a dropped one waits no longer.
    pub(crate) fn read_with<R, F>(self: &Rc<Self>, read: F) -> Reading<'_, S, F>
    where
        F: FnMut(&Stream<S>, &S::Channel) -> io::Result<R> + Unpin,
    {
        Reading { stream: self, waiter: None, read }
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read_by(|channel| self.recv(channel, buffer))
    }

    /// Tries `read`, without waiting.
    pub(crate) fn try_read_by<R>(
        &self,
        read: impl FnOnce(&S::Channel) -> io::Result<R>,
    ) -> io::Result<R> {
        if !self.is_just(0, READING | WRITE_ONLY) {
            return Err(self.why_not_read());
        }
        let read = self.with_channel(read)?;
        self.note_activity();
        Ok(read)
    }

    /// Reads into `buffer`, and notes what that tells.
    pub(crate) fn recv(&self, channel: &S::Channel, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has(READ_ENDED) {
            return Ok(0);
        }
        let read = channel.recv(buffer)?;
        if read == 0 {
            if !buffer.is_empty() {
                self.set(READ_ENDED | READABLE, true);
            }
        } else if read < buffer.len() {
            // All there was; what comes is reported.
            self.set(READABLE, false);
        }
        Ok(read)
    }
}

/// A task's read.
pub(crate) struct Reading<'a, S: StreamHandle, F> {
    stream: &'a Rc<Stream<S>>,
    /// What it is enlisted with while it waits.
    waiter: Option<Waiter>,
    read: F,
}

impl<S, R, F> Future for Reading<'_, S, F>
where
    S: StreamHandle,
    F: FnMut(&Stream<S>, &S::Channel) -> io::Result<R> + Unpin,
{
    type Output = io::Result<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, waiter, read } = self.get_mut();
        stream.poll_read(cx, Some(waiter), read)
    }
}

impl<S: StreamHandle, F> Reading<'_, S, F> {
    #[inline(never)]
    fn leave(&mut self) {
        if self.waiter.take().is_some_and(|waiter| self.stream.readers.unregister(waiter)) {
            self.stream.update();
        }
    }
}

impl<S: StreamHandle, F> Drop for Reading<'_, S, F> {
    #[inline]
    fn drop(&mut self) {
        // Who was woken is registered no more; mostly nobody is then.
        if self.waiter.is_some() && self.stream.handle().is_active() {
            self.leave();
        }
    }
}
