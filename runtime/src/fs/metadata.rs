//! What the system knows of a file.

use std::fs::Metadata;
use std::path::Path;

use super::operation::Operation;
use crate::request::Request;

/// What the system knows of a file; symbolic links are followed.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> Request<Metadata> {
    Operation::on("metadata", path).ask(|asked| std::fs::metadata(&asked.path))
}
