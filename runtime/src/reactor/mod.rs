//! The reactor: waits for the system, and can be woken from other threads.

mod interest;
mod poller;
mod wakeup;

pub use interest::{Interest, Ready};
pub(crate) use poller::{Poller, Source, Watched};
pub(crate) use wakeup::Wakeup;
