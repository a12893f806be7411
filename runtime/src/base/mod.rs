//! The containers that everything else is made of.
//!
//! ```text
//!   Ring         ticks, microtasks                       take one, borrow ended, run it
//!   LocalQueue   pending, closing, and all other queues  the same
//!   InlineFn     a closure that is called once           no box, if it is small
//!   CallbackSlot a handle's callback                     take, call, put back
//!   Guarded      any other state shared on one thread    `with(|state| ..)`, no foreign code inside
//!   Arena        values behind ids given to users        generational: a stale key finds nothing
//!   Heap         deadlines                               moving or stopping one only notes it
//!   WatchList    idle, prepare, check                    newest first, stable under change
//!   Apart        what threads write to       on cache lines of its own
//!   Wakers       tasks that wait, or a callback          each once, in order
//! ```
//!
//! The one law of this crate is kept here: **no borrow is alive while foreign code runs**. Foreign
//! code is a callback, a `Future::poll`, a waker's clone, wake and drop, and the drop of a user's
//! value. So every container hands back what it removes, and `RefCell` is spelled in this module
//! only.

mod apart;
mod arena;
pub(crate) mod clock;
mod guarded;
mod heap;
mod inline_fn;
mod origin;
mod queue;
#[cfg(test)]
pub(crate) mod random;
mod ring;
mod slot;
mod wakers;
mod watch_list;

pub(crate) use apart::Apart;
pub(crate) use arena::{Arena, Key};
pub use clock::{Clock, Instant};
pub(crate) use guarded::Guarded;
pub(crate) use heap::{Heap, Rank};
pub(crate) use inline_fn::InlineFn;
pub(crate) use origin::Origin;
pub(crate) use queue::LocalQueue;
pub(crate) use ring::Ring;
pub(crate) use slot::CallbackSlot;
pub(crate) use wakers::{Waiter, Wakers};
pub(crate) use watch_list::WatchList;
