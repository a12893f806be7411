//! `Idle`, `Prepare`, `Check`: handles that run in each iteration.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::handle_type;
use crate::base::{CallbackSlot, WatchList};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, Resource, State, current};

/// What the three have in common: all but the list they are in.
pub(crate) struct Watcher {
    handle: Handle,
    callback: CallbackSlot<OnTurn>,
    /// Its place in the list while it is started.
    started: Cell<Option<u64>>,
}

type OnTurn = dyn FnMut(&Rc<Watcher>) -> Result;

impl Watcher {
    #[track_caller]
    fn make(kind: Kind) -> Rc<Self> {
        Handle::make(&current(), kind, |handle| Self {
            handle,
            callback: CallbackSlot::default(),
            started: Cell::new(None),
        })
    }

    fn list<'a>(&self, state: &'a State) -> &'a WatchList<Rc<dyn Resource>> {
        match self.handle.kind() {
            Kind::Idle => &state.idle,
            Kind::Prepare => &state.prepare,
            _ => &state.check,
        }
    }

    fn start(self: &Rc<Self>, callback: Box<OnTurn>) -> io::Result<()> {
        self.handle.check_open()?;
        if self.started.get().is_some() {
            drop(callback);
            return Ok(());
        }
        let state = self.handle.state();
        let serial = state.next_watch_serial();
        self.started.set(Some(serial));
        self.list(state).start(serial, self.clone());
        self.handle.set_active(true);
        self.handle.hold(true);
        drop(self.callback.set(callback));
        Ok(())
    }

    fn stop(self: &Rc<Self>) {
        if self.started.get().is_some() {
            self.unlist();
            self.handle.set_active(false);
            self.handle.hold(false);
            drop(self.callback.clear());
        }
    }

    fn unlist(&self) {
        if let Some(serial) = self.started.take() {
            let entry = self.list(self.handle.state()).stop(serial);
            drop(entry);
        }
    }
}

impl Resource for Watcher {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, d: &mut Dispatcher<'_>) -> Flow {
        let Some(mut callback) = self.callback.take() else { return Ok(()) };
        let result = callback(&self);
        drop(callback);
        d.done(result)
    }

    fn release(&self) {
        self.unlist();
    }

    fn discard(&self) {
        drop(self.callback.clear());
    }
}

macro_rules! watcher {
    ($(#[$doc:meta])* $name:ident) => {
        handle_type! {
            $(#[$doc])*
            $name, Watcher
        }

        impl $name {
            /// A handle on the current loop, not started.
            ///
            /// # Panics
            /// If this thread has no current loop.
            #[track_caller]
            #[expect(clippy::new_without_default, reason = "it panics where there is no loop")]
            pub fn new() -> Self {
                Self(Watcher::make(Kind::$name))
            }

            /// Calls `f` once in each iteration from now on. One that is started already goes on with
            /// the callback it has, as in libuv.
            ///
            /// # Ordering
            /// Handles of one kind run newest started first. One that is started while they run waits
            /// for the next iteration; one that is stopped then does not run.
            ///
            /// # Errors
            /// If the handle is closed, or the loop is gone.
            pub fn start<R: Outcome>(
                &self,
                mut f: impl FnMut(&Self) -> R + 'static,
            ) -> io::Result<()> {
                self.0.start(Box::new(move |watcher| f(&Self(watcher.clone())).into_result()))
            }

            /// Stops it and drops its callback. Stopping one that is not started does nothing.
            pub fn stop(&self) {
                self.0.stop();
            }
        }
    };
}

watcher! {
    /// Runs in each iteration, before prepare; while one is active, poll does not block.
    ///
    /// # Examples
    /// ```
    /// use runtime::handle::Idle;
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let mut left = 3;
    ///     Idle::new().start(move |idle| {
    ///         left -= 1;
    ///         if left == 0 {
    ///             idle.stop();
    ///         }
    ///     })
    /// }
    /// ```
    Idle
}

watcher! {
    /// Runs in each iteration, right before the loop polls for I/O.
    Prepare
}

watcher! {
    /// Runs in each iteration, after the loop polled for I/O and before the immediates.
    Check
}
