//! The names of files: given, taken, asked for.

use std::path::{Path, PathBuf};

use super::operation::Operation;
use crate::request::Request;
use crate::sys;

/// Renames a file or directory. A file that is at `to` is replaced.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Request<()> {
    Operation::between("rename", from, to)
        .act(|rename| std::fs::rename(&rename.path, rename.target()))
}

/// Renames a file or directory, unless something is at `to`; one step for the system, with nothing in between.
///
/// # Errors
/// `AlreadyExists` if something is there, besides those of the system. `InvalidInput` on file systems that have no
/// such call.
///
/// # Platform notes
/// Linux and macOS; elsewhere `Unsupported`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn rename_no_replace(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Request<()> {
    Operation::between("rename_no_replace", from, to)
        .act(|rename| sys::rename_no_replace(&rename.path, rename.target()))
}

/// Removes a file, or a symbolic link: libuv's and Node's `unlink`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> Request<()> {
    Operation::on("remove_file", path).act(|remove| std::fs::remove_file(&remove.path))
}

/// Gives the file at `original` another name, `link`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Request<()> {
    Operation::between("hard_link", original, link)
        .act(|link| std::fs::hard_link(&link.path, link.target()))
}

/// Makes a symbolic link at `link` that says `original`: a path as seen from where `link` is, be something
/// there or not.
///
/// # Platform notes
/// Unix. Windows has `symlink_file` and `symlink_dir`.
///
/// # Panics
/// If this thread has no current loop.
#[cfg(unix)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Request<()> {
    Operation::between("symlink", original, link)
        .act(|link| std::os::unix::fs::symlink(&link.path, link.target()))
}

/// Makes a symbolic link at `link` to a file at `original`.
///
/// # Platform notes
/// Windows, where it takes a privilege or the developer mode.
///
/// # Panics
/// If this thread has no current loop.
#[cfg(windows)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn symlink_file(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Request<()> {
    Operation::between("symlink_file", original, link)
        .act(|link| std::os::windows::fs::symlink_file(&link.path, link.target()))
}

/// Makes a symbolic link at `link` to a directory at `original`.
///
/// # Platform notes
/// Windows, where it takes a privilege or the developer mode.
///
/// # Panics
/// If this thread has no current loop.
#[cfg(windows)]
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn symlink_dir(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Request<()> {
    Operation::between("symlink_dir", original, link)
        .act(|link| std::os::windows::fs::symlink_dir(&link.path, link.target()))
}

/// What a symbolic link says.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> Request<PathBuf> {
    Operation::on("read_link", path).ask(|asked| std::fs::read_link(&asked.path))
}

/// The absolute path, without `.`, `..` and symbolic links: libuv's and Node's `realpath`. All of it has
/// to be there.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> Request<PathBuf> {
    Operation::on("canonicalize", path).ask(|asked| std::fs::canonicalize(&asked.path))
}
