//! Files that go when they are no longer needed.

use std::path::{Path, PathBuf};

use super::{Remains, at_free_name};
use crate::fs::File;
use crate::fs::operation::Operation;
use crate::request::Request;
use crate::sys;

/// Makes a file at `prefix` and 12 random letters, which goes with the [`TempFile`].
///
/// The prefix is as for [`mkdtemp`](super::mkdtemp). The file is open to read and write; on Unix nobody else may
/// open it (mode 0600).
///
/// # Cancel safety
/// If the request is dropped, no file stays.
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
///     let file = fs::mkstemp(std::env::temp_dir().join("app-")).await?;
///     file.file().write_all_at("a note", 0).await?;
///     assert_eq!(fs::read(file.path()).await?, b"a note");
///     file.close().await?;
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nothing is made"]
#[track_caller]
pub fn mkstemp(prefix: impl AsRef<Path>) -> Request<TempFile> {
    Operation::on("mkstemp", prefix).act(|make| {
        let (path, file) = at_free_name(&make.path, sys::create_private_file)?;
        let file = File::from_std(file, &path);
        Ok(TempFile(Some((file, Remains::file(path)))))
    })
}

/// A file that is removed when this is dropped; as for [`TempDir`](super::TempDir), a drop does not wait.
#[derive(Debug)]
pub struct TempFile(
    /// Until it is closed or kept.
    Option<(File, Remains)>,
);

impl TempFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.parts().1.path()
    }

    /// The open file. A clone of it stays open when this has gone.
    pub fn file(&self) -> &File {
        &self.parts().0
    }

    /// The open file, and where it is; it stays there.
    pub fn keep(mut self) -> (File, PathBuf) {
        let (file, remains) = self.take();
        (file, remains.keep())
    }

    /// Closes and removes it, and tells when that is done.
    ///
    /// It is carried out even if the request is dropped; what was cancelled is removed as by a drop.
    ///
    /// # Errors
    /// Those of the system: `NotFound` if it is gone already.
    ///
    /// # Panics
    /// If this thread has no current loop; it is removed all the same.
    #[must_use = "await it, give it a callback, or `detach` it"]
    #[track_caller]
    pub fn close(mut self) -> Request<()> {
        let (file, remains) = self.take();
        Operation::on("close", remains.path()).act(move |_| {
            drop(file);
            remains.remove()
        })
    }

    fn parts(&self) -> &(File, Remains) {
        self.0.as_ref().expect("they are taken by what consumes this")
    }

    fn take(&mut self) -> (File, Remains) {
        self.0.take().expect("they are taken by what consumes this")
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some((file, remains)) = self.0.take() {
            drop(file);
            remains.remove_later();
        }
    }
}
