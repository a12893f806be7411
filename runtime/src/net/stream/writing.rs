//! Writing: at once if the kernel takes it, else through a queue.
//!
//! ```text
//!   write(data) ── queue empty ──▶ send ── all ──▶ done, nothing allocated
//!                       │            └── a part ──▶ the rest is copied and queued
//!                       └── queued ──▶ behind the others
//!   writable event ──▶ one sendmsg of many entries ──▶ requests done, in order ──▶ empty: drained
//! ```

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::kind::StreamHandle;
use super::queue::{Entry, Load, Owner, Writing};
use super::resource::{BUSY, FAILED, IDLE, QUEUED, RARE, Stream, WRITE_ENDED, WRITE_ONLY};
use crate::error::{Cancelled, Outcome, QueueFull, Result};
use crate::event_loop::{Dispatcher, Flow, InFlight, Pending, Resource, copy_of, stand_in_line};
use crate::reactor::Interest;
use crate::request::{Begun, Plain, Request};
use crate::sys::{self, Channel, Descriptor};
use crate::task::{coop, keep};

/// System calls of one event: a quick peer and a long queue must not starve the other connections.
const WRITES_PER_EVENT: usize = 32;
/// Entries in one system call; no system takes fewer than 16, Linux 1,024.
const SLICES: usize = 64;

/// What one attempt to write from the queue has brought.
enum Sent {
    Some,
    /// A part of a file is next that has to be read first.
    Unread,
    /// There was nothing.
    All,
}

pub(super) type OnDrain<S> = dyn FnMut(&S) -> Result;

impl<S: StreamHandle> Stream<S> {
    /// Whether requests are in flight.
    #[inline]
    pub(crate) fn is_writing(&self) -> bool {
        self.has(BUSY)
    }

    /// Whether something is queued for the system.
    #[inline]
    pub(crate) fn wants_to_write(&self) -> bool {
        self.has(QUEUED)
    }

    #[inline(never)]
    pub(crate) fn has_write_waiters(&self) -> bool {
        self.ask_writing(|writing| !writing.wakers.is_empty())
    }

    pub(crate) fn write_queue_size(&self) -> usize {
        self.ask_writing(|writing| writing.size)
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.has(RARE) && self.is_queue_full()
    }

    #[inline(never)]
    fn is_queue_full(&self) -> bool {
        self.ask_writing(|writing| writing.size > writing.high_water)
    }

    pub(crate) fn set_high_water(&self, bytes: usize) {
        self.with_writing(|writing| writing.high_water = bytes);
    }

    pub(crate) fn set_write_limit(&self, bytes: usize) {
        self.with_writing(|writing| writing.limit = bytes);
    }

    pub(super) fn check_writable(&self) -> io::Result<()> {
        self.check_open()?;
        if self.has(WRITE_ENDED) {
            return Err(self.write_error().unwrap_or_else(sys::broken_pipe));
        }
        Ok(())
    }

    /// What ended the writing direction before its time.
    fn write_error(&self) -> Option<io::Error> {
        self.ask_writing(|writing| writing.error.as_ref().map(copy_of))
    }

    #[inline]
    pub(crate) fn write(self: &Rc<Self>, bytes: &[u8]) -> Request<()> {
        // An attempt that writes all of it is all there is to most writes.
        if self.is_just(0, WRITE_ENDED | QUEUED | IDLE) && !bytes.is_empty() {
            let sent = self.with_channel(|channel| channel.send(bytes));
            return match sent {
                Ok(written) if written == bytes.len() => Request::done(Ok(())),
                sent => Request::begun(self.go_on_writing(bytes, sent)),
            };
        }
        Request::begun(self.write_all(&[IoSlice::new(bytes)]))
    }

    pub(crate) fn write_vectored(self: &Rc<Self>, slices: &[IoSlice<'_>]) -> Request<()> {
        Request::begun(self.write_all(slices))
    }

    #[inline(never)]
    fn write_all(self: &Rc<Self>, slices: &[IoSlice<'_>]) -> Begun {
        let rest = self.write_now(slices)?;
        self.queue_rest(rest, Box::default())
    }

    /// The rest of a write whose first attempt did not do all of it.
    #[inline(never)]
    fn go_on_writing(self: &Rc<Self>, bytes: &[u8], sent: io::Result<usize>) -> Begun {
        let rest = rest_of(&[IoSlice::new(bytes)], self.sent(sent)?);
        self.queue_rest(rest, Box::default())
    }

    /// Queues what is still to be written, if anything, and what goes with it.
    pub(super) fn queue_rest(
        self: &Rc<Self>,
        rest: Option<Box<[u8]>>,
        fds: Box<[Descriptor]>,
    ) -> Begun {
        let Some(rest) = rest else { return Ok(None) };
        let request = Plain::new(self.state());
        self.enqueue(Load::bytes(rest, fds), Owner::Request(request.clone()))?;
        Ok(Some(request))
    }

    /// Writes what the kernel takes at once; gives a copy of the rest.
    fn write_now(self: &Rc<Self>, slices: &[IoSlice<'_>]) -> io::Result<Option<Box<[u8]>>> {
        self.check_writable()?;
        if slices.iter().all(|slice| slice.is_empty()) {
            // Nothing to write is written when all before it is.
            return Ok(self.wants_to_write().then(Box::default));
        }
        let written = if self.wants_to_write() { 0 } else { self.send(slices)? };
        self.note_activity();
        Ok(rest_of(slices, written))
    }

    /// One attempt; 0 if the kernel's buffer is full.
    fn send(self: &Rc<Self>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = self.with_channel(|channel| match slices {
            [one] => channel.send(one),
            many => channel.send_vectored(&many[..many.len().min(SLICES)]),
        });
        self.sent(sent)
    }

    /// What an attempt has brought.
    pub(super) fn sent(self: &Rc<Self>, sent: io::Result<usize>) -> io::Result<usize> {
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => {
                self.writing_failed(&error);
                Err(error)
            }
            sent => sent,
        }
    }

    pub(super) fn enqueue(self: &Rc<Self>, load: Load, owner: Owner) -> io::Result<()> {
        let is_over = self.with_writing(|writing| writing.is_over_limit());
        if is_over {
            drop((load, owner));
            self.fail_later(QueueFull.into());
            return Err(QueueFull.into());
        }
        if let Err(error) = self.ask_for(Interest::WRITABLE) {
            // A part of it may be written: nothing can follow.
            self.writing_failed(&error);
            return Err(error);
        }
        self.with_writing(|writing| writing.push(load, owner));
        self.update();
        Ok(())
    }

    /// The writing direction has ended with an error; reading goes on.
    pub(super) fn writing_failed(self: &Rc<Self>, error: &io::Error) {
        self.set(WRITE_ENDED, true);
        self.handle().ends_with(copy_of(error));
        self.with_writing(|writing| {
            writing.fail(error);
            writing.error = Some(copy_of(error));
        });
        self.ask_no_more_for(Interest::WRITABLE);
        self.wake_writers();
        if self.has(WRITE_ONLY) {
            // Nothing is left of it, and the pending phase closes it.
            self.pend();
        } else {
            self.pend_finished();
        }
    }

    fn pend(self: &Rc<Self>) {
        self.state().pending.push(Pending::Resource(self.clone()));
    }

    /// What is done and not told comes up in the pending phase, and so does a failure that an error of
    /// a callback before it kept from being told.
    pub(super) fn pend_finished(self: &Rc<Self>) {
        let is_owed = self.has(FAILED)
            || self.ask_writing(|writing| !writing.finished.is_empty() || writing.has_drained());
        if is_owed && !self.handle().is_closing() {
            self.pend();
        }
    }

    pub(crate) fn try_write(self: &Rc<Self>, bytes: &[u8]) -> io::Result<usize> {
        self.check_writable()?;
        if self.wants_to_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.send(&[IoSlice::new(bytes)])? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            written => {
                self.note_activity();
                Ok(written)
            }
        }
    }

    // Not into the callback, which writes far more often: so it needs fewer registers.
    #[inline(never)]
    pub(crate) fn shutdown(self: &Rc<Self>) -> Request<()> {
        if let Err(error) = self.check_open() {
            return Request::done(Err(error));
        }
        if self.has(WRITE_ENDED) {
            let error = self.write_error().unwrap_or_else(sys::not_connected);
            return Request::done(Err(error));
        }
        self.set(WRITE_ENDED, true);
        let request = Plain::new(self.state());
        self.with_writing(|writing| writing.shutdown = Some(request.clone()));
        if !self.wants_to_write() {
            // Not in the call: a stream that both sides end must not close before the callback.
            self.pend();
        }
        self.update();
        Request::waiting(request)
    }

    /// Whether a shutdown waits for the queue.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.ask_writing(|writing| writing.shutdown.is_some())
    }

    pub(crate) fn drained(self: &Rc<Self>) -> Request<()> {
        if let Err(error) = self.check_open() {
            return Request::done(Err(error));
        }
        if !self.wants_to_write() {
            return Request::done(self.write_error().map_or(Ok(()), Err));
        }
        let request = Plain::new(self.state());
        self.with_writing(|writing| {
            stand_in_line(&mut writing.drained, request.clone(), |request| request.is_wanted());
        });
        Request::waiting(request)
    }

    pub(crate) fn on_drain<R: Outcome>(&self, mut f: impl FnMut(&S) -> R + 'static) {
        if self.handle().is_closing() {
            return;
        }
        self.set_on_drain(Box::new(move |stream| f(stream).into_result()));
    }

    #[inline(never)]
    fn set_on_drain(&self, f: Box<OnDrain<S>>) {
        let former = self.with_rare(|rare| rare.on_drain.replace(f));
        drop(former);
    }

    /// The kernel takes more: writes what is queued, and tells who waits for that.
    #[inline(never)]
    pub(crate) fn writable(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        self.flush();
        self.finish_writes(d)
    }

    pub(super) fn flush(self: &Rc<Self>) {
        for _ in 0..WRITES_PER_EVENT {
            match self.send_next() {
                Ok(Sent::All) => return self.emptied(),
                Ok(Sent::Some) => self.note_activity(),
                Ok(Sent::Unread) => return self.read_ahead(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.writing_failed(&error),
            }
        }
    }

    /// One system call's worth of what is queued.
    fn send_next(&self) -> io::Result<Sent> {
        self.with_writing(|writing| {
            if let Some(part) = writing.file_in_front() {
                let sent = self.with_channel(|channel| part.send(channel))?;
                writing.advance_file();
                return Ok(sent.map_or(Sent::Unread, |_| Sent::Some));
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let (count, fds) = writing.next(&mut slices);
            let slices = &slices[..count];
            if slices.is_empty() {
                return Ok(Sent::All);
            }
            let written = self.with_channel(|channel| match fds {
                [] => channel.send_vectored(slices),
                fds => channel.send_with_fds(slices, fds),
            })?;
            writing.advance(written);
            Ok(Sent::Some)
        })
    }

    fn emptied(self: &Rc<Self>) {
        self.ask_no_more_for(Interest::WRITABLE);
        self.with_writing(Writing::finish_drained);
        self.send_end();
        self.wake_writers();
    }

    /// Sends the FIN that waits for the queue to be empty.
    fn send_end(&self) {
        let shutdown = self.ask_writing(|writing| writing.shutdown.take());
        if let Some(request) = shutdown {
            let result = self.end_channel();
            self.with_writing(|writing| writing.finished.push_back((request, result)));
        }
    }

    /// What is only written to ends by being closed.
    fn end_channel(&self) -> io::Result<()> {
        let result = self.with_channel(Channel::end);
        if self.has(WRITE_ONLY) {
            self.channel.close();
        }
        result
    }

    /// The loop goes away: what is queued is the channel's, if it wants it.
    pub(super) fn send_last(&self) {
        self.ask_writing(|writing| {
            let mut queued = writing.queue.iter().map_while(Entry::bytes);
            // Nobody is left to be told of an error.
            let _ = queued
                .try_for_each(|entry| self.with_channel(|channel| channel.send_last(entry.rest())));
        });
    }

    /// What the stream asked the pending phase for.
    pub(crate) fn pending_writes(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if !self.wants_to_write() {
            self.send_end();
        }
        self.finish_writes(d)
    }

    /// Tells the requests that are done, one by one, and then that the queue is empty.
    pub(crate) fn finish_writes(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        /// An error of a callback must not lose what is behind it.
        struct Settle<'a, S: StreamHandle>(&'a Rc<Stream<S>>);
        impl<S: StreamHandle> Drop for Settle<'_, S> {
            fn drop(&mut self) {
                self.0.pend_finished();
                self.0.close_if_over();
                self.0.update();
            }
        }
        let settle = Settle(&self);
        while let Some((request, result)) = self.ask_writing(|writing| writing.finished.pop_front())
        {
            request.settle(result, d)?;
        }
        let has_drained = self
            .ask_writing(|writing| writing.has_drained() && std::mem::take(&mut writing.was_full));
        drop(settle);
        // Also if it is empty because writing failed: who paused its reading for the queue goes on,
        // and reads the end. Nothing else would tell it that the peer is gone.
        if has_drained && !self.handle().is_closing() {
            return self.tell_drained(d);
        }
        d.checkpoint()
    }

    fn tell_drained(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        /// Puts the callback back, also after its panic, unless it was replaced or has no use any more.
        struct PutBack<'a, S: StreamHandle>(&'a Stream<S>, Option<Box<OnDrain<S>>>);
        impl<S: StreamHandle> Drop for PutBack<'_, S> {
            fn drop(&mut self) {
                if !self.0.handle().is_closing() {
                    self.0.with_rare(|rare| {
                        if rare.on_drain.is_none() {
                            rare.on_drain = self.1.take();
                        }
                    });
                }
            }
        }
        let callback = self.ask_rare(|rare| rare.on_drain.take());
        let stream = S::wrap(self);
        let mut lent = PutBack(stream.stream(), callback);
        let Some(callback) = &mut lent.1 else { return d.checkpoint() };
        let result = callback(&stream);
        drop(lent);
        d.done(result)
    }

    pub(crate) fn wake_writers(&self) {
        let wakers = self.ask_writing(|writing| Some(writing.wakers.clone()));
        if let Some(wakers) = wakers {
            wakers.wake();
        }
    }

    /// In the closing phase: one request after the other ends as cancelled.
    pub(crate) fn cancel_write(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        // Most streams have queued nothing in their life: no error is made for them.
        if !self.has(RARE) {
            return None;
        }
        let error = self.handle().ending().unwrap_or_else(|| Cancelled.into());
        self.ask_writing(|writing| writing.fail(&error));
        let (request, result) = self.ask_writing(|writing| writing.finished.pop_front())?;
        Some(request.settle(result, d))
    }

    // --- futures-io ---

    /// Takes all of `bytes` below the high-water mark, behind what is queued; waits above it. So it is
    /// never partial, and may be mixed with `write`.
    pub(crate) fn poll_write(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_writable()?;
        std::task::ready!(coop::poll_proceed(cx));
        if self.is_full() {
            coop::made_no_progress();
            self.wait_for_writing(cx);
            return Poll::Pending;
        }
        let length = slices.iter().map(|slice| slice.len()).sum();
        if let Some(rest) = self.write_now(slices)?
            && !rest.is_empty()
        {
            let owner = Owner::Nobody(InFlight::new(self.state()));
            self.enqueue(Load::bytes(rest, Box::default()), owner)?;
        }
        Poll::Ready(Ok(length))
    }

    pub(crate) fn poll_flush(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.wants_to_write() {
            self.check_open()?;
            self.wait_for_writing(cx);
            return Poll::Pending;
        }
        if let Some(error) = self.write_error() {
            return Poll::Ready(Err(error));
        }
        // Closed by the end of both directions it is well; closed before, something may be lost.
        Poll::Ready(if self.has(WRITE_ENDED) { Ok(()) } else { self.check_open() })
    }

    /// Flushes, then sends FIN, once.
    pub(crate) fn poll_close(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_flush(cx))?;
        if self.has(WRITE_ENDED) {
            return Poll::Ready(Ok(()));
        }
        self.set(WRITE_ENDED, true);
        let result = self.end_channel();
        self.close_if_over();
        Poll::Ready(result)
    }

    fn wait_for_writing(self: &Rc<Self>, cx: &Context<'_>) {
        let wakers = self.with_writing(|writing| writing.wakers.clone());
        wakers.register(&mut None, keep(cx));
        self.update();
    }
}

/// A copy of what is behind the first `written` bytes, if anything.
fn rest_of(slices: &[IoSlice<'_>], mut written: usize) -> Option<Box<[u8]>> {
    let mut rest = Vec::new();
    for slice in slices {
        let skipped = written.min(slice.len());
        written -= skipped;
        rest.extend_from_slice(&slice[skipped..]);
    }
    (!rest.is_empty()).then(|| rest.into_boxed_slice())
}
