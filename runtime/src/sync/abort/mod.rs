//! Aborting: who can, and what happens then.
//!
//! ```text
//!   who can abort it                the signal               who is told
//!
//!   AbortController ─┐                                    ┌─▶ listeners: callbacks and tasks, one line
//!   a timer ─────────┼─▶ Trigger ─ ─ weak ─ ─▶ State ─────┤
//!   sources of `any` ┘                         ▲          └─▶ followers: triggers of what `any` made
//!                                     AbortSignal, its clones
//!
//!   [ Waiting ] ── abort ──▶ [ Aborting ] ── all were told ──▶ [ Aborted ]
//!        └── the last trigger is gone ──▶ [ Never ]
//! ```
//!
//! While a signal has somebody to tell it keeps itself, so that a listener outlives the value it was
//! registered on; otherwise its last clone ends it, and with it its timer and its places among the
//! followers of others. The last trigger's drop ends the keeping, and drops the listeners: nothing
//! can call them any more. So no closure, and no cycle through one, outlives what could call it.
//!
//! A flag that another thread has counts as somebody to tell. Its end is not told here, so it is looked for
//! when followers have become many; what a timer or a controller keeps ends with those in any case.
//!
//! Followers hang on controllers and timers only: what follows a follower hangs on the sources of that.

mod controller;
mod flag;
mod join;
mod line;
mod request;
mod signal;
mod state;
mod thrown;

pub use controller::AbortController;
pub use flag::AbortFlag;
use line::Line;
pub use signal::{AbortListener, AbortSignal};
use state::{Listener, State, Trigger};
use thrown::Thrown;
