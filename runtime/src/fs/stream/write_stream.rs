//! A file that is written as a stream.

use std::io::{self, IoSlice};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::WriteStreamOptions;
use super::writer::Writer;
use crate::error::Outcome;
use crate::handle::handle_type;
use crate::net::ByteStream;
use crate::request::Request;

handle_type! {
    /// A file that is written as a stream, for callbacks and tasks: Node's `fs.createWriteStream`.
    ///
    /// It is made by [`write_stream`], or by [`WriteStream::options`]. The pool opens the file, and writes by one
    /// job all that is queued when the job runs: many small writes are one call of the system. What is written
    /// is in order.
    ///
    /// All byte streams and [`ReadStream`](super::ReadStream) can be piped to it: `pipe_to`, [`io::pipe`](crate::io::pipe).
    ///
    /// # Lifetime
    /// What was accepted keeps the loop alive until it is written, whoever dropped or unreferenced what. The stream closes its
    /// file by [`finish`](Self::finish), which alone tells the errors of that; with its last owner, when all is
    /// written; and after an error.
    ///
    /// `close` gives up what no job has begun with: a part of the file may be written then, and the requests are told
    /// [`Cancelled`](crate::Cancelled). What a job has begun with is carried out.
    ///
    /// # The end of the loop
    /// A loop that ends before (by [`exit`](crate::exit), an error, a main that is not waited for) writes what was accepted
    /// before it is gone, on its thread: nothing is lost unless the process is killed. Only where the file is none that
    /// is written without waiting for others (a FIFO, a device), the pool goes on with it, for as long as the process
    /// lives. The requests are told [`LoopGone`](crate::LoopGone).
    ///
    /// # Errors
    /// Each names the path: see [`fs::Error`](crate::fs::Error). The first one ends the stream, also that of the open: every request
    /// that is under way ends with it, and so does everything that is asked for later. What was written before, `ENOSPC`
    /// say, stays in the file, and the requests for that have succeeded. If no request is under way, and nothing is asked
    /// for later, [`closed`](Self::closed) tells it.
    ///
    /// # Platform notes
    /// A FIFO blocks its thread of the pool in the open, until somebody opens the other end, and in each
    /// write that its reader has no room for. Closing the stream lets go of the loop, which ends without
    /// waiting for it; the thread stays blocked. [`Pipe`](crate::net::Pipe) writes to one without a thread.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     # let path = std::env::temp_dir().join(format!("write-stream-{}", std::process::id()));
    ///     # let path = path.as_path();
    ///     let stream = fs::write_stream(path);
    ///     for line in 1..=1_000 {
    ///         stream.write(format!("{line}\n"));
    ///         if stream.is_full() {
    ///             stream.drained().await?;
    ///         }
    ///     }
    ///     stream.finish().await?;
    ///     assert_eq!(stream.bytes_written(), 3_893);
    ///     # std::fs::remove_file(path)
    /// }
    /// ```
    WriteStream, Writer
}

/// Opens a file, to be written as a stream from its beginning: it is made, or what is in it is cut off. Node's
/// `fs.createWriteStream`.
///
/// The open begins at once, in the pool. [`WriteStream::options`] has other ways.
///
/// # Errors
/// The stream's requests get them all, those of the open too.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn write_stream(path: impl AsRef<Path>) -> WriteStream {
    WriteStreamOptions::new().open(path)
}

/// What it is.
impl WriteStream {
    /// Other ways to write a file: as [`WriteStreamOptions::new`].
    pub fn options() -> WriteStreamOptions {
        WriteStreamOptions::new()
    }

    /// The path of the file, as it was given.
    pub fn path(&self) -> &Path {
        self.0.work.path()
    }

    /// How many bytes are written, as far as the loop knows.
    pub fn bytes_written(&self) -> u64 {
        self.0.queue.with(|queue| queue.written)
    }
}

/// Writing, for callbacks and tasks alike.
///
/// [`AsyncWrite`](futures_io::AsyncWrite) is there too: `poll_write` waits while the stream is full, `poll_flush` until
/// all is written, `poll_close` is [`finish`](Self::finish).
impl WriteStream {
    /// Writes all of `data`, which is copied, in the order of the calls.
    ///
    /// The result need not be used; what is queued is written all the same. Awaiting each is slow, a job for
    /// each; [`is_full`](Self::is_full) and [`drained`](Self::drained) are the back-pressure.
    ///
    /// # Ordering
    /// Requests of one stream are done in order, in the poll phase; with no data and nothing queued, in the
    /// pending phase.
    ///
    /// # Errors
    /// Those of the stream, see above; `EPIPE` after [`finish`](Self::finish); [`QueueFull`](crate::QueueFull), which
    /// closes the stream; [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// Bytes that are queued stay queued when the future is dropped.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Request<()> {
        self.0.write(&[data.as_ref()])
    }

    /// Writes all of several buffers, as one [`write`](Self::write). Any number of them.
    pub fn write_vectored(&self, data: &[IoSlice<'_>]) -> Request<()> {
        self.0.write(&slices_of(data))
    }

    /// Whether more is queued than the [high-water mark](WriteStreamOptions::high_water_mark): time to wait for
    /// [`drained`](Self::drained), or to pause what is read for this.
    pub fn is_full(&self) -> bool {
        self.0.queue.with(|queue| queue.is_full())
    }

    /// Done when nothing is queued.
    ///
    /// # Errors
    /// What ended the stream; [`Closed`](crate::Closed).
    pub fn drained(&self) -> Request<()> {
        self.0.drained()
    }

    /// Calls `f` each time the queue is empty again after the stream was full: written, or dropped since
    /// writing failed. A second call replaces `f`.
    ///
    /// # Ordering
    /// In the poll phase, after the requests of what was written.
    pub fn on_drain<R: Outcome>(&self, f: impl FnMut(&Self) -> R + 'static) {
        self.0.on_drain(f);
    }

    /// Sets the high-water mark, in bytes.
    pub fn set_high_water(&self, bytes: usize) {
        self.0.queue.with(|queue| queue.high_water = bytes);
    }

    /// Sets the hard limit of the queue, in bytes; default 64 MiB. A write on top of more than that fails
    /// with [`QueueFull`](crate::QueueFull) and closes the stream, with what is queued: a disk that is slow can't exhaust
    /// memory, whatever the program does. A million (2^20) writes that are queued are too many in any case.
    pub fn set_write_limit(&self, bytes: usize) {
        self.0.queue.with(|queue| queue.limit = bytes);
    }

    /// Bytes that are queued, or being written.
    pub fn write_queue_size(&self) -> usize {
        self.0.queue.with(|queue| queue.size())
    }

    /// Ends the file: done when everything is written, [brought to the disk](WriteStreamOptions::sync_at_end) if that is
    /// asked for, and the file is closed. The stream closes then. Asked again it is done at the same time.
    ///
    /// # Ordering
    /// In the poll phase, after the requests of what was written.
    ///
    /// # Errors
    /// Those of the stream, and those of closing the file, which some network file systems have;
    /// [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    pub fn finish(&self) -> Request<()> {
        self.0.finish()
    }

    /// The same as [`finish`](Self::finish), by the name that the other byte streams have for their end.
    pub fn shutdown(&self) -> Request<()> {
        self.0.finish()
    }
}

fn slices_of<'a>(data: &'a [IoSlice<'_>]) -> Vec<&'a [u8]> {
    data.iter().map(|slice| &**slice).collect()
}

impl crate::net::stream::sealed::Sealed for WriteStream {}

impl ByteStream for WriteStream {
    fn put(&self, data: &[u8]) -> Request<()> {
        self.write(data)
    }

    fn has_much_queued(&self) -> bool {
        self.is_full()
    }

    fn when_drained(&self) -> Request<()> {
        self.drained()
    }

    fn end(&self) -> Request<()> {
        self.finish()
    }

    fn why_ended(&self) -> Option<io::Error> {
        self.0.failure()
    }
}

/// Gives the trait to the type and to its reference.
macro_rules! async_write {
    ($($name:ty),*) => {$(
        impl futures_io::AsyncWrite for $name {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write(cx, &[data])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write(cx, &slices_of(data))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_flush(cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_close(cx)
            }
        }
    )*};
}
async_write!(WriteStream, &WriteStream);
