//! Node's timers and immediates as plain data: they decide what is next, the loop runs it.

mod durations;
mod ids;
mod immediates;
mod lists;
#[cfg(test)]
mod model;

pub use ids::TimerId;
pub(crate) use immediates::{Immediate, Immediates};
pub(crate) use lists::{Fired, Pass, Step, Timer, TimerKind, TimerLists};
