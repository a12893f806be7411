//! How a file is copied.

use std::fmt;

use crate::error::{Outcome, Result};

/// Whether a copy may share the blocks of what it is a copy of, until one of them is written to. File
/// systems such as Btrfs, XFS and bcachefs can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reflink {
    /// Never: each has its own.
    Never,
    /// If it can be had: libuv's `UV_FS_COPYFILE_FICLONE`.
    #[default]
    Try,
    /// Or the copy fails: `UV_FS_COPYFILE_FICLONE_FORCE`.
    Force,
}

/// Options of [`copy_with`](super::copy_with) and [`copy_dir_all_with`](super::copy_dir_all_with).
///
/// # Examples
/// ```no_run
/// use runtime::fs::{self, CopyOptions};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let options = CopyOptions::new()
///         .exclusive(true)
///         .progress(|copied, total| eprintln!("{copied} of {total}"));
///     fs::copy_with("disk.img", "copy.img", options).await?;
///     Ok(())
/// }
/// ```
#[must_use = "options do nothing by themselves"]
pub struct CopyOptions {
    pub(super) rules: Rules,
    pub(super) progress: Option<Box<OnProgress>>,
}

pub(super) type OnProgress = dyn FnMut(u64, u64) -> Result;

/// What the job has to know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) is_exclusive: bool,
    pub(super) reflink: Reflink,
    pub(super) keeps_times: bool,
    pub(super) drops_permissions: bool,
    pub(super) goes_on: bool,
}

impl CopyOptions {
    /// What is there is replaced; blocks are shared if that can be had; permissions are copied, times
    /// are not.
    pub fn new() -> Self {
        Self { rules: Rules::default(), progress: None }
    }

    /// Whether it is an error if something is there already: libuv's `UV_FS_COPYFILE_EXCL`. Of a tree
    /// that is said of its files and links; directories are merged.
    pub fn exclusive(mut self, on: bool) -> Self {
        self.rules.is_exclusive = on;
        self
    }

    /// Whether blocks may be shared.
    pub fn reflink(mut self, reflink: Reflink) -> Self {
        self.rules.reflink = reflink;
        self
    }

    /// Whether the copy has the times of last access and change of what it is a copy of.
    pub fn times(mut self, on: bool) -> Self {
        self.rules.keeps_times = on;
        self
    }

    /// Whether the copy has the permissions of what it is a copy of; if not, those that a new file or
    /// directory has, or that what is there has already.
    pub fn permissions(mut self, on: bool) -> Self {
        self.rules.drops_permissions = !on;
        self
    }

    /// Of a tree: whether the rest is copied after an error. Errors are told in
    /// [`Copied::errors`](super::Copied::errors) then.
    pub fn keep_going(mut self, on: bool) -> Self {
        self.rules.goes_on = on;
        self
    }

    /// Calls `f` on the loop's thread with the bytes that are copied, and all that are to be copied as
    /// far as that is known: of a tree it grows while directories are read.
    ///
    /// It is called in the poll phase, each time followed by a checkpoint: once an iteration, however often
    /// there was news, and once more for the end. If the copy is made, that last call has the final
    /// values; the result comes after it, to a callback in the pending phase.
    pub fn progress<R: Outcome>(mut self, mut f: impl FnMut(u64, u64) -> R + 'static) -> Self {
        self.progress = Some(Box::new(move |copied, total| f(copied, total).into_result()));
        self
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CopyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions").field("rules", &self.rules).finish_non_exhaustive()
    }
}
