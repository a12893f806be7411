//! Copying of files by the system.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

/// Opens a file that is copied. It never waits, not for the other end of a FIFO either.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    unblocked(OpenOptions::new().read(true)).open(path)
}

/// Opens what is there to be written to, as it is.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    unblocked(OpenOptions::new().write(true)).open(path)
}

/// Makes a file; an error if something is there, a link that leads nowhere included.
pub(crate) fn make_file(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

fn unblocked(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// Whether both are one file.
#[cfg(unix)]
pub(crate) fn is_same_file(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether both are one file, as far as that is known: those that are open have no other's time of
/// creation, index and size.
#[cfg(windows)]
pub(crate) fn is_same_file(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::windows::fs::MetadataExt;
    let known = |of: &std::fs::Metadata| (of.creation_time(), of.last_write_time(), of.file_size());
    known(one) == known(other)
}

/// Makes a link at `at` that leads to `to`. `like` is one that leads there.
#[cfg(unix)]
pub(crate) fn symlink(to: &Path, at: &Path, _like: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

/// Makes a link at `at` that leads to `to`. `like` is one that leads there: it says what the link is for.
#[cfg(windows)]
pub(crate) fn symlink(to: &Path, at: &Path, like: &Path) -> io::Result<()> {
    use std::os::windows::fs::{FileTypeExt, symlink_dir, symlink_file};
    if std::fs::symlink_metadata(like)?.file_type().is_symlink_dir() {
        symlink_dir(to, at)
    } else {
        symlink_file(to, at)
    }
}
