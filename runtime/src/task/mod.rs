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
//! A task is one allocation: `raw` puts together its `flags`, the `count` of its references and its `stage`,
//! in memory that `spare` keeps. These three, `raw`, `stage` and `spare`, are all that is `unsafe` here. The
//! others say where a woken task goes (`home`, `mail`), and what may run in one checkpoint (`executor`, `coop`).

mod aborter;
pub(crate) mod coop;
mod count;
mod executor;
mod flags;
pub(crate) mod home;
pub(crate) mod job;
mod join;
pub(crate) mod mail;
mod main_future;
mod raw;
mod spare;
mod stage;
mod waker;
mod yielding;

pub(crate) use aborter::Aborter;
pub(crate) use executor::{Executor, ExitPayload, Limits, Microtask, Woken, spawn};
pub use join::JoinHandle;
pub(crate) use raw::TaskRef;
pub(crate) use waker::{MainWaker, keep};
pub use yielding::yield_microtask;
