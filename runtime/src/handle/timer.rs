//! `Timer`: libuv's timer handle.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::handle_type;
use crate::base::clock::saturating_ns;
use crate::base::{CallbackSlot, Key};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, Resource, current};

handle_type! {
    /// A timer that can be stopped and started again, as libuv's.
    ///
    /// It counts from the loop's cached time, [`LoopRef::now`](crate::LoopRef::now), in nanoseconds; the
    /// loop's wait has a grain of a millisecond and is rounded up. So it is never early by the loop's
    /// clock, but a timer that is started after long work in the same callback is short by that work:
    /// [`LoopRef::update_time`](crate::LoopRef::update_time) cures it. Node's timers
    /// ([`set_timeout`](crate::set_timeout)) read the clock themselves.
    ///
    /// It keeps its callback when it has fired or was stopped, for [`again`](Self::again), until it is
    /// started anew or closed. A callback that holds a clone of its own timer keeps that alive so long:
    /// use the one that it is given.
    ///
    /// # Ordering
    /// In the timers phase, by deadline; equal deadlines in the order of their start. A timer that is
    /// started in the timers phase waits for the next iteration, even if it is due at once.
    ///
    /// # Examples
    /// ```
    /// use runtime::{handle::Timer, ms};
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let mut ticks = 0;
    ///     Timer::new().start(ms(1), ms(1), move |timer| {
    ///         ticks += 1;
    ///         if ticks == 3 {
    ///             timer.close();
    ///         }
    ///     })
    /// }
    /// ```
    Timer, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    callback: CallbackSlot<dyn FnMut(&Timer) -> Result>,
    /// Its deadline in the loop's heap, once it was started. It goes when it comes.
    armed: Cell<Option<Key>>,
    /// Itself, while it runs: a timer that nobody else has goes on. The loop's link would do as well, for
    /// five times the instructions, and timers are stopped and started all the time.
    running: Cell<Option<Timer>>,
    deadline_ns: Cell<u64>,
    repeat: Cell<Option<Duration>>,
    was_started: Cell<bool>,
}

impl Timer {
    /// A timer on the current loop, not started.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it panics where there is no loop")]
    pub fn new() -> Self {
        Self(Handle::make(&current(), Kind::Timer, |handle| Inner {
            handle,
            callback: CallbackSlot::default(),
            armed: Cell::new(None),
            running: Cell::new(None),
            deadline_ns: Cell::new(0),
            repeat: Cell::new(None),
            was_started: Cell::new(false),
        }))
    }

    /// Calls `f` in the timers phase, `after` from now, and then every `repeat`, if that is given and
    /// not zero. A timer that is running is started anew, with the new `f`.
    ///
    /// A repeat counts from the time of the timers phase it fired in; periods that were missed are not
    /// made up.
    ///
    /// # Errors
    /// If the handle is closed, or the loop is gone.
    pub fn start<R: Outcome>(
        &self,
        after: Duration,
        repeat: impl Into<Option<Duration>>,
        mut f: impl FnMut(&Timer) -> R + 'static,
    ) -> io::Result<()> {
        // Foreign code, which may close the timer.
        let repeat = repeat.into().filter(|repeat| !repeat.is_zero());
        self.check_open()?;
        let inner = &self.0;
        inner.repeat.set(repeat);
        inner.was_started.set(true);
        self.arm(after);
        drop(inner.callback.set(Box::new(move |timer| f(timer).into_result())));
        Ok(())
    }

    /// Stops it; it remembers its callback, for [`again`](Self::again). Stopping a timer that is not
    /// running does nothing.
    pub fn stop(&self) {
        if !self.is_closing() {
            self.0.rest();
        }
    }

    /// Starts it anew with its repeat as the delay. A timer without a repeat is left as it is.
    ///
    /// # Errors
    /// `InvalidInput` if it was never started; if the handle is closed, or the loop is gone.
    pub fn again(&self) -> io::Result<()> {
        self.check_open()?;
        if !self.0.was_started.get() {
            let message = "`again` on a timer that was never started";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if let Some(repeat) = self.0.repeat.get() {
            self.arm(repeat);
        }
        Ok(())
    }

    #[inline]
    fn arm(&self, after: Duration) {
        self.0.arm(after);
        let former = self.0.running.replace(Some(self.clone()));
        drop(former);
    }

    /// Sets the repeat; `None` and zero are no repeat. In the timer's own callback it applies to the
    /// arming after the next, since that one is made already.
    pub fn set_repeat(&self, repeat: impl Into<Option<Duration>>) {
        self.0.repeat.set(repeat.into().filter(|repeat| !repeat.is_zero()));
    }

    /// The repeat, if there is one.
    pub fn repeat(&self) -> Option<Duration> {
        self.0.repeat.get()
    }

    /// The time from the loop's cached time to the deadline it was last armed for; zero if that is
    /// past, or if it never was.
    pub fn due_in(&self) -> Duration {
        let left = self.0.deadline_ns.get().saturating_sub(self.state().now_ns());
        Duration::from_nanos(left)
    }
}

impl Inner {
    #[inline]
    fn arm(&self, after: Duration) {
        let state = self.handle.state();
        let deadline = state.now_ns().saturating_add(saturating_ns(after));
        self.deadline_ns.set(deadline);
        let is_rearmed = self.armed.get().is_some_and(|key| state.rearm(key, deadline));
        if !is_rearmed {
            self.armed.set(Some(state.arm(deadline, self.handle.slot())));
        }
        self.handle.set_active(true);
    }

    /// Stops it, and lets it be found in the heap.
    fn rest(&self) {
        if let Some(key) = self.armed.get() {
            self.handle.state().rest(key);
        }
        self.end();
    }

    fn disarm(&self) {
        if let Some(key) = self.armed.take() {
            self.handle.state().disarm(key);
        }
        self.end();
    }

    /// It runs no more. Whoever calls this has it, so it is not dropped here.
    #[inline]
    fn end(&self) {
        self.handle.set_active(false);
        drop(self.running.take());
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, d: &mut Dispatcher<'_>) -> Flow {
        self.armed.set(None);
        // Armed again before the callback, which may stop it.
        match self.repeat.get() {
            Some(repeat) => self.arm(repeat),
            None => self.end(),
        }
        let timer = Timer(self);
        let Some(mut callback) = timer.0.callback.take() else { return Ok(()) };
        let result = callback(&timer);
        drop(callback);
        d.done(result)
    }

    fn release(&self) {
        self.disarm();
    }

    fn discard(&self) {
        drop(self.callback.clear());
    }
}

impl Drop for Inner {
    /// It was stopped, but is in the heap still.
    fn drop(&mut self) {
        self.disarm();
    }
}
