//! By `pread` and its like, which leave the file's position alone.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::unix::fs::FileExt;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::sys::unix::retry;

/// What a system takes in one call: POSIX's IOV_MAX is 1024 wherever this runs.
pub(crate) const BUFFERS_PER_CALL: usize = 1024;

/// The same, at an offset: old systems of Apple have no `preadv` and `pwritev`.
pub(crate) const BUFFERS_PER_CALL_AT: usize =
    if cfg!(target_vendor = "apple") { 1 } else { BUFFERS_PER_CALL };

/// Repeats a call of std that a signal interrupted.
fn retry_std<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// One call's worth, at the file's position.
pub(crate) fn read(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    retry_std(|| file.read(buffer))
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    retry_std(|| file.read_at(buffer, offset))
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    retry_std(|| file.write_at(bytes, offset))
}

/// Reads into what `buffer` has room for behind its bytes; it must have some.
pub(crate) fn append_at(file: &File, buffer: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
    retry(|| rustix::io::pread(file, spare_capacity(buffer), offset))
}

/// The same, at the file's position.
pub(crate) fn append(file: &File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    retry(|| rustix::io::read(file, spare_capacity(buffer)))
}

/// At the file's position; `slices` are no more than one call takes.
pub(crate) fn read_vectored(file: &File, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    retry(|| rustix::io::readv(file, slices))
}

/// At the file's position; `slices` are no more than one call takes.
pub(crate) fn write_vectored(file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    retry(|| rustix::io::writev(file, slices))
}

/// At an offset; `slices` are no more than one call takes.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn read_vectored_at(
    file: &File,
    slices: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    retry(|| rustix::io::preadv(file, slices, offset))
}

/// At an offset; `slices` are no more than one call takes.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn write_vectored_at(
    file: &File,
    slices: &[IoSlice<'_>],
    offset: u64,
) -> io::Result<usize> {
    retry(|| rustix::io::pwritev(file, slices, offset))
}

/// At an offset, into the one buffer that a call takes.
#[cfg(target_vendor = "apple")]
pub(crate) fn read_vectored_at(
    file: &File,
    slices: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    slices.first_mut().map_or(Ok(0), |first| read_at(file, first, offset))
}

/// At an offset, from the one buffer that a call takes.
#[cfg(target_vendor = "apple")]
pub(crate) fn write_vectored_at(
    file: &File,
    slices: &[IoSlice<'_>],
    offset: u64,
) -> io::Result<usize> {
    slices.first().map_or(Ok(0), |first| write_at(file, first, offset))
}

/// Has the system reserve the room for a part of the file, which grows if it is shorter.
#[cfg(not(any(target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly")))]
pub(crate) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
    retry(|| rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length))
}

#[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly"))]
pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Locks the whole file, if nobody stands in the way. Never waits.
pub(crate) fn try_lock(file: &File, is_shared: bool) -> io::Result<bool> {
    use rustix::fs::FlockOperation::{NonBlockingLockExclusive, NonBlockingLockShared};
    let lock = if is_shared { NonBlockingLockShared } else { NonBlockingLockExclusive };
    match rustix::fs::flock(file, lock) {
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        locked => Ok(locked.map(|()| true)?),
    }
}

pub(crate) fn unlock(file: &File) -> io::Result<()> {
    retry(|| rustix::fs::flock(file, rustix::fs::FlockOperation::Unlock))
}

/// Whether an error says that the file has no position: a pipe, a terminal.
pub(crate) fn is_unseekable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::SPIPE.raw_os_error())
}

/// Closes a file, and gives what std's drop of one hides.
pub(crate) fn close(file: File) -> io::Result<()> {
    use std::os::fd::IntoRawFd;
    // SAFETY: the descriptor is owned, and let go by `into_raw_fd`: nobody else closes it.
    #[allow(unsafe_code)]
    let closed = unsafe { libc::close(file.into_raw_fd()) };
    match io::Error::last_os_error() {
        // It is closed on each system that matters, and may be another file's by now: so it is not repeated.
        error if closed == -1 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
