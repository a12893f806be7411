//! A directory that is still to be read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::WalkLoop;
use crate::sys::{Directory, FileId};

/// Where a directory is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) path: Arc<Path>,
    /// That of its entries.
    pub(super) depth: usize,
    /// Where links are followed: the directories it is in.
    above: Option<Arc<Above>>,
}

/// A directory, and those above it.
struct Above {
    id: FileId,
    path: Arc<Path>,
    next: Option<Arc<Above>>,
}

impl Place {
    pub(super) fn root(path: &Path) -> Self {
        Self { path: path.into(), depth: 1, above: None }
    }

    pub(super) fn below(&self, path: PathBuf) -> Self {
        Self { path: path.into(), depth: self.depth + 1, above: self.above.clone() }
    }

    /// Goes into it; an error if it is one of those above, which a link led back to.
    pub(super) fn enter(&mut self, directory: &Directory) -> io::Result<()> {
        let id = directory.id()?;
        let mut above = &self.above;
        while let Some(one) = above {
            if one.id == id {
                let (link, leads_to) = (self.path.to_path_buf(), one.path.to_path_buf());
                let kind = io::ErrorKind::InvalidInput;
                return Err(io::Error::new(kind, WalkLoop { link, leads_to }));
            }
            above = &one.next;
        }
        let next = self.above.take();
        self.above = Some(Arc::new(Above { id, path: self.path.clone(), next }));
        Ok(())
    }
}

impl Drop for Above {
    /// One after the other: a deep tree would be a deep stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut above) = next.and_then(Arc::into_inner) {
            next = above.next.take();
        }
    }
}
