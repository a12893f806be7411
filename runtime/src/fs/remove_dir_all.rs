//! A tree is removed.

use std::io;
use std::path::Path;

use super::operation::Operation;
use crate::request::Request;
use crate::sys;

/// Removes a directory and all that is in it, by one job. A link is removed itself, not what it leads to; with a
/// slash behind it is refused.
///
/// On Unix nobody who changes the tree meanwhile can lead it outside, by putting a link in the place of a
/// directory, say. What somebody else has removed is no error. It takes few descriptors and little of the
/// stack, however deep the tree is.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then;
/// [`cancel`](Request::cancel) ends it before the next entry, and what was removed by then is gone.
///
/// # Errors
/// The first of the system ends it, and an [`Error`](super::Error) in it names the path that could not be
/// removed. `NotFound` if there is nothing at `path`, `NotADirectory` if it is a file, or a
/// link with a slash behind it. If others put
/// something into a directory again and again, `DirectoryNotEmpty`. If a directory was moved away while it
/// was being emptied, it says so.
///
/// # Platform notes
/// On Windows it is one step: it can't be cancelled once it has begun, and errors name `path`.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> Request<()> {
    Operation::on("remove_dir_all", path)
        .act_in_steps(|remove, steps| remove_tree(remove.name, &remove.path, || steps.go_on()))
}

/// In the pool. An error names `name`, and the path that could not be removed.
pub(super) fn remove_tree(
    name: &'static str,
    path: &Path,
    go_on: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    sys::remove_tree(path, go_on).map_err(|(path, error)| Operation::on(name, path).failed(error))
}
