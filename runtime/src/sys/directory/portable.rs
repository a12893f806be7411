//! Directories by the standard library.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{ErrorAt, Found};

/// What is no other file's while this one is there: its path, without links.
pub(crate) type FileId = PathBuf;

/// A directory that is read.
pub(crate) struct Directory {
    entries: std::fs::ReadDir,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory at `path`. `through_link`: a link to one will do.
    pub(crate) fn open(path: &Path, through_link: bool) -> io::Result<Self> {
        if !through_link && std::fs::symlink_metadata(path)?.is_symlink() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { entries: std::fs::read_dir(path)?, path: path.to_owned() })
    }

    /// What is there besides, in no order; without the directory itself and the one above it.
    pub(crate) fn next(&mut self) -> Option<io::Result<Found>> {
        let found = |entry: std::fs::DirEntry| {
            let file_type = entry.file_type()?.into();
            Ok(Found { name: entry.file_name(), file_type })
        };
        Some(self.entries.next()?.and_then(found))
    }

    /// Which one it is.
    pub(crate) fn id(&self) -> io::Result<FileId> {
        std::fs::canonicalize(&self.path)
    }
}

/// Whether there is no directory where one was a moment ago: it went, or something else took its place.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Removes the directory at `path` and all that is in it, in one step.
pub(crate) fn remove_tree(
    path: &Path,
    mut go_on: impl FnMut() -> io::Result<()>,
) -> Result<(), ErrorAt> {
    let removed = go_on().and_then(|()| std::fs::remove_dir_all(path));
    removed.map_err(|error| (path.to_owned(), error))
}
