//! What the standard library lacks of files by their paths.

mod file_time;
mod statfs;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use file_time::FileTime;
pub use statfs::StatFs;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
