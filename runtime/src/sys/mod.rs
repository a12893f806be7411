//! Calls into the system that differ from one to the next: one file a platform, one list of functions.

mod datagram;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use datagram::*;
pub use datagram::{Interface, Received};
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
