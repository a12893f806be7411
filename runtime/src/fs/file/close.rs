//! The end of a file, and what of it goes on elsewhere.

use std::io;
use std::sync::Arc;

use super::File;
use super::at_position::InLine;
use super::open_file::OpenFile;
use crate::event_loop::Carried;
use crate::fs::operation::Operation;
use crate::pool::Lane;
use crate::request::{Request, on_pool};
use crate::sys;

/// The end of a file.
///
/// A file that is dropped closes with its last clone and its last operation, on the thread that lets it go;
/// the system's error of that is lost, and few systems have one.
impl File {
    /// Closes the file in the pool, and tells what the system says to that. What was accepted by
    /// `poll_write` is written before.
    ///
    /// If there are other clones, or operations at an offset are under way, the descriptor stays open
    /// until they are gone; then this tells the errors of what was written only.
    ///
    /// # Errors
    /// That of bytes which were accepted and could not be written; that of the close, which some network file
    /// systems have. The file is closed in any case.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    #[track_caller]
    pub fn close(self) -> Request<()> {
        self.end_with("close", |open| match Arc::into_inner(open) {
            Some(OpenFile { file, .. }) => sys::close(file),
            None => Ok(()),
        })
    }

    /// The file as one of std's, which stands where this one does. What was accepted by `poll_write` is
    /// written before.
    ///
    /// If there are other clones, or operations at an offset are under way, it is a duplicate: one that shares
    /// the position with them.
    ///
    /// # Errors
    /// That of bytes which were accepted and could not be written; that of the duplicate.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request closes the file.
    #[must_use = "await it, or give it a callback"]
    #[track_caller]
    pub fn into_std(self) -> Request<std::fs::File> {
        self.end_with("into_std", |open| match Arc::try_unwrap(open) {
            Ok(OpenFile { file, .. }) => Ok(file),
            Err(open) => open.file.try_clone(),
        })
    }

    /// The file as one of std's, if it can be had at once: no clone is left, nothing is under way, read ahead
    /// or yet to be written. Else it comes back.
    ///
    /// # Errors
    /// The file itself.
    pub fn try_into_std(self) -> Result<std::fs::File, Self> {
        let is_idle = self.open_file().buffers.lock().is_idle();
        if is_idle { self.try_unwrap().map(|OpenFile { file, .. }| file) } else { Err(self) }
    }

    #[track_caller]
    fn end_with<T: Send + 'static>(
        self,
        name: &'static str,
        end: impl FnOnce(Arc<OpenFile>) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        let open = self.open_file().clone();
        let path = open.path.clone();
        // Before the last clone goes, which would have it written by a job of its own.
        let settled =
            InLine::new(&open, Carried::Out, move |open| open.named(name, OpenFile::settle));
        drop(self);
        on_pool(Lane::Fast, Carried::Out, move || {
            settled.come_up()?;
            end(open).map_err(|error| Operation::on(name, &*path).failed(error))
        })
    }
}
