//! A time that a file is given.

use std::time::SystemTime;

/// What becomes of one of a file's times: see [`set_times`](crate::fs::set_times).
///
/// A [`SystemTime`] converts into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTime {
    /// The time at which the system carries it out: libuv's `UV_FS_UTIME_NOW`. On Unix it takes no more
    /// than the right to write to the file, if both times are this.
    Now,
    /// It stays as it is: libuv's `UV_FS_UTIME_OMIT`.
    Omit,
    /// This time, as exact as the file system keeps it.
    At(SystemTime),
}

impl From<SystemTime> for FileTime {
    fn from(time: SystemTime) -> Self {
        Self::At(time)
    }
}
