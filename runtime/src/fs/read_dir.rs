//! A directory is read in batches.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use futures_core::Stream;
use parking_lot::Mutex;

use super::DirEntry;
use super::operation::Operation;
use crate::request::Request;
use crate::sys::{self, Directory};
use crate::task::coop;

/// The first batch is small, as many directories are; each that follows has 4 times as many entries.
const FIRST_BATCH: usize = 32;
const LARGEST_BATCH: usize = 1024;

/// Reads a directory in batches, each of them one job: at most 1,024 entries are in memory, however many
/// there are.
///
/// It is opened by the first batch, so that brings the errors of opening it.
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let mut dir = fs::read_dir(".");
///     while let Some(entry) = dir.next_entry().await? {
///         println!("{:?}", entry.path());
///     }
///     Ok(())
/// }
/// ```
pub fn read_dir(path: impl AsRef<Path>) -> ReadDir {
    let operation = Operation::on("read_dir", path);
    let dir = operation.path.as_path().into();
    let source = Source { operation, dir, reading: Mutex::new(Reading::NotBegun) };
    ReadDir { source: Arc::new(source), ready: Vec::new().into_iter(), asked: None }
}

/// A directory that is read: libuv's `uv_dir_t`. See [`read_dir`](read_dir()).
///
/// Entries come one by one, by [`next_entry`](Self::next_entry) or as a stream, or a batch at a time, by
/// [`next_batch`](Self::next_batch). They are in no order, without `.` and `..`. Of what is made, removed
/// or renamed meanwhile they may have the old, the new, neither or both, as the system has it; all else
/// comes once. After an error, and after the end, it is at its end.
///
/// Dropping it closes the directory: at once, or when the batch ends that is being read.
pub struct ReadDir {
    source: Arc<Source>,
    /// Of the last batch.
    ready: vec::IntoIter<DirEntry>,
    /// The batch that [`next_entry`](Self::next_entry) waits for.
    asked: Option<Request<Vec<DirEntry>>>,
}

struct Source {
    operation: Operation,
    dir: Arc<Path>,
    /// Locked by the job that reads.
    reading: Mutex<Reading>,
}

enum Reading {
    NotBegun,
    Open(Directory, usize),
    Ended,
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// Those of the system. `EALREADY` if a batch that somebody asked for is being read.
    ///
    /// # Cancel safety
    /// No entry is lost.
    ///
    /// # Panics
    /// If this thread has no current loop when a batch is to be read.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_entry(cx)).await
    }

    /// The next entries, as many as one job brings: libuv's `uv_fs_readdir`. None are the end. What
    /// [`next_entry`](Self::next_entry) has left of a batch is one.
    ///
    /// # Ordering
    /// The result comes in the poll phase; of a batch that is there already in the pending phase.
    ///
    /// # Errors
    /// As [`next_entry`](Self::next_entry).
    ///
    /// # Cancel safety
    /// Dropped before the job has begun, nothing is lost; later, the entries of this batch are.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs::{self, ReadDir};
    ///
    /// fn print_all(mut dir: ReadDir) {
    ///     dir.next_batch().callback(|batch| -> runtime::Result {
    ///         let batch = batch?;
    ///         batch.iter().for_each(|entry| println!("{:?}", entry.file_name()));
    ///         if !batch.is_empty() {
    ///             print_all(dir);
    ///         }
    ///         Ok(())
    ///     });
    /// }
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     print_all(fs::read_dir("."));
    /// }
    /// ```
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn next_batch(&mut self) -> Request<Vec<DirEntry>> {
        if self.ready.len() > 0 {
            return Request::done(Ok(std::mem::take(&mut self.ready).collect()));
        }
        self.asked.take().unwrap_or_else(|| self.ask())
    }

    #[track_caller]
    fn ask(&self) -> Request<Vec<DirEntry>> {
        let source = self.source.clone();
        self.source.operation.clone().ask(move |_| source.read())
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        if self.ready.len() == 0 {
            let asked = self.asked.take().unwrap_or_else(|| self.ask());
            let batch = ready!(Pin::new(self.asked.insert(asked)).poll(cx));
            self.asked = None;
            self.ready = batch?.into_iter();
            return Poll::Ready(Ok(self.ready.next()));
        }
        ready!(coop::poll_proceed(cx));
        Poll::Ready(Ok(self.ready.next()))
    }
}

impl Source {
    /// In the pool: one batch.
    fn read(&self) -> io::Result<Vec<DirEntry>> {
        let mut reading = self.reading.try_lock().ok_or_else(sys::already)?;
        let batch = reading.batch(self);
        if batch.as_ref().map_or(true, Vec::is_empty) {
            *reading = Reading::Ended;
        }
        batch
    }
}

impl Reading {
    fn batch(&mut self, source: &Source) -> io::Result<Vec<DirEntry>> {
        if let Self::NotBegun = self {
            *self = Self::Open(Directory::open(&source.operation.path, true)?, FIRST_BATCH);
        }
        let Self::Open(directory, size) = self else { return Ok(Vec::new()) };
        let mut batch = Vec::with_capacity(*size);
        while batch.len() < *size
            && let Some(found) = directory.next()
        {
            batch.push(DirEntry::new(&source.dir, found?));
        }
        *size = (*size * 4).min(LARGEST_BATCH);
        Ok(batch)
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_entry(cx).map(Result::transpose)
    }
}

impl std::fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadDir").field(&self.source.operation.path).finish()
    }
}
