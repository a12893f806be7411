//! What a walk finds.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::fs::DirEntry;

/// An entry of a tree: a [`DirEntry`] and how deep it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkEntry {
    pub(super) entry: DirEntry,
    pub(super) depth: usize,
}

impl WalkEntry {
    /// How deep it is: 1 is in the root of the walk itself.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

impl Deref for WalkEntry {
    type Target = DirEntry;

    fn deref(&self) -> &DirEntry {
        &self.entry
    }
}

/// A link leads to a directory that it is in: what an error of a walk that follows links may have in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkLoop {
    pub(super) link: PathBuf,
    pub(super) leads_to: PathBuf,
}

impl WalkLoop {
    /// What `error` carries of this, if it says so.
    pub fn of(error: &io::Error) -> Option<&Self> {
        let source = error.get_ref().and_then(|inner| inner.source());
        let source = source.and_then(|source| source.downcast_ref::<io::Error>())?;
        source.get_ref()?.downcast_ref()
    }

    /// The link.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// The directory above it that it leads to.
    pub fn leads_to(&self) -> &Path {
        &self.leads_to
    }
}

impl fmt::Display for WalkLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it leads to {:?}, which it is in", self.leads_to)
    }
}

impl Error for WalkLoop {}
