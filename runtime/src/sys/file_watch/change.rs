//! What can happen to a file, and why it can't be watched.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What an [`FsEvent`](crate::handle::FsEvent) tells.
///
/// Paths are relative: to the directory that is watched, or, if a file is watched, to the directory it
/// is in. So a watched file has its own name, and the empty path is a watched directory itself. They
/// hold what the system says, UTF-8 or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsChange {
    /// It is there now: made, or moved here from where nobody watches.
    Created(PathBuf),
    /// Its contents changed.
    Modified(PathBuf),
    /// Its mode, owner, times or number of links changed.
    Metadata(PathBuf),
    /// It is not there any more: removed, or moved to where nobody watches.
    Removed(PathBuf),
    /// It has another name. What had that name before is replaced.
    Renamed {
        /// Its name until now.
        from: PathBuf,
        /// Its name from now on.
        to: PathBuf,
    },
    /// Changes were lost, since more came than there was room for. What is watched goes on being
    /// watched; who wants to know how it is must look.
    Overflow,
    /// A file system was unmounted there.
    Unmounted(PathBuf),
    /// The place that was watched is gone: the directory it was in was removed, moved or unmounted.
    /// Nothing more will come; the handle has stopped.
    Gone,
}

impl FsChange {
    /// The path it is about, of a rename the new one; `None` for [`Overflow`](Self::Overflow) and
    /// [`Gone`](Self::Gone).
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Created(path)
            | Self::Modified(path)
            | Self::Metadata(path)
            | Self::Removed(path)
            | Self::Unmounted(path)
            | Self::Renamed { to: path, .. } => Some(path),
            Self::Overflow | Self::Gone => None,
        }
    }
}

/// Why something is not watched; found inside of the `io::Error`, whose kind is that of the system's
/// error. That one, with its code, is the `source`.
#[derive(Debug)]
pub struct NotWatched {
    path: PathBuf,
    /// The limit that is reached, if one is.
    limit: Option<&'static str>,
    error: io::Error,
}

impl NotWatched {
    /// What was to be watched.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's error.
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for NotWatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not watched: {}", self.path.display(), self.error)?;
        match self.limit {
            Some(limit) => write!(f, "; the limit that is reached is {limit}"),
            None => Ok(()),
        }
    }
}

impl Error for NotWatched {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// An error that names what was to be watched, and the limit that is in the way, if one is.
pub(crate) fn not_watched(path: &Path, limit: Option<&'static str>, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), NotWatched { path: path.to_owned(), limit, error })
}
