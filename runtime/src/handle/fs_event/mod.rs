//! `FsEvent`: changes to files, told by the system.
//!
//! ```text
//!   FsEvent ─▶ Inner     callback, or a queue for tasks      resource, queue
//!                └─ Hub  one a loop, shared                  hub
//!                     └─ Backend  inotify, or `notify`       sys::file_watch
//! ```

mod changes;
mod hub;
mod options;
mod queue;
mod resource;

use std::io;
use std::path::{Path, PathBuf};

use super::handle_type;
use crate::error::Outcome;
use crate::event_loop::{Handle, Kind, current};
pub use crate::sys::{FsChange, NotWatched};
pub use changes::FsChanges;
pub use options::FsEventOptions;
use resource::Inner;

handle_type! {
    /// Tells what happens to a file, to a directory, or to a whole tree.
    ///
    /// It watches a path, not what happens to be there: if another file takes the place of a watched
    /// one, as when an editor saves by a rename or a log is rotated, that is told and watched from then
    /// on; the same if a watched directory is removed and made again. That holds for the last part of
    /// the path. If the directory that part is in goes, that is [`FsChange::Gone`], the end; of a rename
    /// further up nothing is known.
    ///
    /// A callback, by [`start`](Self::start), makes the loop hold the handle until it is stopped. For
    /// tasks there is [`watch`](Self::watch) with [`changed`](Self::changed) or
    /// [`changes`](Self::changes).
    ///
    /// When a change is told it is in the past: more may have happened since. The system merges equal
    /// changes that follow each other, so count nothing by them.
    ///
    /// # Ordering
    /// In the poll phase, in the order in which the system tells; each callback is followed by a
    /// checkpoint. If several watchers are told the same, in the order of their start. What one read of
    /// a flood leaves (some 4,000 changes) comes in the next iteration. What is left behind a callback
    /// that threw comes in the next pending phase.
    ///
    /// # Platform notes
    /// - Linux: inotify, one descriptor for all watchers of a loop, one watch for each path, each
    ///   directory of a tree, and each directory that holds a watched path. What is done by other means
    ///   than this system (a network file system's other clients, writes through `mmap`) is not told.
    ///   As long as somebody has a removed file open, the removal of the directory it was in is not told
    ///   to who watches that file: [`FsChange::Gone`] comes when it is closed.
    /// - Elsewhere: the `notify` crate, if the feature `notify` of this crate is on; without it `start`
    ///   is `Unsupported`. How much detail there is depends on the system: a rename may be told as a
    ///   removal and a creation.
    ///
    /// # Examples
    /// ```
    /// use runtime::handle::{FsChange, FsEvent, FsEventOptions};
    ///
    /// #[runtime::main]
    /// fn main() -> runtime::Result {
    ///     # if !cfg!(target_os = "linux") { return Ok(()) }
    ///     let dir = std::env::temp_dir().join(format!("fs-event-{}", std::process::id()));
    ///     std::fs::create_dir(&dir)?;
    ///     let watched = FsEvent::new();
    ///     watched.start(&dir, FsEventOptions::new(), {
    ///         let dir = dir.clone();
    ///         move |event, change| -> runtime::Result {
    ///             if change? == FsChange::Created("news".into()) {
    ///                 event.close();
    ///                 std::fs::remove_dir_all(&dir)?;
    ///             }
    ///             Ok(())
    ///         }
    ///     })?;
    ///     std::fs::write(dir.join("news"), "hello")?;
    ///     Ok(())
    /// }
    /// ```
    FsEvent, Inner
}

impl FsEvent {
    /// A watcher on the current loop, not started.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it panics where there is no loop")]
    pub fn new() -> Self {
        Self(Handle::make(&current(), Kind::FsEvent, Inner::new))
    }

    /// Calls `f` with each change to `path`, until [`stop`](Self::stop).
    ///
    /// `path` is resolved now: a later change of the process's directory changes nothing. Of a link,
    /// what it leads to is watched, and the link itself for being replaced.
    ///
    /// `f` also gets errors: what of a tree can't be watched, by its path. They end nothing.
    ///
    /// # Errors
    /// [`NotWatched`] in an `io::Error`: it names the path, and the limit of the system, if one is
    /// reached. `NotFound` if nothing is there. `EINVAL` if it is started already, as libuv. If the
    /// handle is closed, or the loop is gone.
    pub fn start<R: Outcome>(
        &self,
        path: impl AsRef<Path>,
        options: FsEventOptions,
        mut f: impl FnMut(&FsEvent, io::Result<FsChange>) -> R + 'static,
    ) -> io::Result<()> {
        let callback = Box::new(move |event: &_, change| f(event, change).into_result());
        self.0.start(path.as_ref(), options, Some(callback))
    }

    /// Begins to watch `path` for tasks: changes are kept from now on, until they are taken by
    /// [`changed`](Self::changed). The loop does not hold the handle: it ends with its last owner.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn watch(&self, path: impl AsRef<Path>, options: FsEventOptions) -> io::Result<()> {
        self.0.start(path.as_ref(), options, None)
    }

    /// Waits for the next change. Each change goes to one task; it keeps the loop alive while one
    /// waits.
    ///
    /// # Errors
    /// What of a tree can't be watched, which ends nothing. `InvalidInput` if nothing is watched and
    /// all was taken; `EALREADY` while a callback gets the changes; [`Closed`](crate::Closed);
    /// [`LoopGone`](crate::LoopGone).
    ///
    /// # Cancel safety
    /// No change is lost.
    pub async fn changed(&self) -> io::Result<FsChange> {
        self.0.changed().await
    }

    /// The changes as a stream, which ends when the handle is closed or stopped.
    pub fn changes(&self) -> FsChanges {
        FsChanges::new(self.clone())
    }

    /// Stops watching, and drops the callback. Changes that were not told yet are not told any more.
    pub fn stop(&self) {
        if !self.is_closing() {
            self.0.stop();
        }
    }

    /// The path that is watched, as it was given; `None` if it is not started.
    pub fn path(&self) -> Option<PathBuf> {
        self.0.path()
    }
}
