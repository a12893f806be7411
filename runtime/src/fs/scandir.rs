//! A directory is listed.

use std::path::Path;
use std::sync::Arc;

use super::DirEntry;
use super::operation::Operation;
use crate::request::Request;
use crate::sys::Directory;

/// How many entries are a step.
const STEP: usize = 1024;

/// Lists a directory: all its entries, sorted by the bytes of their names, without `.` and `..`. It is one
/// job; for a directory that may be large there is [`read_dir`](super::read_dir()).
///
/// Of what is made, removed or renamed meanwhile it may have the old, the new, neither or both, as the
/// system has it; all else is there once.
///
/// # Ordering
/// The result comes in the poll phase.
///
/// # Cancel safety
/// Dropped or cancelled, it ends within 1,024 entries.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::fs;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     for entry in fs::scandir(".").await? {
///         println!("{:?} {:?}", entry.file_type(), entry.file_name());
///     }
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn scandir(path: impl AsRef<Path>) -> Request<Vec<DirEntry>> {
    Operation::on("scandir", path).ask_in_steps(|asked, steps| {
        let mut directory = Directory::open(&asked.path, true)?;
        let (dir, mut entries): (Arc<Path>, _) = (asked.path.as_path().into(), Vec::new());
        while let Some(found) = directory.next() {
            if entries.len() % STEP == 0 {
                steps.go_on()?;
            }
            entries.push(DirEntry::new(&dir, found?));
        }
        entries.sort_unstable_by(|one, other| one.file_name().cmp(other.file_name()));
        Ok(entries)
    })
}
