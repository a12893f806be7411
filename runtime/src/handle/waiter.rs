//! `Waiter`: a callback that waits for what wakes tasks.
//!
//! ```text
//!   channel, notify, .. ── wake, from any thread ──▶ Signal ── mail ──▶ poll phase
//!                                                                           │ step
//!            value ─▶ callback ─▶ checkpoint, and again; the rest in the next turn
//!            nothing yet ─▶ waits for the next wake
//!            the end ─▶ closed, then the last callback
//! ```
//!
//! What it waits for need know nothing of handles: a step polls it, with a waker that signals this one.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use super::handle_type;
use crate::base::CallbackSlot;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, Resource, current};
use crate::task::coop;
use crate::task::mail::{HandleKey, Sending};

/// Callbacks in one turn. As many as a task may do operations in a poll: whichever face a flood comes to,
/// the rest of the loop gets its turn after the same number.
const CALLS_PER_TURN: u32 = coop::OPERATIONS_PER_POLL;

handle_type! {
    /// Waits for something that is no handle (a value in a channel, a permit, a task's end) and calls back:
    /// what [`recv_start`](crate::sync::mpsc::Receiver::recv_start) and the other callback faces in
    /// [`sync`](crate::sync) give, and [`JoinSet::join_start`](crate::JoinSet::join_start).
    ///
    /// It is active from the start, so it keeps the loop alive, and belongs to the loop: it may be dropped.
    /// It closes by itself right before its last callback. [`stop`](Self::stop) and
    /// [`close`](Self::close) may be called from any callback, its own included.
    ///
    /// # Ordering
    /// In the poll phase, after completions of the pool and before posted closures, among the
    /// [`Async`](crate::handle::Async) handles: several that were woken run in the order they were made.
    /// A checkpoint follows each callback. One of them calls back 128 times at most, then the rest of the
    /// loop has its turn. The first callback is never from inside the call that made it.
    ///
    /// # Examples
    /// ```
    /// use runtime::sync::mpsc;
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     let (sender, receiver) = mpsc::channel(4);
    ///     let waiter = receiver.recv_start(|value: Option<u32>| println!("{value:?}"));
    ///     waiter.unref(); // the sender below no longer keeps the program from its end
    ///     sender.try_send(1).unwrap();
    ///     runtime::set_timeout(runtime::ms(1), move || drop(sender));
    /// }
    /// ```
    Waiter, Inner
}

/// Looks once whether there is something to call back with, and does so. What is about to call back for
/// the last time calls [`Waiter::end`] first.
type Step = dyn FnMut(&mut Context<'_>, &Waiter) -> Poll<Result>;

pub(crate) struct Inner {
    handle: Handle,
    step: CallbackSlot<Step>,
    is_started: Cell<bool>,
    /// Set as soon as the handle has a name.
    signal: OnceCell<Arc<Signal>>,
}

/// The end of a waker: it may be on any thread, and outlive handle and loop.
struct Signal {
    is_pending: AtomicBool,
    sending: Arc<Sending>,
    key: HandleKey,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The one who finds it clear sends the mail; the loop clears it before it looks. A loop that
        // is gone has nobody to wake.
        if !self.is_pending.swap(true, SeqCst) {
            self.sending.signalled(self.key);
        }
    }
}

impl Waiter {
    /// Waits on the current loop, by `step`. On a loop that is gone it is dropped.
    #[track_caller]
    pub(crate) fn by_step(
        step: impl FnMut(&mut Context<'_>, &Self) -> Poll<Result> + 'static,
    ) -> Self {
        let inner = Handle::make(&current(), Kind::Waiter, |handle| Inner {
            handle,
            step: CallbackSlot::default(),
            is_started: Cell::new(false),
            signal: OnceCell::new(),
        });
        let waiter = Self(inner);
        let (sending, key) = (waiter.state().sending.clone(), waiter.key());
        let signal = Signal { is_pending: AtomicBool::new(false), sending, key };
        waiter.0.signal.get_or_init(|| Arc::new(signal));
        if waiter.start().is_ok() {
            drop(waiter.0.step.set(Box::new(step)));
        }
        waiter
    }

    /// Awaits `future` on the current loop, and calls `f` with its output.
    #[track_caller]
    pub(crate) fn of_future<F: Future + 'static, R: Outcome>(
        future: F,
        f: impl FnOnce(F::Output) -> R + 'static,
    ) -> Self {
        let (mut future, mut f) = (Box::pin(future), Some(f));
        Self::by_step(move |cx, waiter| {
            future.as_mut().poll(cx).map(|output| {
                waiter.end();
                f.take().map_or(Ok(()), |f| f(output).into_result())
            })
        })
    }

    /// Goes on after a [`stop`](Self::stop), with what came meanwhile. One that is started already goes on
    /// as it does.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed) if it is closed, which it also is after its last callback;
    /// [`LoopGone`](crate::LoopGone).
    pub fn start(&self) -> io::Result<()> {
        self.check_open()?;
        self.0.is_started.set(true);
        self.set_active(true);
        self.hold(true);
        self.0.look();
        Ok(())
    }

    /// Calls back no more until it is started again, and keeps the loop alive no longer. Nothing is lost:
    /// what comes stays where it is, so a channel that is full keeps its senders waiting.
    ///
    /// The loop no longer owns it. If nobody else does either that is its end, as of any idle handle: the
    /// callback and what it waited for are dropped.
    pub fn stop(&self) {
        self.0.is_started.set(false);
        self.set_active(false);
        self.hold(false);
    }

    /// The next callback is the last.
    pub(crate) fn end(&self) {
        // It runs just now: it is dropped when it returns.
        drop(self.0.step.clear());
        self.close();
    }
}

impl Inner {
    /// Lets the step look in the next poll phase.
    fn look(&self) {
        if let Some(signal) = self.signal.get() {
            signal.wake_by_ref();
        }
    }

    fn is_waiting(&self) -> bool {
        self.is_started.get() && !self.handle.is_closing()
    }
}

/// Looks again in the next turn, unless there was nothing to be had: what an error or a panic of a
/// callback leaves behind brings no wake of its own.
struct LookAgain<'a>(&'a Inner);

impl Drop for LookAgain<'_> {
    fn drop(&mut self) {
        if self.0.is_waiting() {
            self.0.look();
        }
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, d: &mut Dispatcher<'_>) -> Flow {
        let Some(signal) = self.signal.get().cloned() else { return Ok(()) };
        // A swap: what was written before a wake that found it set is seen by the step.
        signal.is_pending.swap(false, SeqCst);
        let waker = Waker::from(signal);
        let waiter = Waiter(self);
        let again = LookAgain(&waiter.0);
        for _ in 0..CALLS_PER_TURN {
            // Stopped or closed by a callback, be it the last one of its own.
            if !waiter.0.is_waiting() {
                break;
            }
            let Some(mut step) = waiter.0.step.take() else { break };
            let polled = step(&mut Context::from_waker(&waker), &waiter);
            drop(step);
            match polled {
                Poll::Ready(result) => d.done(result)?,
                Poll::Pending => {
                    std::mem::forget(again);
                    break;
                }
            }
        }
        Ok(())
    }

    fn release(&self) {}

    fn discard(&self) {
        drop(self.step.clear());
    }
}
