//! Files and directories that go when they are no longer needed.
//!
//! ```text
//!   mkdtemp(prefix) ──▶ TempDir ──┬─ drop    a job of the pool removes it; without a loop, the drop does
//!   mkstemp(prefix) ──▶ TempFile  ├─ close   the same, with a result
//!                                 └─ keep    it stays
//! ```
//!
//! What is to be removed is owned by one value at a time (`Remains`), which removes it in its own drop: that of
//! the handle, or the job's. So a job that never runs removes it, too.

mod dir;
mod file;
mod name;
mod remains;

pub use dir::{TempDir, mkdtemp};
pub use file::{TempFile, mkstemp};
pub(super) use name::at_free_name;
pub(super) use remains::Remains;
