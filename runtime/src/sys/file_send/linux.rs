//! Linux: `preadv2` that does not wait, and `sendfile`.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::fd::AsFd;
use rustix::fs::sendfile;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::sys::unix::retry;

/// Reads what is in memory; `None` if a disk would have to be waited for, or nobody knows.
pub(crate) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    let mut buffers = [IoSliceMut::new(buffer)];
    preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT).ok()
}

/// Whether the byte at `offset` is in memory.
pub(crate) fn is_cached(file: &File, offset: u64) -> bool {
    // At the end of the file there is nothing to wait for either.
    read_cached(file, &mut [0], offset).is_some()
}

/// Sends from a file; `None` if it is none that this can be done with.
pub(in crate::sys) fn send_file(
    socket: impl AsFd,
    file: &File,
    offset: u64,
    length: usize,
) -> io::Result<Option<usize>> {
    let mut offset = offset;
    // A signal interrupts it where it waits for the file, though the socket waits for nothing.
    match retry(|| sendfile(&socket, file, Some(&mut offset), length)) {
        Ok(sent) => Ok(Some(sent)),
        Err(error) if is_unfit(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_unfit(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::NOSYS]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
