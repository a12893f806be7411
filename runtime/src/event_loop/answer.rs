//! An answer to come: what a request and whoever waits for it share.
//!
//! ```text
//!   [ Open ] ── callback(f) ──▶ [ Callback ] ── settle ──▶ f(value), then the checkpoint
//!      │ ────── poll ─────────▶ [ Awaited ] ─── settle ──▶ [ Here ] and a wake
//!      │ ────── drop ─────────▶ [ Unwanted ] ── settle ──▶ the value is dropped
//!      └─────── settle ───────▶ [ Here ] ────── poll ────▶ the value
//! ```

use std::cell::Cell;
use std::mem::replace;
use std::task::{Context, Poll, Waker};

use super::{Dispatcher, Flow, State};
use crate::base::Guarded;
use crate::error::Result;
use crate::task::keep;

type Callback<V> = Box<dyn FnOnce(V) -> Result>;

enum Stage<V> {
    Open,
    Awaited(Waker),
    Callback(Callback<V>),
    Unwanted,
    Here(V),
    Taken,
}

/// One value on its way from the loop to one waiter.
pub(crate) struct Answer<V> {
    stage: Guarded<Stage<V>>,
    is_settled: Cell<bool>,
}

impl<V> std::fmt::Debug for Answer<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("is_settled", &self.is_settled.get()).finish()
    }
}

impl<V> Default for Answer<V> {
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

    /// Gives the value to whoever waits: a callback runs now, a task is woken; then the checkpoint.
    pub(crate) fn settle(&self, value: V, d: &mut Dispatcher<'_>) -> Flow {
        self.is_settled.set(true);
        match self.put(Stage::Taken) {
            Stage::Callback(callback) => {
                let result = callback(value);
                d.done(result)
            }
            Stage::Awaited(waker) => {
                drop(self.put(Stage::Here(value)));
                waker.wake();
                d.checkpoint()
            }
            Stage::Open => {
                drop(self.put(Stage::Here(value)));
                Ok(())
            }
            Stage::Unwanted | Stage::Here(_) | Stage::Taken => {
                drop(value);
                d.checkpoint()
            }
        }
    }

    /// Gives the value where no callback may run: a callback waits for the pending phase.
    pub(crate) fn settle_later(&self, value: V, state: &State) {
        self.is_settled.set(true);
        match self.put(Stage::Taken) {
            Stage::Callback(callback) => state.call_later(move || callback(value)),
            Stage::Awaited(waker) => {
                drop(self.put(Stage::Here(value)));
                waker.wake();
            }
            Stage::Open => drop(self.put(Stage::Here(value))),
            Stage::Unwanted | Stage::Here(_) | Stage::Taken => drop(value),
        }
    }

    /// The loop goes away: a task is told, a callback is dropped.
    pub(crate) fn abandon(&self, value: V) {
        self.is_settled.set(true);
        match self.put(Stage::Taken) {
            Stage::Awaited(waker) => {
                drop(self.put(Stage::Here(value)));
                waker.wake();
            }
            Stage::Open => drop(self.put(Stage::Here(value))),
            callback => drop((callback, value)),
        }
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
            Stage::Here(value) => state.call_later(move || callback(value)),
            former => {
                drop(former);
                drop(self.put(Stage::Callback(callback)));
            }
        }
    }

    /// Takes the value out, if it is there.
    pub(crate) fn take(&self) -> Option<V> {
        match self.put(Stage::Taken) {
            Stage::Here(value) => Some(value),
            other => {
                drop(self.put(other));
                None
            }
        }
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
