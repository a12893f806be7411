//! Linux, macOS and the BSDs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::{FileTime, StatFs};
use crate::sys::retry;

/// Asks whether this process may do all of it to the file at `path`.
pub(crate) fn access(path: &Path, read: bool, write: bool, execute: bool) -> io::Result<()> {
    use rustix::fs::Access;
    let mut access = Access::EXISTS;
    access.set(Access::READ_OK, read);
    access.set(Access::WRITE_OK, write);
    access.set(Access::EXEC_OK, execute);
    retry(|| rustix::fs::access(path, access))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
))]
pub(crate) fn statfs(path: &Path) -> io::Result<StatFs> {
    /// Each system has types of its own. Less than nothing is free when more is used than is everybody's.
    fn count(number: impl TryInto<u64>) -> u64 {
        number.try_into().unwrap_or(0)
    }
    let found = retry(|| rustix::fs::statfs(path))?;
    Ok(StatFs {
        kind: count(found.f_type),
        block_size: count(found.f_bsize),
        blocks: count(found.f_blocks),
        blocks_free: count(found.f_bfree),
        blocks_available: count(found.f_bavail),
        files: count(found.f_files),
        files_free: count(found.f_ffree),
    })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
)))]
pub(crate) fn statfs(_path: &Path) -> io::Result<StatFs> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives the file at `path`, or the link that is there, its times.
pub(crate) fn set_times(
    path: &Path,
    accessed: FileTime,
    modified: FileTime,
    follow: bool,
) -> io::Result<()> {
    let times =
        Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    retry(|| rustix::fs::utimensat(CWD, path, &times, flags))
}

fn timespec(time: FileTime) -> Timespec {
    match time {
        FileTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        FileTime::Omit => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        FileTime::At(time) => match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => seconds_and_rest(since),
            Err(before) => before_the_epoch(before.duration()),
        },
    }
}

/// The system counts the rest of a second forward, also before the epoch.
fn before_the_epoch(by: Duration) -> Timespec {
    let Timespec { tv_sec, tv_nsec } = seconds_and_rest(by);
    match tv_nsec {
        0 => Timespec { tv_sec: -tv_sec, tv_nsec },
        rest => Timespec { tv_sec: -tv_sec - 1, tv_nsec: 1_000_000_000 - rest },
    }
}

fn seconds_and_rest(duration: Duration) -> Timespec {
    // A `SystemTime` has no more seconds than the system's type.
    let tv_sec = duration.as_secs().try_into().unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: duration.subsec_nanos().into() }
}

/// Renames, unless `to` is there.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    retry(|| rustix::fs::renameat_with(CWD, from, CWD, to, flags))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn rename_no_replace(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a file that nobody else may open.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a directory that nobody else may enter.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Has the names in `dir` written to the disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
