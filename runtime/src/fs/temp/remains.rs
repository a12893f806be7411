//! What is to be removed.

use std::io;
use std::path::{Path, PathBuf};

use crate::event_loop::{Carried, try_current};
use crate::fs::remove_dir_all::remove_tree;
use crate::pool::Lane;
use crate::request::on_pool;

/// A file or a tree that its last owner removes, wherever that one is dropped.
#[derive(Debug)]
pub(in crate::fs) struct Remains {
    path: PathBuf,
    remove: fn(&Path) -> io::Result<()>,
    is_left: bool,
}

impl Remains {
    pub(in crate::fs) fn file(path: PathBuf) -> Self {
        Self { path, remove: |path| std::fs::remove_file(path), is_left: true }
    }

    pub(super) fn tree(path: PathBuf) -> Self {
        Self { path, remove: |path| remove_tree("close", path, || Ok(())), is_left: true }
    }

    pub(in crate::fs) fn path(&self) -> &Path {
        &self.path
    }

    /// It is not removed any more.
    pub(in crate::fs) fn keep(mut self) -> PathBuf {
        self.is_left = false;
        std::mem::take(&mut self.path)
    }

    /// Removes it now.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.is_left = false;
        (self.remove)(&self.path)
    }

    /// Has the pool remove it, if there is a loop to wait for that; else removes it now. A job that is not
    /// carried out removes it where it is dropped.
    pub(super) fn remove_later(self) {
        if try_current().is_some() {
            drop(on_pool(Lane::Fast, Carried::Out, move || {
                drop(self);
                Ok(())
            }));
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.is_left {
            // Nobody is there to be told; `close` tells.
            let _ = (self.remove)(&self.path);
        }
    }
}
