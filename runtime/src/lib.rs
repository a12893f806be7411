//! A libuv-style event loop with Node's phases: every operation as a callback and as a future.
//!
//! ```text
//!  ┌─▶ pending ─▶ idle ─▶ prepare ─▶ poll ─▶ pending ─▶ check ─▶ closing ─▶ timers ─┐
//!  └────────────────────────────────────────────────────────────────────────────────┘
//!      after every callback: all ticks, then all microtasks, until both are empty
//! ```
//!
//! - **Scheduling**, as Node names it: [`set_timeout`], [`set_interval`], [`set_immediate`],
//!   [`next_tick`], [`queue_microtask`].
//! - **Tasks**: [`spawn`] runs a future on the loop's own thread, so it need not be `Send`;
//!   [`spawn_blocking`] runs what blocks on the pool.
//! - **Handles**, as libuv has them: [`handle`].
//! - **Sockets, files, time**: [`net`], [`fs`], [`time`]. What is done once is a [`Request`]: await it, or
//!   give it a callback.
//! - **Names** of hosts and services: [`dns`].
//! - **Signals** of the system: [`signal`].
//! - **Terminals and standard streams**: [`io`].
//! - **Channels**, [`Notify`](sync::Notify), [`Semaphore`](sync::Semaphore), also from and to other threads; and
//!   **aborting**, as in JavaScript: [`sync`]. Tasks and jobs that are joined as they end: [`JoinSet`].
//! - **The loop**: [`#[runtime::main]`](macro@main) makes one; embedders make a [`Loop`] and run it as they
//!   like.
//!
//! What is started belongs to the loop while it is active, and the program ends when nothing is. A
//! callback returns `()` or a [`Result`]: an `Err` is what a `throw` is in Node. No call of this API runs
//! a callback from inside itself, so a `RefCell` that a callback has borrowed can't be borrowed twice;
//! the exceptions are made for it: [`exit`], [`spawn_eager`], [`LoopRef::walk`] and
//! [`abort`](sync::AbortController::abort).
//!
//! `select!` and `join!` are those of futures-util or futures-lite: nothing of ours is needed.
//!
//! # Examples
//! ```
//! use runtime::{ms, next_tick, queue_microtask, set_immediate, set_timeout};
//!
//! #[runtime::main]
//! fn main() {
//!     set_timeout(ms(10), || println!("5 timeout"));
//!     set_immediate(|| println!("4 immediate"));
//!     queue_microtask(|| println!("3 microtask"));
//!     next_tick(|| println!("2 tick"));
//!     println!("1 main");
//! }
//! ```
#![deny(unsafe_code)]

mod base;
pub mod dns;
mod entry;
mod error;
mod event_loop;
pub mod fs;
pub mod handle;
pub mod io;
pub mod net;
mod pool;
pub mod process;
mod reactor;
mod request;
mod schedule;
pub mod signal;
pub mod sync;
mod sys;
mod task;
pub mod time;
mod timers;

/// What the attribute macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{Main, Report, Test};
}

pub use base::Clock;
pub use error::{
    Aborted, Cancelled, Closed, Elapsed, JoinError, LoopGone, Never, Outcome, QueueFull, Result,
    Uncaught, raw_os_error,
};
pub use event_loop::{
    ActiveKind, ActiveResource, Builder, Entered, Loop, LoopRef, Metrics, Microtasks, Remote,
    before_exit, current, exit, on_exit, on_uncaught, on_unhandled, try_current,
};
pub use pool::{LaneMetrics, Pool, PoolMetrics, Times};
pub use request::{PoolFull, PoolPermit, Request, RequestId, spawn_blocking};
pub use runtime_macros::{main, test};
pub use schedule::{
    ImmediateId, JoinSet, TimerId, at_checkpoint_end, clear_immediate, clear_interval,
    clear_timeout, next_tick, queue_microtask, set_immediate, set_interval, set_timeout,
    set_timeout_mut, spawn, spawn_eager, yield_now,
};
pub use task::{JoinHandle, yield_microtask};
pub use time::{ms, secs};

/// The README's programs, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
