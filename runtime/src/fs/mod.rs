//! Files, through the pool: std's names, each call a [`Request`].
//!
//! A whole operation is one job: reading a file opens, reads and closes it without coming back to the
//! loop in between. Errors are those of the system.
//!
//! Nothing is read any more for a request that was dropped before its job began; a write is carried
//! out in any case.

use std::fs::Metadata;
use std::path::Path;

use crate::event_loop::Carried;
use crate::pool::Lane;
use crate::request::{Request, on_pool};

/// Reads a whole file.
///
/// # Ordering
/// The result comes in the poll phase.
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
    let path = path.as_ref().to_owned();
    on_pool(Lane::Fast, Carried::IfWanted, move || std::fs::read(path))
}

/// Reads a whole file of UTF-8.
///
/// # Errors
/// `InvalidData` if it is no UTF-8, besides those of the system.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nothing is read"]
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Request<String> {
    let path = path.as_ref().to_owned();
    on_pool(Lane::Fast, Carried::IfWanted, move || std::fs::read_to_string(path))
}

/// Writes a whole file: makes it, or replaces what is in it.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Request<()> {
    let (path, contents) = (path.as_ref().to_owned(), contents.as_ref().to_vec());
    on_pool(Lane::Fast, Carried::Out, move || std::fs::write(path, contents))
}

/// What the system knows of a file; symbolic links are followed.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> Request<Metadata> {
    let path = path.as_ref().to_owned();
    on_pool(Lane::Fast, Carried::IfWanted, move || std::fs::metadata(path))
}
