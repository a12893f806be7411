//! Directories that go when they are no longer needed.

use std::path::{Path, PathBuf};

use super::{Remains, at_free_name};
use crate::fs::operation::Operation;
use crate::request::Request;
use crate::sys;

/// Makes a directory at `prefix` and 12 random letters, which goes with the [`TempDir`].
///
/// The prefix may be of several parts, as for Node's `mkdtemp`, and its last one is the beginning of the name:
/// `std::env::temp_dir().join("app-")` makes one in the system's place for them. On Unix nobody else may
/// enter it (mode 0700).
///
/// # Cancel safety
/// If the request is dropped, no directory stays.
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
///     let dir = fs::mkdtemp(std::env::temp_dir().join("app-")).await?;
///     fs::write(dir.path().join("note"), "a note").await?;
///     dir.close().await?;
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nothing is made"]
#[track_caller]
pub fn mkdtemp(prefix: impl AsRef<Path>) -> Request<TempDir> {
    Operation::on("mkdtemp", prefix).act(|make| {
        let (path, ()) = at_free_name(&make.path, sys::create_private_dir)?;
        Ok(TempDir { remains: Some(Remains::tree(path)) })
    })
}

/// A directory that is removed, with all that is in it, when this is dropped.
///
/// A drop does not wait: a job of the pool removes it, which keeps the loop alive until it is done. Where no loop is
/// current, or the loop has gone, the drop removes it itself. What can't be removed stays, and nobody is told:
/// [`close`](Self::close) tells. A program that ends by [`exit`](crate::exit), a signal or an abort does not wait for
/// the pool, and may leave it.
#[derive(Debug)]
pub struct TempDir {
    /// Until it is closed or kept.
    remains: Option<Remains>,
}

impl TempDir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.remains.as_ref().expect("it is taken by what consumes this").path()
    }

    /// Where it is; it stays there.
    pub fn keep(mut self) -> PathBuf {
        self.remains.take().expect("it is taken by what consumes this").keep()
    }

    /// Removes it with all that is in it, and tells when that is done.
    ///
    /// It is carried out even if the request is dropped; what was cancelled is removed as by a drop.
    ///
    /// # Errors
    /// Those of the system: `NotFound` if it is gone already. What is left then stays.
    ///
    /// # Panics
    /// If this thread has no current loop; it is removed all the same.
    #[must_use = "await it, give it a callback, or `detach` it"]
    #[track_caller]
    pub fn close(mut self) -> Request<()> {
        let remains = self.remains.take().expect("it is taken by what consumes this");
        Operation::on("close", remains.path()).act(move |_| remains.remove())
    }
}

impl AsRef<Path> for TempDir {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Some(remains) = self.remains.take() {
            remains.remove_later();
        }
    }
}
