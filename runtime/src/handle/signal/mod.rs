//! `Signal`: a watcher of a signal of the system.

mod wait;

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::handle_type;
use crate::base::CallbackSlot;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, Resource, current};
use crate::sys::signal::Caught;
use wait::Waiter;

pub(crate) use wait::wait_once;

handle_type! {
    /// Calls back when the process gets a signal, such as `SIGTERM`.
    ///
    /// Several loops, on several threads, may watch the same signal, by any number of handles: each is
    /// told. The first watcher of a signal in the process takes it over; when the last one stops, what
    /// the process did before (a handler, to ignore it, the default) comes back. If somebody else
    /// has put a handler there meanwhile, that one stays.
    ///
    /// It starts unreferenced, as in Node: alone it does not keep the loop alive. A main future that
    /// waits goes on waiting, though, as long as a signal is watched.
    ///
    /// # How many callbacks
    /// One for each signal that came to the process, in the order in which they came, up to a limit: a
    /// loop that does not get to it keeps some 8,000 of them (65,536 bytes of a pipe, on Linux; the
    /// pipe of other systems has less). From then on each kind is told once more, so there
    /// is always a callback after the last signal. The system itself merges signals of one kind that
    /// wait: who counts them counts too few.
    ///
    /// What came before the start is not told. What was caught, but not told yet, when the watcher
    /// stops or is closed is never told; its close waits for nothing.
    ///
    /// # Ordering
    /// In the poll phase, behind everything else that the system reported. Of the watchers of a
    /// signal those that stay come before those for one time, else in the order of their start. 512
    /// signals are taken in an iteration.
    ///
    /// # Platform notes
    /// The handler runs on whichever thread the system chooses, with `SA_RESTART`, and touches nothing of
    /// the program's. A child made by `fork` that runs on without `exec` keeps the handler, but nobody is
    /// told what it catches.
    ///
    /// On Windows: `SIGINT` (ctrl-c), `SIGBREAK` (ctrl-break) and `SIGHUP` (the console is closed; the system
    /// ends the program some 5 seconds later). Others can be watched, and never come.
    ///
    /// # Examples
    /// ```
    /// use runtime::{handle::Signal, signal::SIGHUP};
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     Signal::new().start(SIGHUP, |_, _| println!("reading the settings again"))
    ///     // Nothing else is active, so this program ends at once.
    /// }
    /// ```
    Signal, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    callback: CallbackSlot<OnSignal>,
    /// A request, which waits in place of a callback.
    waiter: Cell<Option<Rc<dyn Waiter>>>,
    started: Cell<Option<Started>>,
}

type OnSignal = dyn FnMut(&Signal, i32) -> Result;

#[derive(Clone, Copy)]
struct Started {
    signum: i32,
    /// What was caught in an earlier epoch came before the start.
    epoch: u64,
    once: bool,
}

impl Signal {
    /// A watcher on the current loop, not started, and not referenced.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it panics where there is no loop")]
    pub fn new() -> Self {
        let inner = Handle::make(&current(), Kind::Signal, |handle| Inner {
            handle,
            callback: CallbackSlot::default(),
            waiter: Cell::new(None),
            started: Cell::new(None),
        });
        inner.handle.unref();
        Self(inner)
    }

    /// Calls `f` with the handle and the number whenever the signal comes.
    ///
    /// Started anew for the same signal it just has another callback; nothing that came meanwhile is
    /// lost. For another signal it is stopped and started.
    ///
    /// # Errors
    /// `InvalidInput`, with the number in its text: it is none of a signal; `SIGKILL` and `SIGSTOP`, which the
    /// system lets nobody catch; `SIGSEGV`, `SIGBUS`, `SIGFPE` and `SIGILL`, since a fault would repeat as soon
    /// as the handler returns. Too many open files, for the first watcher of a loop. If the
    /// handle is closed, or the loop is gone. After an error the handle is as it was.
    pub fn start<R: Outcome>(
        &self,
        signum: i32,
        f: impl FnMut(&Signal, i32) -> R + 'static,
    ) -> io::Result<()> {
        self.start_as(signum, false, f)
    }

    /// Calls `f` when the signal comes, and stops before it does: libuv's `start_oneshot`. Otherwise as
    /// [`start`](Self::start).
    ///
    /// If it was the last watcher, the next signal meets what the process did before, from the moment of
    /// the callback on: signals that came between the first one and its callback are caught, and not told.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_once<R: Outcome>(
        &self,
        signum: i32,
        f: impl FnMut(&Signal, i32) -> R + 'static,
    ) -> io::Result<()> {
        self.start_as(signum, true, f)
    }

    fn start_as<R: Outcome>(
        &self,
        signum: i32,
        once: bool,
        mut f: impl FnMut(&Signal, i32) -> R + 'static,
    ) -> io::Result<()> {
        self.check_open()?;
        self.0.watch(signum, once)?;
        drop(self.0.callback.set(Box::new(move |signal, signum| f(signal, signum).into_result())));
        Ok(())
    }

    /// Stops watching. A signal that came, but was not told yet, is not told any more. Stopping what is
    /// not started does nothing.
    pub fn stop(&self) {
        if !self.is_closing() {
            self.0.rest();
            drop(self.0.callback.clear());
        }
    }

    /// The signal that is watched, while it is.
    pub fn signum(&self) -> Option<i32> {
        self.0.started.get().map(|started| started.signum)
    }
}

impl Inner {
    fn watch(&self, signum: i32, once: bool) -> io::Result<()> {
        let (state, key) = (self.handle.state(), self.handle.key());
        match self.started.get() {
            Some(started) if started.signum == signum => {
                state.signals.set_once(key, once);
                self.started.set(Some(Started { once, ..started }));
            }
            former => {
                let epoch = state.signals.watch(state, key, signum, once)?;
                self.started.set(Some(Started { signum, epoch, once }));
                if let Some(former) = former {
                    state.signals.unwatch(key, former.signum);
                }
            }
        }
        self.handle.set_active(true);
        self.handle.hold(true);
        Ok(())
    }

    fn unwatch(&self) {
        if let Some(started) = self.started.take() {
            self.handle.state().signals.unwatch(self.handle.key(), started.signum);
        }
    }

    fn rest(&self) {
        self.unwatch();
        self.handle.set_active(false);
        self.handle.hold(false);
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, _: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    fn caught(self: Rc<Self>, caught: Caught, d: &mut Dispatcher<'_>) -> Flow {
        let Caught { signum, epoch } = caught;
        // Stopped, or started anew, by a callback before this one.
        let is_meant = |now: &Started| now.signum == signum && now.epoch <= epoch;
        let Some(started) = self.started.get().filter(is_meant) else { return Ok(()) };
        if started.once {
            self.rest();
        }
        if let Some(waiter) = self.waiter.take() {
            return waiter.tell(signum, d);
        }
        let signal = Signal(self);
        let result = if started.once {
            // It is not needed any more, unless it starts the handle anew.
            let Some(mut callback) = signal.0.callback.clear() else { return Ok(()) };
            callback(&signal, signum)
        } else {
            let Some(mut callback) = signal.0.callback.take() else { return Ok(()) };
            callback(&signal, signum)
        };
        d.done(result)
    }

    fn release(&self) {
        self.unwatch();
        if let Some(waiter) = self.waiter.take() {
            let error = self.handle.check_open().expect_err("it is closing");
            waiter.fail(error);
        }
    }

    fn discard(&self) {
        drop(self.callback.clear());
    }
}

impl Drop for Inner {
    /// Dropped while started only if nobody held it: on a loop that is gone.
    fn drop(&mut self) {
        self.unwatch();
    }
}
