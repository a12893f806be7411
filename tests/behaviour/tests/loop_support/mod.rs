//! Loops to test on, and callbacks that note that they ran.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::fmt::Display;
use std::io;

use behaviour::{Deadline, EventLog};
use runtime::handle::Timer;
use runtime::{Clock, Entered, Loop, TimerId};

/// A loop that is the current one, and what a test of it needs.
pub(crate) fn real() -> (Loop, EventLog, (Entered, Deadline)) {
    let lp = Loop::new().unwrap();
    let guards = (lp.enter(), Deadline::secs(20));
    (lp, EventLog::new(), guards)
}

/// The same with a clock that stands still.
pub(crate) fn manual() -> (Loop, Clock, EventLog, (Entered, Deadline)) {
    let clock = Clock::manual();
    let lp = Loop::builder().clock(clock.clone()).build().unwrap();
    let guards = (lp.enter(), Deadline::secs(20));
    (lp, clock, EventLog::new(), guards)
}

/// A handle's callback that notes `event` each time.
pub(crate) fn note<H: 'static>(
    log: &EventLog,
    event: impl Display + 'static,
) -> impl FnMut(&H) + 'static {
    let log = log.clone();
    move |_: &H| log.push(&event)
}

/// An interval's callback that notes `event` each time.
pub(crate) fn note_id(
    log: &EventLog,
    event: impl Display + 'static,
) -> impl FnMut(TimerId) + 'static {
    let log = log.clone();
    move |_| log.push(&event)
}

/// A close callback that notes `event`.
pub(crate) fn note_close(
    log: &EventLog,
    event: impl Display + 'static,
) -> impl FnOnce(io::Result<()>) + 'static {
    let log = log.clone();
    move |closed: io::Result<()>| match closed {
        Ok(()) => log.push(event),
        Err(error) => log.push(format!("{event}: {error}")),
    }
}

/// A handle that was closed, and whose closing phase is over: a callback of its `closed` goes through
/// the pending phase.
pub(crate) fn closed_handle(lp: &mut Loop) -> Timer {
    let handle = Timer::new();
    handle.close();
    lp.run_nowait().unwrap();
    assert!(!lp.is_alive());
    handle
}
