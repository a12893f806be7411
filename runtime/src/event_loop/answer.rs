//! An answer to come: what a request and whoever waits for it share.
//!
//! ```text
//!   [ Open ] ── callback(f) ──▶ [ Callback ] ── settle ──▶ f(value), then the checkpoint
//!      │ ────── poll ─────────▶ [ Awaited ] ─── settle ──▶ [ Here ] and a wake
//!      │ ────── drop ─────────▶ [ Unwanted ] ── settle ──▶ the value is dropped
//!      │ ────── pass_on ──────▶ [ PassedOn ] ── settle ──▶ another answer, as this one was settled
//!      └─────── settle ───────▶ [ Here ] ────── poll ────▶ the value
//! ```

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::replace;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Dispatcher, Flow, State};
use crate::base::{Guarded, InlineFn};
use crate::error::Result;
use crate::task::keep;

pub(crate) type Callback<V> = InlineFn<V, Result>;

/// An answer that is given what another one would be, in the same way: see [`Answer`] for the three.
pub(crate) trait Onward<V> {
    fn settle(&self, value: V, d: &mut Dispatcher<'_>) -> Flow;
    fn settle_later(&self, value: V);
    fn abandon(&self, value: V);
}

/// Where an answer stands. Every step gives back what is foreign code to run or to drop, which the
/// caller does with nothing borrowed.
pub(super) enum Stage<V: 'static> {
    Open,
    Awaited(Waker),
    Callback(Callback<V>),
    PassedOn(Rc<dyn Onward<V>>),
    Unwanted,
    Here(V),
    Taken,
}

/// What settling an answer leaves to do.
pub(super) enum Settled<V: 'static> {
    Call(Callback<V>, V),
    PassOn(Rc<dyn Onward<V>>, V),
    Wake(Waker),
    /// Whoever comes for it finds it.
    Kept,
    Drop(V),
}

impl<V: 'static> Stage<V> {
    #[inline]
    pub(super) fn settle(&mut self, value: V) -> Settled<V> {
        match replace(self, Self::Taken) {
            Self::Callback(callback) => Settled::Call(callback, value),
            Self::PassedOn(onward) => Settled::PassOn(onward, value),
            Self::Awaited(waker) => {
                *self = Self::Here(value);
                Settled::Wake(waker)
            }
            Self::Open => {
                *self = Self::Here(value);
                Settled::Kept
            }
            Self::Unwanted | Self::Here(_) | Self::Taken => Settled::Drop(value),
        }
    }

    /// Takes the value out, if it is there.
    pub(super) fn take(&mut self) -> Option<V> {
        match replace(self, Self::Taken) {
            Self::Here(value) => Some(value),
            other => {
                *self = other;
                None
            }
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Here(_) | Self::Taken)
    }
}

impl<V: 'static> Settled<V> {
    /// A callback runs now, a task is woken; then the checkpoint.
    #[inline]
    pub(super) fn tell(self, d: &mut Dispatcher<'_>) -> Flow {
        match self {
            Self::Call(callback, value) => {
                let result = callback.call(value);
                d.done(result)
            }
            Self::PassOn(onward, value) => onward.settle(value, d),
            Self::Wake(waker) => {
                waker.wake();
                d.checkpoint()
            }
            Self::Kept => Ok(()),
            Self::Drop(value) => {
                drop(value);
                d.checkpoint()
            }
        }
    }

    /// Where no callback may run: it waits for the pending phase.
    pub(super) fn tell_later(self, state: &State) {
        match self {
            Self::Call(callback, value) => state.call_later(move || callback.call(value)),
            Self::PassOn(onward, value) => onward.settle_later(value),
            other => other.abandon(),
        }
    }

    /// The loop goes away: a task is told, a callback is dropped.
    pub(super) fn abandon(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Kept => {}
            Self::Call(callback, value) => drop((callback, value)),
            Self::PassOn(onward, value) => onward.abandon(value),
            Self::Drop(value) => drop(value),
        }
    }
}

/// One value on its way from the loop to one waiter.
pub(crate) struct Answer<V: 'static> {
    stage: Guarded<Stage<V>>,
    is_settled: Cell<bool>,
}

impl<V: 'static> std::fmt::Debug for Answer<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("is_settled", &self.is_settled.get()).finish()
    }
}

impl<V: 'static> Default for Answer<V> {
    fn default() -> Self {
        Self { stage: Guarded::new(Stage::Open), is_settled: Cell::new(false) }
    }
}

impl<V: 'static> Answer<V> {
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled.get()
    }

    fn put(&self, stage: Stage<V>) -> Stage<V> {
        self.stage.with(|current| replace(current, stage))
    }

    fn settled(&self, value: V) -> Settled<V> {
        self.is_settled.set(true);
        self.stage.with(|stage| stage.settle(value))
    }

    /// Gives the value to whoever waits: a callback runs now, a task is woken; then the checkpoint.
    pub(crate) fn settle(&self, value: V, d: &mut Dispatcher<'_>) -> Flow {
        self.settled(value).tell(d)
    }

    /// Gives the value where no callback may run: a callback waits for the pending phase.
    pub(crate) fn settle_later(&self, value: V, state: &State) {
        self.settled(value).tell_later(state);
    }

    /// The loop goes away: a task is told, a callback is dropped.
    pub(crate) fn abandon(&self, value: V) {
        self.settled(value).abandon();
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<V> {
        match self.put(Stage::Taken) {
            Stage::Here(value) => Poll::Ready(value),
            Stage::Taken => panic!("a request was polled after it was done"),
            former => {
                // The waker of an earlier poll is foreign code: it is dropped here, outside.
                drop(former);
                drop(self.put(Stage::Awaited(keep(cx))));
                Poll::Pending
            }
        }
    }

    /// Waits by a callback. One that is there already goes through the pending phase: no callback
    /// runs in a call of the API.
    pub(crate) fn callback(&self, callback: Callback<V>, state: &State) {
        match self.put(Stage::Taken) {
            Stage::Here(value) => state.call_later(move || callback.call(value)),
            former => {
                drop(former);
                drop(self.put(Stage::Callback(callback)));
            }
        }
    }

    /// Lets `onward` wait, for what is not settled yet.
    pub(crate) fn pass_on(&self, onward: Rc<dyn Onward<V>>) {
        drop(self.put(Stage::PassedOn(onward)));
    }

    /// Whether somebody waits, or may ask yet.
    pub(crate) fn is_wanted(&self) -> bool {
        self.stage.with(|stage| !matches!(stage, Stage::Unwanted))
    }

    /// Nobody waits any more. True if the answer is still to come.
    pub(crate) fn refuse(&self) -> bool {
        if self.is_settled.get() {
            drop(self.put(Stage::Taken));
            false
        } else {
            drop(self.put(Stage::Unwanted));
            true
        }
    }
}

/// Puts `new` at the end of a line of those who wait. Those who gave up leave it when there is no room: who
/// asks again and again, as a timeout in a loop does, does not make it grow.
pub(crate) fn stand_in_line<W>(line: &mut VecDeque<W>, new: W, is_wanted: impl Fn(&W) -> bool) {
    if line.len() == line.capacity() {
        line.retain(is_wanted);
        // Room for as many again, so that it is not looked through for each of them.
        line.reserve(line.len() + 1);
    }
    line.push_back(new);
}
