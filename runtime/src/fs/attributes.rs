//! What belongs to a file besides its contents: permissions, owner, times.

use std::fs::Permissions;
use std::path::Path;

use super::operation::Operation;
use crate::request::Request;
use crate::sys::{self, FileTime};

/// Gives a file its permissions; symbolic links are followed.
///
/// # Platform notes
/// On Windows there is just one that can be set, read-only.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> Request<()> {
    Operation::on("set_permissions", path)
        .act(|set| std::fs::set_permissions(&set.path, permissions))
}

/// Gives a file the mode `mode`; symbolic links are followed.
///
/// # Platform notes
/// Unix; elsewhere there is [`set_permissions`].
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// # #[runtime::main]
/// # async fn main() -> runtime::Result {
/// # let dir = runtime::fs::mkdtemp(std::env::temp_dir().join("chmod-")).await?;
/// # let script = dir.path().join("script");
/// runtime::fs::write(&script, "#!/bin/sh\n").await?;
/// runtime::fs::chmod(&script, 0o755).await?;
/// # Ok(())
/// # }
/// ```
#[cfg(unix)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn chmod(path: impl AsRef<Path>, mode: u32) -> Request<()> {
    use std::os::unix::fs::PermissionsExt;
    Operation::on("chmod", path)
        .act(move |set| std::fs::set_permissions(&set.path, Permissions::from_mode(mode)))
}

/// Gives a file its owner and group; what is `None` stays. Symbolic links are followed.
///
/// # Platform notes
/// Unix. libuv's does nothing on Windows.
///
/// # Panics
/// If this thread has no current loop.
#[cfg(unix)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn chown(
    path: impl AsRef<Path>,
    uid: impl Into<Option<u32>>,
    gid: impl Into<Option<u32>>,
) -> Request<()> {
    let (uid, gid) = (uid.into(), gid.into());
    Operation::on("chown", path).act(move |set| std::os::unix::fs::chown(&set.path, uid, gid))
}

/// Gives a file, or the symbolic link that is there, its owner and group; what is `None` stays.
///
/// # Platform notes
/// Unix. libuv's does nothing on Windows.
///
/// # Panics
/// If this thread has no current loop.
#[cfg(unix)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn lchown(
    path: impl AsRef<Path>,
    uid: impl Into<Option<u32>>,
    gid: impl Into<Option<u32>>,
) -> Request<()> {
    let (uid, gid) = (uid.into(), gid.into());
    Operation::on("lchown", path).act(move |set| std::os::unix::fs::lchown(&set.path, uid, gid))
}

/// Gives a file or directory the times of its last access and modification; symbolic links are followed:
/// libuv's `utime`, Node's `utimes`.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::fs::{self, FileTime};
///
/// # #[runtime::main]
/// # async fn main() -> runtime::Result {
/// # let dir = fs::mkdtemp(std::env::temp_dir().join("times-")).await?;
/// # let (one, other) = (dir.path().join("one"), dir.path().join("other"));
/// # fs::write(&one, "").await?;
/// # fs::write(&other, "").await?;
/// // As `touch -r one other` does, and `touch other`.
/// let modified = fs::metadata(&one).await?.modified()?;
/// fs::set_times(&other, FileTime::Omit, modified).await?;
/// fs::set_times(&other, FileTime::Now, FileTime::Now).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn set_times(
    path: impl AsRef<Path>,
    accessed: impl Into<FileTime>,
    modified: impl Into<FileTime>,
) -> Request<()> {
    let (accessed, modified) = (accessed.into(), modified.into());
    Operation::on("set_times", path)
        .act(move |set| sys::set_times(&set.path, accessed, modified, true))
}

/// Gives a file, or the symbolic link that is there, the times of its last access and modification:
/// libuv's `lutime`, Node's `lutimes`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn set_symlink_times(
    path: impl AsRef<Path>,
    accessed: impl Into<FileTime>,
    modified: impl Into<FileTime>,
) -> Request<()> {
    let (accessed, modified) = (accessed.into(), modified.into());
    Operation::on("set_symlink_times", path)
        .act(move |set| sys::set_times(&set.path, accessed, modified, false))
}
