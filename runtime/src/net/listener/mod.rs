//! Listeners: the resource behind `TcpListener`, and how its connections are taken.

mod backlog;
mod incoming;
mod kind;
mod limit;
mod resource;

pub use incoming::Incoming;
pub(crate) use incoming::accept;
pub(crate) use kind::{Accepted, ListenerHandle, listener};
pub(crate) use resource::Listener;

/// Connections that the system lets wait if nothing else is said; it may allow fewer.
pub(super) const BACKLOG: i32 = 4096;
