//! Requests at the file's position.

use std::io::{self, Read, SeekFrom, Write};
use std::sync::Arc;

use super::line::Place;
use super::open_file::OpenFile;
use super::{File, pieces};
use crate::event_loop::Carried;
use crate::fs::text::text;
use crate::pool::Lane;
use crate::request::{Request, on_pool};
use crate::sys;

/// A place in the line of a request, which the buffers wait for.
pub(super) struct InLine<T> {
    open: Arc<OpenFile>,
    carried: Carried,
    place: Option<Place<T>>,
}

impl<T: Send + 'static> InLine<T> {
    pub(super) fn new(
        open: &Arc<OpenFile>,
        carried: Carried,
        step: impl FnOnce(&OpenFile) -> T + Send + 'static,
    ) -> Self {
        open.buffers.lock().begin_request(carried == Carried::Out);
        Self { open: open.clone(), carried, place: Some(Place::new(open, step)) }
    }

    pub(super) fn come_up(mut self) -> T {
        self.place.take().expect("it comes up once").come_up()
    }
}

impl<T> Drop for InLine<T> {
    fn drop(&mut self) {
        drop(self.place.take());
        let left = {
            let mut buffers = self.open.buffers.lock();
            buffers.end_request(self.carried == Carried::Out);
            buffers.drain_left()
        };
        if let Some(job) = left {
            // The close that should have done it was cancelled.
            self.open.begin_alone(job);
        }
        self.open.report_untold();
        self.open.wake_all();
    }
}

impl OpenFile {
    /// Carries out `job` in the file's line, with nothing read ahead or behind.
    #[track_caller]
    pub(super) fn in_line<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        carried: Carried,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        let place = InLine::new(self, carried, move |open| {
            open.named(name, |open| {
                open.settle()?;
                job(open)
            })
        });
        on_pool(Lane::Fast, carried, move || place.come_up())
    }
}

/// Reads and writes at the file's position, which all clones share, and which moves by what was read and
/// written. They are carried out one by one, in the order of the calls.
///
/// Each takes a thread of the pool when it begins, though it may have to wait for the one before it. One that
/// waits for somebody else, as a read of a FIFO does, holds up those behind it.
impl File {
    /// Reads into `buffer`, as many bytes as it is long. It comes back with the number of bytes that were
    /// read: 0 is the end of the file, or an empty buffer; less than asked for need not be the end.
    ///
    /// The bytes behind those that were read are as they were. A failed read takes the buffer along. For
    /// `read(&mut [u8])` see the file's [`AsyncRead`](futures_io::AsyncRead).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropped before it began it reads nothing; after that, what it reads is lost, and the position has
    /// moved. `AsyncRead` loses nothing.
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_into(&self, mut buffer: Vec<u8>) -> Request<(Vec<u8>, usize)> {
        self.open_file().in_line("read", Carried::IfWanted, move |open| {
            let read = open.read(&mut buffer)?;
            Ok((buffer, read))
        })
    }

    /// As [`read_into`](Self::read_into), into several buffers: see
    /// [`read_vectored_at`](Self::read_vectored_at).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`read_into`](Self::read_into).
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn readv(&self, mut buffers: Vec<Vec<u8>>) -> Request<(Vec<Vec<u8>>, usize)> {
        self.open_file().in_line("readv", Carried::IfWanted, move |open| {
            let ahead: usize = buffers.iter_mut().map(|buffer| open.take_ahead(buffer)).sum();
            if ahead > 0 {
                return Ok((buffers, ahead));
            }
            let read = pieces::read_all(&mut buffers, sys::BUFFERS_PER_CALL, |slices| {
                sys::read_vectored(&open.file, slices)
            })?;
            Ok((buffers, read))
        })
    }

    /// Reads all that is left of the file.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`read_into`](Self::read_into).
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_rest(&self) -> Request<Vec<u8>> {
        self.open_file().in_line("read", Carried::IfWanted, OpenFile::read_rest)
    }

    /// Reads all that is left of the file, which must be UTF-8.
    ///
    /// # Errors
    /// `InvalidData` if it is not; all of it was read then.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`read_into`](Self::read_into).
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_rest_to_string(&self) -> Request<String> {
        self.open_file().in_line("read", Carried::IfWanted, |open| text(open.read_rest()?))
    }

    /// Writes all of `bytes`, and gives their number.
    ///
    /// It is carried out even if the request is dropped, and keeps the loop alive until then. If it fails, a
    /// part may have been written.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    #[track_caller]
    pub fn write(&self, bytes: impl Into<Vec<u8>>) -> Request<usize> {
        let bytes = bytes.into();
        self.open_file().in_line("write", Carried::Out, move |open| {
            (&open.file).write_all(&bytes)?;
            Ok(bytes.len())
        })
    }

    /// Writes all buffers, one after the other, and gives the number of their bytes. As
    /// [`write`](Self::write) otherwise.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    #[track_caller]
    pub fn writev(&self, buffers: Vec<Vec<u8>>) -> Request<usize> {
        self.open_file().in_line("writev", Carried::Out, move |open| {
            pieces::write_all(&buffers, sys::BUFFERS_PER_CALL, |slices| {
                sys::write_vectored(&open.file, slices)
            })?;
            Ok(buffers.iter().map(Vec::len).sum())
        })
    }

    /// Moves the position, and gives what it is then, from the beginning of the file.
    ///
    /// # Errors
    /// `InvalidInput` for a place before the beginning, besides those of the system; what can't be sought
    /// in, a pipe say, has one.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing: it is carried out.
    #[track_caller]
    pub fn seek(&self, to: SeekFrom) -> Request<u64> {
        self.open_file().in_line("seek", Carried::Out, move |open| open.seek(to))
    }
}

impl OpenFile {
    fn take_ahead(&self, buffer: &mut [u8]) -> usize {
        self.buffers.lock().take_ahead(buffer)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = self.take_ahead(buffer);
        if ahead > 0 || buffer.is_empty() {
            return Ok(ahead);
        }
        sys::read(&self.file, buffer)
    }

    fn read_rest(&self) -> io::Result<Vec<u8>> {
        let mut all = self.buffers.lock().take_all_ahead();
        (&self.file).read_to_end(&mut all)?;
        Ok(all)
    }
}
