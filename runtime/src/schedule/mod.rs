//! Scheduling: timers, immediates, ticks and microtasks, as Node names them.
//!
//! Free functions work on the current loop; [`LoopRef`](crate::LoopRef) has the same as methods.

mod functions;
mod ids;
mod join_set;
mod on_loop;
mod turn;

pub use functions::{
    at_checkpoint_end, clear_immediate, clear_interval, clear_timeout, next_tick, queue_microtask,
    set_immediate, set_interval, set_timeout, set_timeout_mut, spawn, spawn_eager,
};
pub use ids::{ImmediateId, TimerId};
pub use join_set::JoinSet;
pub use turn::yield_now;
