//! A file that is replaced as a whole, or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::operation::Operation;
use super::temp::{Remains, at_free_name};
use crate::pool::Steps;
use crate::request::Request;
use crate::sys;

/// Between two steps it looks whether it is to go on.
const STEP: usize = 512 * 1024;

/// As many links as Linux follows from one path.
const MAX_LINKS: usize = 40;

/// Writes a whole file so that whoever reads it, at any time, finds the old contents or the new ones; also
/// after a crash.
///
/// A file beside it is written, then flushed to the disk, then renamed. The file keeps its permissions, but it
/// is another file then: its owner is who writes it, other hard links keep the old contents, and
/// access control lists and extended attributes are not taken along. A symbolic link stays, and the file
/// that it points to is replaced. A file that is not there is made as [`write`](super::write) makes it.
///
/// What counts is the right to write in the directory, not that to write to the file.
///
/// # Errors
/// `IsADirectory` if a directory is there, `InvalidInput` for other things that are no regular files, such as a
/// device, besides those of the system. The old file is as it was then, and nothing is left beside it.
///
/// # Cancel safety
/// It is carried out even if the request is dropped. [`cancel`](Request::cancel) ends it after at most
/// 512 KiB more, with nothing left beside the old file. Only a process that ends in the middle leaves a
/// file `.tmp` and some letters.
///
/// # Platform notes
/// The name itself is flushed to the disk on Unix, where the directory can be opened.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// # #[runtime::main]
/// # async fn main() -> runtime::Result {
/// # let dir = runtime::fs::mkdtemp(std::env::temp_dir().join("atomic-")).await?;
/// let settings = dir.path().join("settings.json");
/// runtime::fs::write_atomic(&settings, r#"{ "colour": "green" }"#).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn write_atomic(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Request<()> {
    let contents = contents.as_ref().to_vec();
    Operation::on("write_atomic", path)
        .act_in_steps(move |write, steps| replace(&write.path, &contents, steps))
}

fn replace(path: &Path, contents: &[u8], steps: &Steps) -> io::Result<()> {
    let path = followed(path)?;
    let permissions = permissions(&path)?;
    let (mut file, remains) = create_beside(&path, permissions.is_some())?;
    for part in contents.chunks(STEP) {
        steps.go_on()?;
        file.write_all(part)?;
    }
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()?;
    drop(file);
    steps.go_on()?;
    std::fs::rename(remains.path(), &path)?;
    remains.keep();
    // The file is replaced, whatever comes of this: a directory that may be written in can't always be opened.
    let _ = sys::sync_dir(parent(&path));
    Ok(())
}

/// Where the links that begin at `path` end.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        // What else is wrong, who looks next is told.
        if !std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Ok(path);
        }
        path = parent(&path).join(std::fs::read_link(&path)?);
    }
    // The system says what it says of too many.
    std::fs::metadata(&path)?;
    Ok(path)
}

/// Those of the file that is to be replaced, if there is one.
fn permissions(path: &Path) -> io::Result<Option<Permissions>> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found.permissions())),
        Ok(found) if found.is_dir() => Err(sys::is_a_directory()),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A private one gets its permissions when its contents are complete.
fn create_beside(path: &Path, private: bool) -> io::Result<(File, Remains)> {
    // Not the file's own name with something behind it: that could be too long.
    let prefix = parent(path).join(".tmp");
    let (path, file) = at_free_name(&prefix, |path| {
        if private {
            sys::create_private_file(path)
        } else {
            OpenOptions::new().write(true).create_new(true).open(path)
        }
    })?;
    Ok((file, Remains::file(path)))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
