//! `Poll`: readiness of a foreign file descriptor.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::{Interest, Ready, handle_type};
use crate::base::{CallbackSlot, Guarded};
use crate::error::{Outcome, Result};
use crate::event_loop::{Answer, Dispatcher, Event, Flow, Handle, Kind, Resource, current};
use crate::reactor::Watched;
use crate::sys;

handle_type! {
    /// Tells when a file descriptor is ready, for what does its own I/O: a C library, say.
    ///
    /// It is level-triggered: as long as the descriptor is ready, each iteration reports it. It polls a
    /// duplicate of the descriptor, which it owns; so the original may be closed at any time, but the
    /// open file lives until the `Poll` is closed too, and any number of handles may poll one descriptor,
    /// which libuv refuses with `EEXIST`. The descriptor's mode (blocking or not) is left as it is.
    ///
    /// # Ordering
    /// In the poll phase, in the order in which the system reports.
    ///
    /// # Platform notes
    /// On Windows it takes sockets.
    ///
    /// # Examples
    /// ```
    /// use runtime::handle::{Interest, Poll};
    /// use std::{io::Write, os::unix::net::UnixStream};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let (one, mut other) = UnixStream::pair()?;
    ///     let poll = Poll::new(&one)?;
    ///     other.write_all(b"hello")?;
    ///     assert!(poll.ready(Interest::READABLE).await?.is_readable());
    ///     Ok(())
    /// }
    /// ```
    Poll, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    source: Watched<sys::OwnedSource>,
    callback: CallbackSlot<OnReady>,
    /// What the callback is for; none while it is stopped.
    started: Cell<Interest>,
    /// The iteration it was started in: an event of that one is older than the start.
    started_in: Cell<u64>,
    waiters: Guarded<Vec<Waiter>>,
}

type OnReady = dyn FnMut(&Poll, io::Result<Ready>) -> Result;

struct Waiter {
    interest: Interest,
    answer: Rc<Answer<io::Result<Ready>>>,
}

impl Poll {
    /// Polls a duplicate of `source`, on the current loop.
    ///
    /// # Errors
    /// If the descriptor can't be duplicated, or is of a kind that can't be polled, such as a regular
    /// file or a directory (`EPERM`, on Linux).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn new(source: impl sys::AsSource) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        let source = sys::duplicate(source)?;
        let inner = Handle::make(&lp, Kind::Poll, |handle| Inner {
            source: Watched::new(&handle.state().poller, source),
            handle,
            callback: CallbackSlot::default(),
            started: Cell::new(Interest::NONE),
            started_in: Cell::new(0),
            waiters: Guarded::default(),
        });
        // Whether it can be polled at all is told by the attempt.
        inner.set_interest(Interest::READABLE)?;
        inner.set_interest(Interest::NONE)?;
        Ok(Self(inner))
    }

    /// Calls `f` whenever something of `interest` is ready. Started anew it changes both.
    ///
    /// An interest in nothing, which is the default, is [`stop`](Self::stop).
    ///
    /// A hang-up or an error of the source is reported whatever the interest is, and again in each
    /// iteration until it is met: who sees it does the I/O that tells which error it is, or stops.
    ///
    /// # Errors
    /// `f` gets them all, in the pending phase if watching can't even start: `Unsupported` for what the
    /// system can't watch for, [`Closed`](crate::Closed). On a loop that is gone `f` is dropped.
    pub fn start<R: Outcome>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&Poll, io::Result<Ready>) -> R + 'static,
    ) {
        if interest.is_none() {
            return self.stop();
        }
        if let Err(error) = self.change_interest(interest) {
            let poll = self.clone();
            let tell = move || f(&poll, Err(error)).into_result();
            return self.state().call_later(tell);
        }
        let former = self.0.callback.set(Box::new(move |poll, ready| f(poll, ready).into_result()));
        drop(former);
    }

    fn change_interest(&self, interest: Interest) -> io::Result<()> {
        self.check_open()?;
        let former = self.0.started.replace(interest);
        self.0.started_in.set(self.state().iterations.get());
        self.0.update().inspect_err(|_| self.0.started.set(former))
    }

    /// Stops calling back; events that were reported already are not delivered either.
    pub fn stop(&self) {
        if self.is_closing() {
            return;
        }
        self.0.started.set(Interest::NONE);
        // Less interest can fail only if the poller itself is broken, which its wait will report.
        let _ = self.0.update();
        drop(self.0.callback.clear());
    }

    /// Waits until something of `interest` is ready. Any number of tasks may wait, beside a callback.
    ///
    /// # Errors
    /// `InvalidInput` for an interest in nothing, which would wait for ever; `Unsupported` for what the
    /// system can't watch for; [`Closed`](crate::Closed), also if the handle is closed meanwhile; [`LoopGone`](crate::LoopGone).
    ///
    /// # Cancel safety
    /// Nothing is lost: readiness is reported again.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        struct Forget<'a>(&'a Rc<Inner>, Rc<Answer<io::Result<Ready>>>);
        impl Drop for Forget<'_> {
            fn drop(&mut self) {
                self.0
                    .waiters
                    .with(|all| all.retain(|waiter| !Rc::ptr_eq(&waiter.answer, &self.1)));
                if !self.0.handle.is_closing() {
                    // As in `stop`.
                    let _ = self.0.update();
                }
            }
        }
        self.check_open()?;
        if interest.is_none() {
            let message = "an interest in nothing would wait for ever";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let answer = Rc::<Answer<_>>::default();
        let waiting = Forget(&self.0, answer.clone());
        self.0.waiters.with(|all| all.push(Waiter { interest, answer }));
        self.0.update()?;
        std::future::poll_fn(|cx| waiting.1.poll(cx)).await
    }
}

impl Inner {
    fn interest(&self) -> Interest {
        let started = self.started.get();
        self.waiters.with(|all| all.iter().fold(started, |sum, waiter| sum | waiter.interest))
    }

    fn set_interest(&self, interest: Interest) -> io::Result<()> {
        self.source.set_interest(self.handle.slot(), interest)
    }

    /// Brings the registration and the liveness in line with what is wanted.
    fn update(self: &Rc<Self>) -> io::Result<()> {
        let interest = self.interest();
        self.set_interest(interest)?;
        self.handle.set_active(!interest.is_none());
        self.handle.hold(!self.started.get().is_none());
        Ok(())
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _event: Event, _d: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    fn ready(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        let mut answered = Vec::new();
        self.waiters.with(|all| {
            all.retain(|waiter| {
                let is_answered = ready.answers(waiter.interest);
                if is_answered {
                    answered.push(waiter.answer.clone());
                }
                !is_answered
            });
        });
        if !answered.is_empty() {
            // As in `stop`.
            let _ = self.update();
        }
        // All are told before the checkpoint: an error there must not lose one.
        for answer in &answered {
            answer.settle_later(Ok(ready), self.handle.state());
        }
        if !answered.is_empty() {
            d.checkpoint()?;
        }
        // What the tasks that were woken just now may have changed.
        let started = self.started.get();
        let is_older = self.started_in.get() == self.handle.state().iterations.get();
        if self.handle.is_closing() || started.is_none() || is_older || !ready.answers(started) {
            return Ok(());
        }
        let poll = Poll(self);
        let Some(mut callback) = poll.0.callback.take() else { return Ok(()) };
        let result = callback(&poll, Ok(ready));
        drop(callback);
        d.done(result)
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        self.source.with(|source| Ok(sys::raw(source))).ok()
    }

    fn release(&self) {
        self.source.close();
        let waiters = self.waiters.take();
        for waiter in waiters {
            let error = self.handle.check_open().expect_err("it is closing");
            waiter.answer.settle_later(Err(error), self.handle.state());
        }
    }

    fn discard(&self) {
        drop(self.callback.clear());
    }
}
