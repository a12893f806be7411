//! Scheduling on a given loop.

use std::future::Future;
use std::time::Duration;

use super::{ImmediateId, TimerId};
use crate::base::clock::ms_up;
use crate::base::{InlineFn, Key};
use crate::error::Outcome;
use crate::event_loop::LoopRef;
use crate::task::{self, JoinHandle, Microtask, Woken};
use crate::timers::{Fired, Immediate, Timer};

/// Node's longest timer, 2^31 - 1 ms: what is longer becomes 1 ms.
const MAX_TIMEOUT_MS: u64 = (1 << 31) - 1;

impl LoopRef {
    /// [`set_timeout`](crate::set_timeout) on this loop.
    #[track_caller]
    pub fn set_timeout<R: Outcome>(
        &self,
        delay: Duration,
        f: impl FnOnce() -> R + 'static,
    ) -> TimerId {
        let action = Fired::Once(InlineFn::new(move |()| f().into_result()));
        self.insert_timer(Timer::once(action, timeout_ms(delay)))
    }

    /// [`set_timeout_mut`](crate::set_timeout_mut) on this loop.
    #[track_caller]
    pub fn set_timeout_mut<R: Outcome>(
        &self,
        delay: Duration,
        mut f: impl FnMut(TimerId) -> R + 'static,
    ) -> TimerId {
        let action = Fired::Again(Box::new(move |id| f(id).into_result()));
        self.insert_timer(Timer::kept(action, timeout_ms(delay)))
    }

    /// [`set_interval`](crate::set_interval) on this loop.
    #[track_caller]
    pub fn set_interval<R: Outcome>(
        &self,
        period: Duration,
        mut f: impl FnMut(TimerId) -> R + 'static,
    ) -> TimerId {
        let action = Fired::Again(Box::new(move |id| f(id).into_result()));
        self.insert_timer(Timer::interval(action, timeout_ms(period)))
    }

    pub(crate) fn insert_timer(&self, timer: Timer<Fired<TimerId>>) -> TimerId {
        let state = self.state();
        if !state.is_open() {
            drop(timer);
            return TimerId::new(state.id, Key::DEAD);
        }
        let start = state.timer_start();
        let key = state.change_lists(|lists| lists.insert(timer, start));
        TimerId::new(state.id, key)
    }

    /// [`set_immediate`](crate::set_immediate) on this loop.
    pub fn set_immediate<R: Outcome>(&self, f: impl FnOnce() -> R + 'static) -> ImmediateId {
        self.insert_immediate(Immediate::Callback(InlineFn::new(move |()| f().into_result())))
    }

    #[inline]
    pub(crate) fn insert_immediate(&self, immediate: Immediate) -> ImmediateId {
        let state = self.state();
        if !state.is_open() {
            drop(immediate);
            return ImmediateId::new(state.id, u64::MAX);
        }
        let number = state.immediates.with(|immediates| immediates.push(immediate));
        ImmediateId::new(state.id, number)
    }

    /// [`next_tick`](crate::next_tick) on this loop.
    pub fn next_tick<R: Outcome>(&self, f: impl FnOnce() -> R + 'static) {
        self.state().next_tick(InlineFn::new(move |()| f().into_result()));
    }

    /// [`queue_microtask`](crate::queue_microtask) on this loop.
    pub fn queue_microtask<R: Outcome>(&self, f: impl FnOnce() -> R + 'static) {
        self.state().queue_microtask(InlineFn::new(move |()| f().into_result()));
    }

    /// [`at_checkpoint_end`](crate::at_checkpoint_end) on this loop.
    pub fn at_checkpoint_end<R: Outcome>(&self, f: impl FnOnce() -> R + 'static) {
        self.state().at_checkpoint_end(InlineFn::new(move |()| f().into_result()));
    }

    /// [`spawn`](crate::spawn) on this loop. On a loop that is gone the future is dropped, and the
    /// handle says [`Cancelled`](crate::JoinError::Cancelled).
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let state = self.state();
        let (runnable, join) = task::spawn(&state.executor, future);
        if state.is_open() {
            state.executor.push(Microtask::Future(Woken::Task(runnable)));
        } else {
            runnable.cancel();
        }
        JoinHandle::of_task(join)
    }

    /// [`spawn_eager`](crate::spawn_eager) on this loop, which becomes the current one for the poll.
    pub fn spawn_eager<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let state = self.state();
        let (runnable, join) = task::spawn(&state.executor, future);
        if state.is_open() {
            let _here = self.enter();
            // A task throws nothing: what it panics with is its output.
            let _ = state.executor.run(runnable);
        } else {
            runnable.cancel();
        }
        JoinHandle::of_task(join)
    }
}

/// A delay as Node takes it.
fn timeout_ms(delay: Duration) -> u64 {
    match ms_up(delay) {
        0 => 1,
        ms @ 1..=MAX_TIMEOUT_MS => ms,
        _ => {
            warn_overflow(delay);
            1
        }
    }
}

/// Says once a process that a timer is too long, as Node does.
fn warn_overflow(delay: Duration) {
    use std::sync::Once;
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        eprintln!(
            "runtime: a timer of {delay:?} is longer than 2^31-1 ms and was set to 1 ms, as in \
             Node; `time::sleep` takes any duration"
        );
    });
}
