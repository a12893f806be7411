//! A reader into a writer, as one operation.

use std::fmt;
use std::io;

use crate::error::Outcome;
use crate::net::pipe_to::{Steps, pipeline};
use crate::net::{ByteSource, ByteStream};
use crate::request::Request;

/// Writes everything that `reader` gives to `writer`, and ends it: Node's `stream.pipeline`. The result is the
/// number of bytes.
///
/// Reader is each byte stream ([`TcpStream`](crate::net::TcpStream), `UnixStream`, [`Pipe`](crate::net::Pipe),
/// [`StdStream`](crate::io::StdStream), `Tty`) and [`ReadStream`](crate::fs::ReadStream); writer the same, and
/// [`WriteStream`](crate::fs::WriteStream). The handles are cheap clones; who wants to keep one clones it.
///
/// - The reader pauses while the writer is full, so memory is bounded, by about the high-water marks of both.
/// - When one side fails, or is closed, the other one is closed, and the request has the error of the side that
///   failed first. What the writer had not written by then is dropped; a half-written file stays.
/// - At the end the writer is shut down: of a file everything is written and closed then. A reader that can
///   be written to as well, a socket, stays open.
/// - [`cancel`](Request::cancel) and [`abort_on`](Request::abort_on) close both sides. Dropping the request ends
///   nothing.
///
/// [`Pipeline`] has progress, and a step between the two.
///
/// # Ordering
/// The result comes after the last progress: in the pending phase after the writer's end was told.
///
/// # Errors
/// Those of reading, of writing and of ending the writer. [`Closed`](crate::Closed), or what closed it, if the
/// writer is closed; [`Cancelled`](crate::Cancelled) if the reader is, its reading is stopped, or the request is
/// cancelled. `EALREADY` if somebody reads from the reader: both are closed then, too.
///
/// That the peer of a writer is gone is seen when something is written, or when somebody reads from the writer.
///
/// # Cancel safety
/// Dropping the request ends nothing.
///
/// # Examples
/// ```
/// use runtime::{fs, io};
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     # let copy = std::env::temp_dir().join(format!("pipe-{}", std::process::id()));
///     # let copy = copy.as_path();
///     let bytes = io::pipe(fs::read_stream("Cargo.toml"), fs::write_stream(copy)).await?;
///     assert_eq!(bytes, fs::metadata(copy).await?.len());
///     # std::fs::remove_file(copy)
/// }
/// ```
pub fn pipe(reader: impl ByteSource, writer: impl ByteStream) -> Request<u64> {
    Pipeline::new(reader, writer).run()
}

/// A [`pipe`] with progress, and with a step between its two sides.
///
/// # Examples
/// ```
/// use runtime::{fs, io::Pipeline, ms, sync::AbortSignal};
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     # let copy = std::env::temp_dir().join(format!("pipeline-{}", std::process::id()));
///     # let copy = copy.as_path();
///     Pipeline::new(fs::read_stream("Cargo.toml"), fs::write_stream(copy))
///         .transform(|chunk| Ok(chunk.to_ascii_uppercase()))
///         .on_progress(|bytes| println!("{bytes} bytes"))
///         .run()
///         .abort_on(&AbortSignal::timeout(ms(5_000)))
///         .await?;
///     assert!(fs::read_to_string(copy).await?.starts_with("[PACKAGE]"));
///     # std::fs::remove_file(copy)
/// }
/// ```
#[must_use = "nothing is piped before `run`"]
pub struct Pipeline<R, W> {
    reader: R,
    writer: W,
    steps: Steps,
}

impl<R: ByteSource, W: ByteStream> Pipeline<R, W> {
    /// From `reader` to `writer`; nothing happens before [`run`](Self::run).
    pub fn new(reader: R, writer: W) -> Self {
        Self { reader, writer, steps: Steps::default() }
    }

    /// Calls `f` with the number of bytes so far, after each chunk that was given to the writer. At most the
    /// writer's queue is still to be written then.
    ///
    /// # Ordering
    /// Where the reader calls back: for a file once for each job, for others for each read. The last call has the number
    /// that is the result, which comes after it. With no bytes there is no call.
    pub fn on_progress<O: Outcome>(mut self, mut f: impl FnMut(u64) -> O + 'static) -> Self {
        self.steps.on_progress = Some(Box::new(move |bytes| f(bytes).into_result()));
        self
    }

    /// Writes what `f` makes of each chunk, in place of the chunk; an `Err` ends the pipeline with it. At the end
    /// `f` is called with an empty slice, and may give some last bytes: what a compressor has kept, say.
    ///
    /// It runs on the loop's thread: what takes long belongs into [`spawn_blocking`](crate::spawn_blocking), and
    /// a task that reads and writes by itself. A second call replaces the first.
    pub fn transform(mut self, f: impl FnMut(&[u8]) -> io::Result<Vec<u8>> + 'static) -> Self {
        self.steps.transform = Some(Box::new(f));
        self
    }

    /// Starts it: see [`pipe`].
    pub fn run(self) -> Request<u64> {
        pipeline(&self.reader, &self.writer, self.steps)
    }
}

impl<R: fmt::Debug, W: fmt::Debug> fmt::Debug for Pipeline<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Pipeline");
        all.field("reader", &self.reader).field("writer", &self.writer).finish_non_exhaustive()
    }
}
