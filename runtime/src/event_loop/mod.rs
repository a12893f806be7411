//! The loop: its state, its phases, and the right to call back.
//!
//! ```text
//!   Loop       owner, on the stack     run(&mut self), block_on            run
//!   LoopRef    Rc, !Send               what handles and free functions use loop_ref, context
//!   Remote     Send                    post                                remote
//!      │
//!      ▼
//!   State ──── Progress                where an iteration stands           progress
//!      ├────── Registry                handles, by slot                    resource
//!      ├────── Jobs                    what waits for the pool             jobs
//!      └────── Liveness                what keeps the loop running         liveness, active
//!   Dispatcher  the right to run a callback, lent down from `run`          dispatcher
//!   phases      one iteration, phase by phase                              phases
//! ```
//!
//! Read `phases` first, then `dispatcher`.

mod active;
mod answer;
mod builder;
mod closing;
pub(crate) mod context;
mod deadlines;
mod dispatcher;
mod handle;
mod jobs;
mod life;
mod liveness;
mod loop_ref;
mod main_future;
mod naps;
mod phases;
mod places;
mod poll;
mod progress;
mod remote;
mod resource;
mod run;
mod signals;
mod state;
mod teardown;
mod timers;

pub use active::{ActiveKind, ActiveResource};
pub(crate) use answer::{Answer, Onward, stand_in_line};
pub use builder::{Builder, Microtasks};
pub(crate) use closing::Closing;
pub use context::{Entered, current, try_current};
pub(crate) use dispatcher::{Dispatcher, Flow};
pub(crate) use handle::{CLOSING, close, copy_of};
pub use handle::{Handle, Kind};
pub(crate) use jobs::Carried;
pub use life::{before_exit, exit, on_exit, on_uncaught, on_unhandled};
pub(crate) use liveness::InFlight;
pub use loop_ref::LoopRef;
pub use remote::Remote;
pub(crate) use resource::{Event, Link, Resource};
pub use run::Loop;
pub(crate) use run::{Fatal, Until};
pub use state::Metrics;
pub(crate) use state::{Pending, State};
