//! A file that is read as a stream.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::ReadStreamOptions;
use super::reader::Reader;
use super::reading::{copy_into, take_chunk};
use crate::base::Wakers;
use crate::error::{Outcome, Result};
use crate::handle::handle_type;
use crate::net::{ByteSource, ByteStream};
use crate::request::Request;

handle_type! {
    /// A file that is read as a stream, for callbacks and tasks: Node's `fs.createReadStream`.
    ///
    /// It is made by [`read_stream`], or by [`ReadStream::options`]. The pool opens the file and reads it, a
    /// chunk of up to 64 KiB ([the high-water mark](ReadStreamOptions::high_water_mark)) by one job. The next
    /// chunk is read while the reader works on the last one; nothing is read before somebody reads, no job
    /// begins while it is paused, and no more than one chunk is kept that nobody took.
    ///
    /// The file is read as it is at the time of each chunk: what was appended meanwhile is read too, and of one that
    /// was cut the end comes early, which is no error.
    ///
    /// # Lifetime
    /// One that is read keeps the loop alive, unless it was [`unref`](crate::handle::Handle::unref)'d. It closes
    /// its file with its last owner, by `close`, when a callback has read the end, or after an error that a
    /// callback was told. A callback that is installed, though it is paused, is an owner.
    ///
    /// # Platform notes
    /// A FIFO blocks its thread of the pool in the open, until somebody opens the other end, and in each
    /// read until something comes. Closing the stream lets go of the loop, which ends without waiting for
    /// it; the thread stays blocked. [`Pipe`](crate::net::Pipe) reads one without a thread.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let stream = fs::read_stream("Cargo.toml");
    ///     let (mut buffer, mut lines) = ([0; 1024], 0);
    ///     loop {
    ///         match stream.read(&mut buffer).await? {
    ///             0 => break,
    ///             read => lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
    ///         }
    ///     }
    ///     assert!(lines > 3);
    ///     Ok(())
    /// }
    /// ```
    ReadStream, Reader
}

/// Opens a file, and streams it from its beginning to its end: Node's `fs.createReadStream`.
///
/// The open begins at once, in the pool; nothing is read before somebody reads. [`ReadStream::options`] has
/// ranges and other sizes.
///
/// # Errors
/// The reader gets them all, those of the open too. Each names the path: see [`fs::Error`](crate::fs::Error).
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// fn main() {
///     fs::read_stream("no/such/file").read_start(|_, data| {
///         assert!(data.unwrap_err().to_string().starts_with("open \"no/such/file\": "));
///     });
/// }
/// ```
#[must_use = "nothing is read by itself"]
#[track_caller]
pub fn read_stream(path: impl AsRef<Path>) -> ReadStream {
    ReadStreamOptions::new().open(path)
}

/// What it is.
impl ReadStream {
    /// Other ways to stream a file: as [`ReadStreamOptions::new`].
    pub fn options() -> ReadStreamOptions {
        ReadStreamOptions::new()
    }

    /// The path of the file, as it was given.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// How many bytes were read from the file so far; with what was read ahead.
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read()
    }
}

/// Reading by callback.
impl ReadStream {
    /// Calls `f` with what was read, until the end, an error, or [`read_stop`](Self::read_stop).
    ///
    /// The data is lent for the call. An empty slice is the end; then `f` is dropped and the stream closes. An
    /// error closes the stream after `f` was told.
    ///
    /// # Ordering
    /// In the poll phase, one chunk for each job of the pool; what was read before the call, or while the
    /// stream was paused, comes in the pending phase. The end comes right after the last chunk and its checkpoint.
    ///
    /// # Errors
    /// `f` gets them all: those of opening and reading, with the path; in the pending phase `EALREADY` if
    /// somebody reads already, callback or task, which goes on, and [`Closed`](crate::Closed), or what closed
    /// the stream. On a loop that is gone `f` is dropped.
    pub fn read_start<R: Outcome>(&self, f: impl FnMut(&Self, io::Result<&[u8]>) -> R + 'static) {
        self.0.read_start(f);
    }

    /// Stops calling back and drops the callback. A chunk that is on its way is kept for who reads next.
    pub fn read_stop(&self) {
        self.0.read_stop();
    }

    /// Stops calling back and keeps the callback. No job begins; one that runs brings its chunk, which is kept.
    /// A paused stream does not keep the loop alive, but the loop holds it.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Goes on calling back after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.0.resume();
    }
}

/// Reading by tasks. Any number of them may wait: all are woken, in order, and who finds nothing waits on.
///
/// The traits are there too: [`AsyncRead`](futures_io::AsyncRead), and [`Stream`](futures_core::Stream) of chunks, each
/// a `Vec<u8>` that is not copied; after an error the stream of chunks is over.
impl ReadStream {
    /// Reads up to `buffer.len()` bytes; 0 is the end. With an empty buffer it waits as with any other, and
    /// takes nothing.
    ///
    /// # Errors
    /// Those of opening and reading, with the path, to each who asks. `EALREADY` while a callback reads;
    /// [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// No bytes are lost: what is on its way is kept for who reads next.
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let read = self.0.wait_for(copy_into(buffer));
        async { Ok(read.await?.unwrap_or(0)) }
    }

    /// Waits for the next chunk, or the rest of one, and lends it to `f`. An empty slice is the end.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    /// No bytes are lost.
    pub async fn read_with<R>(&self, f: impl FnOnce(&[u8]) -> R) -> io::Result<R> {
        let chunk = self.0.wait_for(take_chunk).await?.unwrap_or_default();
        let result = f(&chunk);
        self.0.recycle(chunk);
        Ok(result)
    }

    /// Writes everything that is read from here to `target`, and the end too: as
    /// [`TcpStream::pipe_to`](crate::net::TcpStream::pipe_to). For an end to both when one fails, for progress
    /// and abort, see [`io::pipe`](crate::io::pipe).
    ///
    /// # Errors
    /// Those of reading and of writing. The target stays open then. [`Cancelled`](crate::Cancelled) if this stream is closed,
    /// or its reading stopped.
    ///
    /// # Cancel safety
    /// Dropping the request ends nothing; [`read_stop`](Self::read_stop) does.
    pub fn pipe_to(&self, target: &impl ByteStream) -> Request<u64> {
        crate::net::pipe_to::pipe_to(self, target)
    }
}

impl crate::net::stream::sealed::Sealed for ReadStream {}

impl ByteSource for ReadStream {
    fn begin(&self, f: impl FnMut(&Self, io::Result<&[u8]>) -> Result + 'static) {
        self.read_start(f);
    }

    fn hold(&self) {
        self.pause();
    }

    fn go_on(&self) {
        self.resume();
    }

    fn leave(&self) {
        self.read_stop();
    }
}

impl futures_io::AsyncRead for &ReadStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = self.0.poll_ahead(cx, Wakers::register_once, copy_into(buffer));
        read.map_ok(|read| read.unwrap_or(0))
    }
}

impl futures_io::AsyncRead for ReadStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }
}

impl futures_core::Stream for &ReadStream {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_chunk(cx)
    }
}

impl futures_core::Stream for ReadStream {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_chunk(cx)
    }
}
