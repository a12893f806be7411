//! Directories: what is in them, and how a tree of them goes.

#[cfg(unix)]
mod far;
mod file_type;
#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod remove;
#[cfg(unix)]
mod unix;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

pub use file_type::FileType;
#[cfg(not(unix))]
pub(crate) use portable::*;
#[cfg(unix)]
pub(crate) use remove::remove_tree;
#[cfg(unix)]
pub(crate) use unix::*;

/// What a directory has under a name.
pub(crate) struct Found {
    pub(crate) name: OsString,
    pub(crate) file_type: FileType,
}

/// An error, and the path it came at.
pub(crate) type ErrorAt = (PathBuf, io::Error);
