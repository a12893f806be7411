//! Signals of the system, awaited: ctrl-c, a request to terminate, and the others.
//!
//! [`ctrl_c`] and [`once`] are requests, with both faces; [`signals`] gives all that come, one after the
//! other; the handle below them, which calls back each time, is [`handle::Signal`](crate::handle::Signal).
//! It says what all of them share: how signals are counted, and what is restored when the last watcher
//! goes.
//!
//! None of them keeps the loop alive, as in Node. A main future that awaits one does wait.
//!
//! # Examples
//! ```
//! use runtime::{ms, set_timeout, signal};
//!
//! #[runtime::main]
//! fn main() {
//!     set_timeout(ms(1), || println!("done"));
//!     signal::ctrl_c().callback(|_| {
//!         println!("interrupted");
//!         runtime::exit(130)
//!     });
//! }
//! ```

mod numbers;
mod signals;

use crate::handle::wait_once;
use crate::request::Request;

pub use numbers::*;
pub use signals::{Signals, signals};

/// Waits for ctrl-c: for `SIGINT`.
///
/// The wait begins with the call. Until it is done, or dropped, ctrl-c does not end the program; then it
/// does again, unless something else watches it. So a second ctrl-c ends a program whose graceful end
/// takes too long.
///
/// # Ordering
/// In the poll phase, behind everything else that the system reported.
///
/// # Errors
/// Too many open files; [`LoopGone`](crate::LoopGone); [`Cancelled`](crate::Cancelled).
///
/// # Panics
/// If this thread has no current loop.
///
/// # Cancel safety
/// Dropped before it is done, it gives the signal back: what came and was not told yet is not told. To wait
/// again and again, and to miss none in between, use [`signals`].
#[track_caller]
#[must_use = "dropping the request ends the wait"]
pub fn ctrl_c() -> Request<()> {
    wait_once(SIGINT, drop)
}

/// Waits for a request to terminate, which service managers and `kill` send: for `SIGTERM`. Otherwise as
/// [`ctrl_c`].
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
#[must_use = "dropping the request ends the wait"]
pub fn terminate() -> Request<()> {
    wait_once(SIGTERM, drop)
}

/// Waits for one signal, and gives its number. Otherwise as [`ctrl_c`].
///
/// # Errors
/// `InvalidInput` for what can't be watched: see [`Signal::start`](crate::handle::Signal::start).
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
#[must_use = "dropping the request ends the wait"]
pub fn once(signum: i32) -> Request<i32> {
    wait_once(signum, |signum| signum)
}
