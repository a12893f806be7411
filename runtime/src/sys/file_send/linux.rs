//! Linux: `preadv2` that does not wait, and `sendfile`.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::fd::AsFd;
use rustix::fs::sendfile;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

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
    match sendfile(socket, file, Some(&mut offset), length) {
        Ok(sent) => Ok(Some(sent)),
        Err(Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
