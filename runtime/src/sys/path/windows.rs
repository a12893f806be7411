//! Windows, by the standard library alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_WRITE_ATTRIBUTES,
};

use super::{FileTime, StatFs};

/// Asks for what the file's attributes say, as libuv does: lists of rights are not looked at.
pub(crate) fn access(path: &Path, _read: bool, write: bool, _execute: bool) -> io::Result<()> {
    let found = std::fs::metadata(path)?;
    // The attribute protects a file; of a directory it says something else.
    if write && found.permissions().readonly() && !found.is_dir() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

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
    let link = if follow { 0 } else { FILE_FLAG_OPEN_REPARSE_POINT };
    // The one flag opens directories, too.
    let flags = FILE_FLAG_BACKUP_SEMANTICS | link;
    let file =
        OpenOptions::new().access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(flags).open(path)?;
    let mut times = std::fs::FileTimes::new();
    if let Some(time) = at(accessed) {
        times = times.set_accessed(time);
    }
    if let Some(time) = at(modified) {
        times = times.set_modified(time);
    }
    file.set_times(times)
}

fn at(time: FileTime) -> Option<SystemTime> {
    match time {
        FileTime::Now => Some(SystemTime::now()),
        FileTime::Omit => None,
        FileTime::At(time) => Some(time),
    }
}

pub(crate) fn rename_no_replace(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a file; who may open it, its directory says.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Makes a directory; who may enter it, the one above it says.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Nothing: a directory can't be written to the disk by itself.
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
