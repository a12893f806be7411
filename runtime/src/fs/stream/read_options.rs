//! How a file is streamed.

use std::fs::OpenOptions;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;

use super::ReadStream;
use super::reader::{Opening, Reader};
use super::source::{Source, no_such_bytes, place_in};
use crate::fs::File;

/// What is read at a time, and ahead: Node's `highWaterMark`.
const HIGH_WATER: usize = 64 * 1024;
/// More at a time brings nothing, and takes memory.
const MAX_HIGH_WATER: usize = 16 * 1024 * 1024;

/// How a file is streamed: from where, to where, how much at a time.
///
/// # Examples
/// ```
/// use runtime::fs::ReadStream;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let stream = ReadStream::options().range(1..8).open("Cargo.toml");
///     let mut buffer = [0; 64];
///     let read = stream.read(&mut buffer).await?;
///     assert_eq!(&buffer[..read], b"package");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ReadStreamOptions {
    start: Option<u64>,
    /// Behind the last byte.
    end: u64,
    high_water_mark: usize,
}

impl Default for ReadStreamOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadStreamOptions {
    /// All of the file, 64 KiB at a time.
    pub fn new() -> Self {
        Self { start: None, end: u64::MAX, high_water_mark: HIGH_WATER }
    }

    /// Only these bytes of the file, or what there is of them. Node's `start` and `end`, of which the end is
    /// one of the bytes, are `start..=end`.
    ///
    /// Without a start a file that was opened by its path is read as it comes, so it may be a FIFO or a
    /// terminal; to start elsewhere it must be one that can be read at any place.
    pub fn range(&mut self, range: impl RangeBounds<u64>) -> &mut Self {
        self.start = match range.start_bound() {
            Bound::Included(start) => Some(*start),
            Bound::Excluded(before) => Some(before.saturating_add(1)),
            Bound::Unbounded => None,
        };
        self.end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self
    }

    /// How many bytes are read at a time, and how many are kept that nobody took yet: Node's
    /// `highWaterMark`. 64 KiB by default; at least 1 byte, at most 16 MiB.
    pub fn high_water_mark(&mut self, bytes: usize) -> &mut Self {
        self.high_water_mark = bytes.clamp(1, MAX_HIGH_WATER);
        self
    }

    /// Opens the file, and streams it: see [`read_stream`](super::read_stream).
    ///
    /// # Errors
    /// The reader gets them all: those of the system, and `InvalidInput` for a range that ends before it
    /// begins, or begins where no file has bytes.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "nothing is read by itself"]
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> ReadStream {
        let start = self.start;
        let open = move |path: &Path| {
            let file = OpenOptions::new().read(true).open(path)?;
            Opening::of(Source::own(file), start)
        };
        ReadStream(Reader::make(path.as_ref(), self, open))
    }

    /// Streams an open file, from the beginning of the range, or of the file. Its position is neither used nor
    /// moved, unless it has none (a FIFO). It stays open with its other clones.
    ///
    /// What the file has accepted by `poll_write` and not written yet is not seen: flush it before.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "nothing is read by itself"]
    #[track_caller]
    pub fn of_file(&self, file: &File) -> ReadStream {
        let (descriptor, start) = (file.descriptor(), self.start.unwrap_or(0));
        let open = move |_: &Path| {
            let start = place_in(&descriptor, start);
            Opening::of(Source::Given(descriptor), start)
        };
        ReadStream(Reader::make(file.path(), self, open))
    }

    /// How many bytes are asked for, or why that makes no sense.
    pub(super) fn length(&self) -> io::Result<u64> {
        let start = self.start.unwrap_or(0);
        if start > self.end || i64::try_from(start).is_err() {
            return Err(no_such_bytes(&format!("the bytes from {start} to {}", self.end)));
        }
        Ok(self.end - start)
    }

    pub(super) fn chunk(&self) -> usize {
        self.high_water_mark
    }
}
