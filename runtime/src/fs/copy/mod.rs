//! Files and trees are copied.

mod job;
mod options;
mod progress;
mod tree;

use std::path::Path;

use super::operation::Operation;
use crate::request::Request;
pub use options::{CopyOptions, Reflink};
pub use tree::{Copied, copy_dir_all, copy_dir_all_with};

/// Copies a file with its permissions, and replaces what is at `to`; gives the count of bytes. As
/// [`copy_with`], with the options as they are.
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
///     let copy = std::env::temp_dir().join(format!("copy-of-manifest-{}", std::process::id()));
///     fs::copy("Cargo.toml", &copy).await?;
///     std::fs::remove_file(copy)?;
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Request<u64> {
    copy_with(from, to, CopyOptions::new())
}

/// Copies a file, and gives the count of bytes: libuv's `uv_fs_copyfile`. It is one job, and the kernel
/// copies if it can: by sharing blocks, inside of the file system, or through its pages. Holes stay holes
/// on Linux.
///
/// Links are followed at both ends. If both paths lead to one file nothing is done, and 0 bytes are copied.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then;
/// [`cancel`](Request::cancel) ends it within 4 MiB.
///
/// # Ordering
/// The result comes in the poll phase; to a callback in the pending phase after it, if
/// [`progress`](CopyOptions::progress) is told.
///
/// # Errors
/// Those of the system, with both paths in the [`Error`](super::Error). `IsADirectory` if one of them is a
/// directory, `InvalidInput` if it is no regular file (a FIFO, a device), `AlreadyExists` if the copy is
/// [`exclusive`](CopyOptions::exclusive). A file that was made is removed if the copy fails or is cancelled;
/// one that was there is left with what was copied by then.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn copy_with(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    options: CopyOptions,
) -> Request<u64> {
    let operation = Operation::between("copy", from, to);
    let (rules, paths) = (options.rules, operation.clone());
    progress::submit(
        options.progress,
        |job| operation.act_in_steps(move |_, steps| job(steps)),
        move |meter| job::copy(&paths.path, paths.target(), rules, meter),
    )
}
