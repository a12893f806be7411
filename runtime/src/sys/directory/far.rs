//! Paths that are longer than the system takes in one call.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::sys::unix::retry;

/// The bytes of a path that the system takes in one call, and one more.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// What is passed through on the way: it need not be readable.
#[cfg(target_os = "linux")]
const PASSAGE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// What is passed through on the way.
#[cfg(not(target_os = "linux"))]
const PASSAGE: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Opens what is at `path`, however long that is: a longer one is gone in parts.
pub(super) fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut rest = path.as_os_str().as_bytes();
    let mut at: Option<OwnedFd> = None;
    while rest.len() >= PATH_MAX {
        let part = rest[..PATH_MAX - 1].iter().rposition(|byte| *byte == b'/').map(|end| end + 1);
        // One name of this length is no file's.
        let (part, after) = rest.split_at(part.ok_or(Errno::NAMETOOLONG)?);
        at = Some(open_at(beside(&at), part, PASSAGE)?);
        let slashes = after.iter().take_while(|byte| **byte == b'/').count();
        rest = &after[slashes..];
    }
    open_at(beside(&at), if rest.is_empty() && at.is_some() { b"." } else { rest }, flags)
}

fn beside(at: &Option<OwnedFd>) -> BorrowedFd<'_> {
    at.as_ref().map_or(CWD, |at| at.as_fd())
}

fn open_at(at: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    retry(|| openat(at, OsStr::from_bytes(path), flags, Mode::empty()))
}
