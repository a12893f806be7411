//! What the clones of a `File` and its jobs share.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::event_loop::Carried;
use crate::fs::operation::Operation;
use crate::pool::Lane;
use crate::request::{Request, on_pool};

/// A descriptor, and what it was opened as.
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) path: Arc<Path>,
}

impl OpenFile {
    pub(super) fn new(file: File, path: Arc<Path>) -> Arc<Self> {
        Arc::new(Self { file, path })
    }

    /// A question: skipped if it has not begun when nobody wants the answer any more.
    #[track_caller]
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        let open = self.clone();
        on_pool(Lane::Fast, Carried::IfWanted, move || open.named(name, job))
    }

    /// What has an effect: carried out, whoever waits.
    #[track_caller]
    pub(super) fn act<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        let open = self.clone();
        on_pool(Lane::Fast, Carried::Out, move || open.named(name, job))
    }

    /// Runs the job, and names it in what fails: the path is copied only then.
    pub(super) fn named<T>(
        &self,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T>,
    ) -> io::Result<T> {
        job(self).map_err(|error| self.failed(name, error))
    }

    pub(super) fn failed(&self, name: &'static str, error: io::Error) -> io::Error {
        Operation::on(name, &*self.path).failed(error)
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("path", &self.path).finish_non_exhaustive()
    }
}
