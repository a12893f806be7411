//! Whole files, read or written by one call.

use std::path::Path;

use super::operation::Operation;
use crate::request::Request;

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
    Operation::on("read", path).ask(|read| std::fs::read(&read.path))
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
    Operation::on("read", path).ask(|read| std::fs::read_to_string(&read.path))
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
    let contents = contents.as_ref().to_vec();
    Operation::on("write", path).act(move |write| std::fs::write(&write.path, contents))
}
