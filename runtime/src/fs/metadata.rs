//! What the system knows of files and file systems.

use std::fs::Metadata;
use std::path::Path;

use super::Access;
use super::operation::Operation;
use crate::request::Request;
use crate::sys::{self, StatFs};

/// What the system knows of a file; symbolic links are followed: libuv's and Node's `stat`.
///
/// [`Metadata`] has length, kind, permissions and times, also that of the creation where the system keeps
/// it; `MetadataExt` of `std::os` has the rest.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> Request<Metadata> {
    Operation::on("metadata", path).ask(|asked| std::fs::metadata(&asked.path))
}

/// What the system knows of a file, or of the symbolic link that is there: libuv's and Node's `lstat`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> Request<Metadata> {
    Operation::on("symlink_metadata", path).ask(|asked| std::fs::symlink_metadata(&asked.path))
}

/// Whether something is there; symbolic links are followed. tokio calls it `try_exists`.
///
/// It may be gone, or have come, when the answer is here: to open or make a file and look at the error says
/// more.
///
/// # Errors
/// Those of the system when it can't tell, as in a directory that may not be searched.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn exists(path: impl AsRef<Path>) -> Request<bool> {
    Operation::on("exists", path).ask(|asked| std::fs::exists(&asked.path))
}

/// Whether this process may do all of `access` to a file: `Ok` if so.
///
/// Asked is for the user who started the process, not for the one that a set-user-id program became.
///
/// # Errors
/// `PermissionDenied` if it may not, `ReadOnlyFilesystem` if nobody may write there, `NotFound`, and others of
/// the system.
///
/// # Platform notes
/// On Windows all but [`Access::WRITE`] is allowed if the file is there; that is refused to files
/// that are read-only. libuv asks for the same.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::fs::{self, Access};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     fs::access("Cargo.toml", Access::READ | Access::WRITE).await?;
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn access(path: impl AsRef<Path>, access: Access) -> Request<()> {
    let [read, write, execute] =
        [Access::READ, Access::WRITE, Access::EXECUTE].map(|one| access.contains(one));
    Operation::on("access", path).ask(move |asked| sys::access(&asked.path, read, write, execute))
}

/// The room of the file system that `path` is on.
///
/// # Platform notes
/// Linux, macOS, FreeBSD and DragonFly; elsewhere `Unsupported`.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     # if cfg!(target_os = "linux") {
///     let room = runtime::fs::statfs(".").await?;
///     println!("{} of {} bytes are left", room.available(), room.total());
///     # }
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn statfs(path: impl AsRef<Path>) -> Request<StatFs> {
    Operation::on("statfs", path).ask(|asked| sys::statfs(&asked.path))
}
