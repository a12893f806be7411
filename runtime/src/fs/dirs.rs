//! Directories are made and removed.

use std::path::Path;

use super::operation::Operation;
use crate::request::Request;

/// Makes a directory. Its mode is 0o777 without the bits of the process's umask; for another one there is
/// [`DirBuilder`].
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then.
///
/// # Errors
/// `AlreadyExists`, whatever is there; `NotFound` if the directory it should be in is not there.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> Request<()> {
    Operation::on("create_dir", path).act(|create| std::fs::create_dir(&create.path))
}

/// Makes a directory, and those above it that are not there. One that is there already will do.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then.
///
/// # Errors
/// `AlreadyExists` if something else than a directory is there; `NotADirectory` if it is so further up.
/// What was made before an error stays.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> Request<()> {
    Operation::on("create_dir_all", path).act(|create| std::fs::create_dir_all(&create.path))
}

/// Removes a directory that is empty.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then.
///
/// # Errors
/// `DirectoryNotEmpty`; `NotADirectory` of anything else, a link to a directory included.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> Request<()> {
    Operation::on("remove_dir", path).act(|remove| std::fs::remove_dir(&remove.path))
}

/// How directories are made, as [`std::fs::DirBuilder`].
///
/// # Examples
/// ```
/// use runtime::fs::{self, DirBuilder};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let top = std::env::temp_dir().join(format!("dir-builder-{}", std::process::id()));
///     let mut private = DirBuilder::new();
///     #[cfg(unix)]
///     private.mode(0o700);
///     private.recursive(true).create(top.join("a/b")).await?;
///     fs::remove_dir_all(top).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DirBuilder {
    is_recursive: bool,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no modes"))]
    mode: u32,
}

impl DirBuilder {
    /// One directory, of mode 0o777.
    #[expect(clippy::new_without_default, reason = "std's has none either")]
    pub fn new() -> Self {
        Self { is_recursive: false, mode: 0o777 }
    }

    /// Whether those above it are made, too, if they are not there. One that is there already is no error
    /// then.
    pub fn recursive(&mut self, on: bool) -> &mut Self {
        self.is_recursive = on;
        self
    }

    /// The mode of what is made, those above included. The process's umask takes bits from it, the
    /// system knows no others than 0o1777.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Makes a directory so.
    ///
    /// It is carried out even if the request is dropped, and keeps the loop alive until then.
    ///
    /// # Errors
    /// As [`create_dir`], or [`create_dir_all`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, give it a callback, or `detach` it"]
    #[track_caller]
    pub fn create(&self, path: impl AsRef<Path>) -> Request<()> {
        let name = if self.is_recursive { "create_dir_all" } else { "create_dir" };
        let builder = self.of_std();
        Operation::on(name, path).act(move |create| builder.create(&create.path))
    }

    fn of_std(&self) -> std::fs::DirBuilder {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.is_recursive);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, self.mode);
        builder
    }
}
