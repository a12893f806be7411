//! Signals: caught once for the whole process, told to each loop that watches them.
//!
//! ```text
//!   the process                      a loop
//!   handler ─▶ posts, one a loop ─▶  Inbox ─▶ take ─▶ [Caught, Caught, ..]
//!                 unix: a pipe; Windows: a queue under a lock, and a wake-up
//! ```
//!
//! An inbox keeps the number and the order of what was caught while it has room. Once it is full, each
//! kind of signal is noted once, so a kind that is watched is never lost.

#[cfg(unix)]
mod action;
#[cfg(unix)]
mod post;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// A signal that was caught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) signum: i32,
    /// That of the inbox when the handler ran. Each start of a watcher begins an epoch: a signal of an
    /// earlier one came before the watcher was there.
    pub(crate) epoch: u64,
}

/// The error for a signal that can't be watched.
fn refused(signum: i32, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("signal {signum} can't be caught: {why}"))
}
