//! Child processes.
//!
//! ```text
//!   Command ── spawn() ──▶ Process: a handle, active until the child has ended
//!      │                     ├─ wait() ─▶ Request<ExitStatus>
//!      │                     ├─ kill(signal)
//!      │                     └─ take_stdin(), take_stdout(), take_stderr() ─▶ Pipe
//!      ├─ status() ─▶ Request<ExitStatus>
//!      └─ output() ─▶ Request<Output>
//! ```
//!
//! The end of a child is told in the poll phase, after the other events of its batch. On Linux a pidfd
//! reports it; elsewhere, and where a pidfd can't be had, a thread waits for the one child. Neither
//! touches `SIGCHLD` or a child that is not ours, and no child that was spawned here stays a zombie:
//! when its handle goes first, one thread waits for all such children, as long as there are any (without
//! pidfds, one for each).
//!
//! # Platform notes
//! On Windows a child is ended by [`Process::kill`] as libuv does it: there are no signals, and what has
//! its handle open knows how it has ended.

mod command;
mod output;
#[expect(clippy::module_inception, reason = "the type has the module's name")]
mod process;
#[cfg(unix)]
mod unix_command;

pub use command::Command;
pub use process::Process;
pub use std::process::{ExitStatus, Output, Stdio};
