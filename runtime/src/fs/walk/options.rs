//! How a tree is walked.

use std::fmt;
use std::sync::Arc;

use super::WalkEntry;

/// Options of [`walk_with`](super::walk_with).
///
/// # Examples
/// ```
/// use runtime::fs::{self, WalkOptions};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let options = WalkOptions::new()
///         .max_depth(3)
///         .descend(|dir| !dir.file_name().as_encoded_bytes().starts_with(b"."));
///     let mut walk = fs::walk_with("src", options);
///     while let Some(entry) = walk.next_entry().await {
///         println!("{:?}", entry?.path());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[must_use = "options do nothing by themselves"]
pub struct WalkOptions {
    pub(super) max_depth: usize,
    pub(super) follows_links: bool,
    pub(super) is_sorted: bool,
    pub(super) concurrency: usize,
    pub(super) descends: Option<Arc<Descends>>,
}

pub(super) type Descends = dyn Fn(&WalkEntry) -> bool + Send + Sync;

/// As many as the pool has threads, if nothing else was said.
const CONCURRENCY: usize = 4;

impl WalkOptions {
    /// All levels, links not followed, in no order, by at most 4 jobs at a time.
    pub fn new() -> Self {
        Self {
            max_depth: usize::MAX,
            follows_links: false,
            is_sorted: false,
            concurrency: CONCURRENCY,
            descends: None,
        }
    }

    /// How far down it goes: 1 is what is in the root itself. At least 1.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels.max(1);
        self
    }

    /// Whether links are followed: each is told as what it leads to, and a directory it leads to is walked.
    /// One that leads nowhere is told as a link. One that leads to a directory it is in is told once, and
    /// then as an error with a [`WalkLoop`](super::WalkLoop) in it.
    pub fn follow_links(mut self, on: bool) -> Self {
        self.follows_links = on;
        self
    }

    /// Whether all comes in order: the entries of each directory sorted by the bytes of their names, each
    /// directory followed by what is in it. It is one job at a time then, and a directory is in memory as a
    /// whole.
    pub fn sorted(mut self, on: bool) -> Self {
        self.is_sorted = on;
        self
    }

    /// How many jobs are in the pool, or have their entries waiting here, at a time; at least 1. Each has
    /// one directory open.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// Walks only those directories that `f` says yes to; the others are told, not what is in them. `f` is
    /// called in the pool, by several threads at a time. If it panics, that is told as an error, and
    /// what its job had to walk is left out.
    pub fn descend(mut self, f: impl Fn(&WalkEntry) -> bool + Send + Sync + 'static) -> Self {
        self.descends = Some(Arc::new(f));
        self
    }

    /// How many jobs there are at a time.
    pub(super) fn jobs(&self) -> usize {
        if self.is_sorted { 1 } else { self.concurrency }
    }
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WalkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkOptions")
            .field("max_depth", &self.max_depth)
            .field("follow_links", &self.follows_links)
            .field("sorted", &self.is_sorted)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
