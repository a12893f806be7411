//! A tree is walked.
//!
//! ```text
//!   loop   Rest: what is to be read ── a share each ─▶ jobs, as many as are allowed     pool
//!            ▲                                           │
//!            └── directories they have left ◀────────────┤
//!          ready ◀── about 1,024 entries each ◀──────────┘
//!            └──▶ who asks: an entry, or a batch
//! ```
//!
//! Directories that a job has found go through the loop together with the entries that tell of them: so
//! whoever takes entries has heard of a directory before he hears of what is in it. Batches that nobody has
//! taken yet count as jobs: so the pool rests while the user does.

mod entry;
mod job;
mod options;
mod place;
mod walking;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::vec;

use futures_core::Stream;

use crate::event_loop::current;
use crate::request::Request;
use crate::task::coop;
pub use entry::{WalkEntry, WalkLoop};
use job::Item;
pub use options::WalkOptions;
use walking::Walking;

const NAME: &str = "walk";

/// Walks all that is below `root`. As [`walk_with`], with the options as they are.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn walk(root: impl AsRef<Path>) -> Walk {
    walk_with(root, WalkOptions::new())
}

/// Walks all that is below `root`, which may be a link to a directory.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let mut walk = fs::walk("src");
///     while let Some(entry) = walk.next_entry().await {
///         match entry {
///             Ok(entry) => println!("{}", entry.path().display()),
///             Err(error) => eprintln!("{error}"),
///         }
///     }
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn walk_with(root: impl AsRef<Path>, options: WalkOptions) -> Walk {
    let walking = Walking::new(current().state(), root.as_ref(), options);
    Walk { walking, ready: Vec::new().into_iter(), asked: None }
}

/// A tree that is walked; see [`walk_with`].
///
/// Entries come one by one, by [`next_entry`](Self::next_entry) or as a stream, or a batch at a time, by
/// [`next_batch`](Self::next_batch). They are in no order, but each directory comes before what is in it;
/// [`sorted`](WalkOptions::sorted) brings all in order. The root itself is not told.
///
/// An error ends nothing: it names the directory that can't be read, and the walk goes on beside it. A
/// directory that was removed or replaced after it was told is passed over. Of what else is made, removed
/// or renamed meanwhile a walk may tell the old, the new, neither or both. Paths that are longer than
/// the system takes are no error on Unix.
///
/// Nothing is read before it is asked for the first time. Then jobs of about 1,024 entries each go to the pool,
/// as many at a time as [`concurrency`](WalkOptions::concurrency) says, and no more while their entries
/// wait here to be taken. Besides those it has in memory the paths of the directories that it knows of and
/// has not read yet.
///
/// Dropping it ends the jobs that are under way, unless a batch is still waited for.
pub struct Walk {
    walking: Rc<Walking>,
    /// Of the last batch.
    ready: vec::IntoIter<Item>,
    /// The batch that `next_entry` waits for.
    asked: Option<Request<Vec<Item>>>,
}

impl Walk {
    /// The next entry, or what can't be read; `None` at the end.
    ///
    /// # Errors
    /// Those of the system, with the path in an [`Error`](super::Error); a [`WalkLoop`]; `EALREADY` if
    /// somebody waits for a batch already; [`LoopGone`](crate::LoopGone).
    ///
    /// # Cancel safety
    /// No entry is lost.
    pub async fn next_entry(&mut self) -> Option<io::Result<WalkEntry>> {
        poll_fn(|cx| self.poll_entry(cx)).await
    }

    /// The next entries, about 1,024 of them. None are the end. What [`next_entry`](Self::next_entry) has
    /// left of a batch is one.
    ///
    /// # Ordering
    /// The result comes to a callback in the pending phase, and wakes a task in the poll phase.
    ///
    /// # Errors
    /// If a job panicked, or the loop is gone; `EALREADY` if somebody waits for a batch already. Errors of
    /// the walk are among the entries.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it leaves the entries to the next. What has come goes with it.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs::{self, Walk};
    ///
    /// fn print_all(mut walk: Walk) {
    ///     walk.next_batch().callback(|batch| -> runtime::Result {
    ///         let batch = batch?;
    ///         let is_end = batch.is_empty();
    ///         for entry in batch {
    ///             println!("{:?}", entry?.path());
    ///         }
    ///         if !is_end {
    ///             print_all(walk);
    ///         }
    ///         Ok(())
    ///     });
    /// }
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     print_all(fs::walk("src"));
    /// }
    /// ```
    #[must_use = "await it, give it a callback, or nobody asks"]
    #[track_caller]
    pub fn next_batch(&mut self) -> Request<Vec<io::Result<WalkEntry>>> {
        if self.ready.len() > 0 {
            return Request::done(Ok(std::mem::take(&mut self.ready).collect()));
        }
        self.asked.take().unwrap_or_else(|| self.walking.next_batch())
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.ready.len() == 0 {
            let asked = self.asked.take().unwrap_or_else(|| self.walking.next_batch());
            let batch = ready!(Pin::new(self.asked.insert(asked)).poll(cx));
            self.asked = None;
            match batch {
                Ok(batch) => self.ready = batch.into_iter(),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            return Poll::Ready(self.ready.next());
        }
        ready!(coop::poll_proceed(cx));
        Poll::Ready(self.ready.next())
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.asked = None;
        self.walking.let_go();
    }
}

impl Stream for Walk {
    type Item = io::Result<WalkEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_entry(cx)
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Walk").field(&self.walking.root()).finish()
    }
}
