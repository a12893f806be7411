//! What the system tells of changes to files: one back end, one list of functions.
//!
//! ```text
//!   Backend::new() ─▶ (backend, descriptor to be polled, if it has one)
//!   start(id, path, recursive, wake)     from here on changes are collected
//!   read(news) ─▶ what came, for whom    when the descriptor is ready, or `wake` was called
//!   stop(id)
//! ```
//!
//! Linux has inotify, which is ours. Elsewhere it is the `notify` crate, behind the feature of that
//! name; without it `start` is `Unsupported`. With `--cfg runtime_notify_backend` Linux takes the
//! `notify` crate too, so that its code can be run there.

#[cfg(all(target_os = "linux", not(runtime_notify_backend)))]
#[path = "inotify/mod.rs"]
mod backend;
#[cfg(all(feature = "notify", not(all(target_os = "linux", not(runtime_notify_backend)))))]
#[path = "notify.rs"]
mod backend;
#[cfg(not(any(feature = "notify", all(target_os = "linux", not(runtime_notify_backend)))))]
#[path = "none.rs"]
mod backend;
mod change;

use std::io;
use std::rc::Rc;

pub(crate) use backend::Backend;
pub use change::{FsChange, NotWatched};

/// The descriptor of a back end: the loop polls it, the back end reads it.
pub(crate) type WatchSource = Rc<super::OwnedSource>;

/// Who is told: a number for each start.
pub(crate) type WatcherId = u64;

/// Something to tell, and whom.
pub(crate) type News = (WatcherId, io::Result<FsChange>);

/// Called, from any thread, by a back end without a descriptor when there is something to read.
pub(crate) type Wake = Box<dyn Fn() + Send>;
