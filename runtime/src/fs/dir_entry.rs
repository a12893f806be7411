//! What a directory has under a name.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sys::{FileType, Found};

/// An entry of a directory, as it was when the directory was read.
#[derive(Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Shared by all entries of the directory.
    dir: Arc<Path>,
    name: OsString,
    file_type: FileType,
}

impl DirEntry {
    pub(super) fn new(dir: &Arc<Path>, found: Found) -> Self {
        Self { dir: dir.clone(), name: found.name, file_type: found.file_type }
    }

    /// Says what a link leads to.
    pub(super) fn set_file_type(&mut self, file_type: FileType) {
        self.file_type = file_type;
    }

    /// The path that the directory was asked for by, with the name.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// The path that the directory was asked for by.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name, which need not be UTF-8.
    pub fn file_name(&self) -> &OsStr {
        &self.name
    }

    /// What kind of file it is; links are not followed.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirEntry").field(&self.path()).field(&self.file_type).finish()
    }
}
