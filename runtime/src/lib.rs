//! A libuv-style event loop with Node's phases: every operation as a callback and as a future.
#![deny(unsafe_code)]

mod base;
mod entry;
mod error;
mod event_loop;
pub mod fs;
pub mod handle;
pub mod net;
mod pool;
mod reactor;
mod request;
mod schedule;
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
    Cancelled, Closed, Elapsed, JoinError, LoopGone, Never, Outcome, QueueFull, Result, Uncaught,
};
pub use event_loop::{
    Builder, Entered, Loop, LoopRef, Metrics, Microtasks, Remote, before_exit, current, exit,
    on_exit, on_uncaught, on_unhandled, try_current,
};
pub use request::{Request, RequestId, spawn_blocking};
pub use runtime_macros::{main, test};
pub use schedule::{
    ImmediateId, TimerId, at_checkpoint_end, clear_immediate, clear_interval, clear_timeout,
    next_tick, queue_microtask, set_immediate, set_interval, set_timeout, set_timeout_mut, spawn,
    spawn_eager, yield_now,
};
pub use task::{JoinHandle, yield_microtask};
pub use time::{ms, secs};
