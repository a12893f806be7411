//! Scenarios: small programs on the handles of `runtime`, each the twin of a C program on real libuv.
//!
//! ```text
//!  c/closing.c ────────▶ real libuv ──────▶ recorded/*.txt ─┐
//!                                                           ├─▶ equal, or a row of `DIFFERENCES`
//!  scenarios/closing.rs ─▶ a loop of ours ─▶ labels ────────┘
//! ```
//!
//! Both sides of a pair have the same name and note the same labels. The pool has one thread. The
//! traces are those of Linux: elsewhere the system reports in another order.
#![cfg(target_os = "linux")]

mod differences;
pub mod folder;
pub mod handles;
pub mod labels;
mod recorded;
pub mod scenarios;
pub mod sockets;

use behaviour::EventLog;
pub use differences::{DIFFERENCES, Difference};
pub use recorded::{Recorded, reference};
use runtime::Loop;
use std::io;

/// A program that notes what happens, in the order in which it does.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name of its twin in C as well.
    pub name: &'static str,
    run: fn(&mut Loop, &EventLog) -> io::Result<()>,
}

impl Scenario {
    /// Runs it on a fresh loop and gives its labels.
    ///
    /// # Errors
    /// What the system refused; no scenario counts on that.
    pub fn trace(&self) -> io::Result<String> {
        let mut event_loop = Loop::builder().pool_threads(1).build()?;
        let _here = event_loop.enter();
        let log = EventLog::new();
        (self.run)(&mut event_loop, &log)?;
        Ok(log.take().join(" "))
    }
}

/// The table of a module: the functions that it lists, under their own names.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        /// The scenarios of this file.
        pub const SCENARIOS: &[crate::Scenario] =
            &[$(crate::Scenario { name: stringify!($name), run: $name }),*];
    };
}
use table;
