//! What tasks and callbacks tell each other.
//!
//! ```text
//!   AbortController ── abort() ──┐                  ┌──▶ on_abort(f)           called at once, in order
//!                                ├──▶ AbortSignal ──┼──▶ aborted(), race(..)   tasks that go on
//!                  timeout(d) ───┘                  ├──▶ abort_on(&signal)     requests, tasks, jobs, children
//!                                                   ├──▶ flag()                other threads
//!                                                   └──▶ any([..])             another AbortSignal
//! ```

mod abort;

pub use crate::error::Aborted;
pub use abort::{AbortController, AbortFlag, AbortListener, AbortSignal};
