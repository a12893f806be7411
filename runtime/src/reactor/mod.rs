//! The reactor: waits for the system, and can be woken from other threads.

mod interest;
mod poller;
mod wakeup;
mod watched;

pub use interest::{Interest, Ready};
pub(crate) use poller::{Poller, Source};
pub(crate) use wakeup::Wakeup;
pub(crate) use watched::Watched;
