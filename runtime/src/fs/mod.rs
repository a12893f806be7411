//! Files, through the pool: std's names, each call a [`Request`](crate::Request).
//!
//! ```text
//!   loop                        a thread of the pool
//!   fs::copy(from, to) ───────▶ open, copy, close: the whole operation
//!   callback, or task ◀──────── one result, in the poll phase
//! ```
//!
//! A whole operation is one job: reading a file opens, reads and closes it without coming back to the
//! loop in between. Operations begin in the order they were asked for; up to as many as the pool has threads
//! run at a time, so two of them may end in any order.
//!
//! # Errors
//! Those of the system, of its kind. An [`Error`] in them says which operation failed at which path;
//! [`raw_os_error`](crate::raw_os_error) gives the system's code.
//!
//! # Cancel safety
//! A question (read, metadata) that has not begun is skipped if its request was dropped. What has an
//! effect (write, rename) is carried out in any case, and keeps the loop alive until then; only
//! [`cancel`](crate::Request::cancel) stops it, while it has not begun.

mod copy;
mod dir_entry;
mod dirs;
mod error;
mod metadata;
mod operation;
mod read_dir;
mod remove_dir_all;
mod scandir;
mod walk;
mod whole;

pub use crate::sys::FileType;
pub use copy::{
    Copied, CopyOptions, Reflink, copy, copy_dir_all, copy_dir_all_with, copy_with,
};
pub use dir_entry::DirEntry;
pub use dirs::{DirBuilder, create_dir, create_dir_all, remove_dir};
pub use error::Error;
pub use metadata::metadata;
pub use read_dir::{ReadDir, read_dir};
pub use remove_dir_all::remove_dir_all;
pub use scandir::scandir;
pub use walk::{Walk, WalkEntry, WalkLoop, WalkOptions, walk, walk_with};
pub use whole::{read, read_to_string, write};
