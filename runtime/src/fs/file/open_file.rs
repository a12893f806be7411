//! What the clones of a `File` and its jobs share.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::buffers::Buffers;
use super::line::{Line, Place};
use crate::event_loop::Carried;
use crate::fs::operation::Operation;
use crate::pool::Lane;
use crate::request::{Request, on_pool};

/// A descriptor, what it was opened as, and who does what with it.
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) path: Arc<Path>,
    pub(super) line: Line,
    /// Locked for moments, never during a call of the system.
    pub(super) buffers: Mutex<Buffers>,
}

impl OpenFile {
    pub(super) fn new(file: File, path: Arc<Path>) -> Arc<Self> {
        Arc::new(Self { file, path, line: Line::default(), buffers: Mutex::default() })
    }

    /// A question: skipped if it has not begun when nobody wants the answer any more. It sees what was
    /// written before, at the position.
    #[track_caller]
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        if self.is_written() {
            return self.request(Carried::IfWanted, name, job);
        }
        let place = self.behind_the_writes(name, job);
        on_pool(Lane::Fast, Carried::IfWanted, move || place.come_up())
    }

    /// Whether all that was asked for so far, at the position, is in the file.
    pub(super) fn is_written(&self) -> bool {
        self.buffers.lock().is_written()
    }

    /// A place in the line for a question that has to wait for what was accepted or asked for before.
    pub(super) fn behind_the_writes<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Place<io::Result<T>> {
        Place::new(self, move |open| {
            open.named(name, |open| {
                open.write_behind()?;
                job(open)
            })
        })
    }

    /// What has an effect on the bytes: carried out, whoever waits. What was accepted before is written
    /// before, and what was read ahead is read again.
    #[track_caller]
    pub(super) fn change<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        if self.buffers.lock().is_idle() {
            return self.act(name, job);
        }
        self.in_line(name, Carried::Out, job)
    }

    /// What has another effect: carried out, whoever waits, whatever is in the buffers.
    #[track_caller]
    pub(super) fn act<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        self.request(Carried::Out, name, job)
    }

    #[track_caller]
    fn request<T: Send + 'static>(
        self: &Arc<Self>,
        carried: Carried,
        name: &'static str,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        let open = self.clone();
        on_pool(Lane::Fast, carried, move || open.named(name, job))
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
