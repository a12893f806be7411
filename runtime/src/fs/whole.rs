//! Whole files, read or written by one call.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use super::operation::Operation;
use super::text::text;
use crate::pool::Steps;
use crate::request::Request;

/// Between two steps a read looks whether it is to go on. Each begins with short reads, as std's does of a file
/// whose length it does not know: with steps of 512 KiB, Node's, a read of 100 MB took a quarter longer than std's,
/// with these 3 % longer.
const STEP: u64 = 8 * 1024 * 1024;

/// Up to this length a file is read by one call. That saves one of five, and costs that the room is filled with
/// zeros before.
const SMALL: u64 = 64 * 1024;

/// Reads a whole file: Node's `readFile`.
///
/// It is read until it ends, whatever length it had at first. What has no end (`/dev/zero`) is read until the
/// memory is used up, or the request is dropped: [`read_limited`] has a limit.
///
/// # Ordering
/// The result comes in the poll phase.
///
/// # Errors
/// `OutOfMemory` if there is no room for a file of its length, besides those of the system.
///
/// # Cancel safety
/// Dropped or cancelled, it ends after at most 8 MiB more; but not while it waits for the system, as for a
/// FIFO that nobody writes to.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// fn main() {
///     runtime::fs::read("Cargo.toml").callback(|bytes| match bytes {
///         Ok(bytes) => println!("{} bytes", bytes.len()),
///         Err(error) => eprintln!("Cargo.toml: {error}"),
///     });
/// }
/// ```
#[must_use = "await it, give it a callback, or nothing is read"]
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Request<Vec<u8>> {
    Operation::on("read", path).ask_in_steps(|read, steps| read_all(&read.path, u64::MAX, steps))
}

/// Reads a whole file that has at most `limit` bytes.
///
/// What is longer, be it endless, takes no more memory than that.
///
/// # Errors
/// `FileTooLarge` if it has more, besides those of [`read`].
///
/// # Cancel safety
/// That of [`read`].
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() {
///     assert!(runtime::fs::read_limited("Cargo.toml", 1024 * 1024).await.is_ok());
///     let error = runtime::fs::read_limited("Cargo.toml", 3).await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
/// }
/// ```
#[must_use = "await it, give it a callback, or nothing is read"]
#[track_caller]
pub fn read_limited(path: impl AsRef<Path>, limit: u64) -> Request<Vec<u8>> {
    Operation::on("read_limited", path)
        .ask_in_steps(move |read, steps| read_all(&read.path, limit, steps))
}

/// Reads a whole file of UTF-8.
///
/// # Errors
/// `InvalidData` if it is no UTF-8, besides those of [`read`].
///
/// # Cancel safety
/// That of [`read`].
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nothing is read"]
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Request<String> {
    Operation::on("read_to_string", path)
        .ask_in_steps(|read, steps| text(read_all(&read.path, u64::MAX, steps)?))
}

/// Reads the lines of a whole file of UTF-8, without their ends: `\n` or `\r\n`, as
/// [`str::lines`] has it.
///
/// # Errors
/// `InvalidData` if it is no UTF-8, besides those of [`read`].
///
/// # Cancel safety
/// That of [`read`].
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let lines = runtime::fs::read_lines("Cargo.toml").await?;
///     assert!(lines.iter().any(|line| line == "[package]"));
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nothing is read"]
#[track_caller]
pub fn read_lines(path: impl AsRef<Path>) -> Request<Vec<String>> {
    Operation::on("read_lines", path).ask_in_steps(|read, steps| {
        let text = text(read_all(&read.path, u64::MAX, steps)?)?;
        Ok(text.lines().map(str::to_owned).collect())
    })
}

/// Writes a whole file: makes it, or replaces what is in it.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then. If it fails
/// half-way the file has what was written until then: [`write_atomic`](super::write_atomic) leaves
/// the old one.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Request<()> {
    let contents = contents.as_ref().to_vec();
    Operation::on("write", path).act(move |write| std::fs::write(&write.path, contents))
}

/// Writes at the end of a file, which is made if it is not there: Node's `appendFile`.
///
/// Several that are under way at a time may end in any order. On Unix, what one writes stays together
/// if the system takes it at once, as local file systems do.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// # #[runtime::main]
/// # async fn main() -> runtime::Result {
/// # let dir = runtime::fs::mkdtemp(std::env::temp_dir().join("append-")).await?;
/// let log = dir.path().join("log");
/// runtime::fs::append(&log, "one\n").await?;
/// runtime::fs::append(&log, "two\n").await?;
/// assert_eq!(runtime::fs::read_lines(&log).await?, ["one", "two"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn append(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Request<()> {
    let contents = contents.as_ref().to_vec();
    Operation::on("append", path).act(move |append| {
        OpenOptions::new().append(true).create(true).open(&append.path)?.write_all(&contents)
    })
}

/// Cuts a file off at `len` bytes, or lengthens it to that with zeros.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn truncate(path: impl AsRef<Path>, len: u64) -> Request<()> {
    Operation::on("truncate", path)
        .act(move |truncate| OpenOptions::new().write(true).open(&truncate.path)?.set_len(len))
}

/// Reads until the end is there: the length that the system tells may be 0 (`/proc`), and may change.
fn read_all(path: &Path, limit: u64, steps: &Steps) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    // What others say of their length is no number of bytes to be read.
    let expected = if found.is_file() { found.len() } else { 0 };
    if expected > limit {
        return Err(too_large(limit));
    }
    steps.go_on()?;
    let mut bytes = Vec::new();
    if (1..=SMALL).contains(&expected) {
        bytes = read_small(&file, expected as usize)?;
        if bytes.len() as u64 == expected {
            return Ok(bytes);
        }
    } else {
        bytes.try_reserve_exact(usize::try_from(expected).unwrap_or(usize::MAX))?;
    }
    loop {
        steps.go_on()?;
        // One more than may be there, to see that it is.
        let room = limit.saturating_sub(bytes.len() as u64).saturating_add(1);
        let step = STEP.min(room);
        let read = Read::take(&file, step).read_to_end(&mut bytes)? as u64;
        if bytes.len() as u64 > limit {
            return Err(too_large(limit));
        }
        if read < step {
            return Ok(bytes);
        }
    }
}

/// Reads once, with room for a byte more than there should be: if that stays free, and all the others do not, the
/// file ends there, and nobody need ask again.
fn read_small(mut file: &File, expected: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; expected + 1];
    let read = match file.read(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::Interrupted => 0,
        read => read?,
    };
    bytes.truncate(read);
    Ok(bytes)
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("longer than the limit of {limit} bytes"))
}
