//! Tasks: futures on the loop's own thread, polled as microtasks.
//!
//! ```text
//!   spawn ──▶ microtask queue ──▶ poll ──▶ Pending ──▶ waits, its waker lies with whom it waits for
//!                   ▲               │                        │ wake at home
//!                   ├───────────────┼────────────────────────┘
//!                   │               │                        │ wake from elsewhere
//!   deferred ◀──────┼── over limit ─┤          mailbox ◀─────┘
//!      │ end of poll│               ▼             │ poll phase
//!      └────────────┴◀─────────── Ready           └──▶ microtask queue
//! ```
//!
//! The memory and the reference counts of a task are `async-task`'s, one allocation each. What this
//! module adds: where a woken task goes (`home`, `mail`), what may run in one checkpoint
//! (`executor`, `coop`), and that no panic and no leak in a user's future breaks the loop
//! (`future`).

pub(crate) mod coop;
mod executor;
mod future;
pub(crate) mod home;
pub(crate) mod job;
mod join;
pub(crate) mod mail;
mod main_future;
mod waker;
mod yielding;

pub(crate) use executor::{Executor, Limits, Microtask, Runnable, spawn};
pub(crate) use future::ExitPayload;
pub use join::JoinHandle;
pub(crate) use waker::{MainWaker, keep};
pub use yielding::yield_microtask;
