//! By `ReadFile` and `WriteFile` at an offset, which move the file's position there.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::windows::fs::FileExt;

/// `ERROR_SEEK_ON_DEVICE` and `ERROR_INVALID_FUNCTION`: what seeking on a pipe or a console gives.
const UNSEEKABLE: [i32; 2] = [132, 1];

/// `ERROR_HANDLE_EOF`: a read behind the end.
const HANDLE_EOF: i32 = 38;

fn end_is_zero(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Err(error) if error.raw_os_error() == Some(HANDLE_EOF) => Ok(0),
        read => read,
    }
}

/// One call's worth, at the file's position.
pub(crate) fn read(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    file.read(buffer)
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    end_is_zero(file.seek_read(buffer, offset))
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// There is no call for several.
pub(crate) const BUFFERS_PER_CALL: usize = 1;
pub(crate) const BUFFERS_PER_CALL_AT: usize = 1;

/// Reads by `read` into what `buffer` has room for behind its bytes; it must have some.
fn append_by(
    buffer: &mut Vec<u8>,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let length = buffer.len();
    buffer.resize(buffer.capacity(), 0);
    let read = read(&mut buffer[length..]);
    buffer.truncate(length + *read.as_ref().unwrap_or(&0));
    read
}

pub(crate) fn append_at(file: &File, buffer: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
    append_by(buffer, |room| read_at(file, room, offset))
}

/// The same, at the file's position.
pub(crate) fn append(mut file: &File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    append_by(buffer, |room| file.read(room))
}

/// At the file's position, the one buffer that a call takes.
pub(crate) fn read_vectored(mut file: &File, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    slices.first_mut().map_or(Ok(0), |first| file.read(first))
}

/// At the file's position, the one buffer that a call takes.
pub(crate) fn write_vectored(mut file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    slices.first().map_or(Ok(0), |first| file.write(first))
}

/// At an offset, the one buffer that a call takes.
pub(crate) fn read_vectored_at(
    file: &File,
    slices: &mut [IoSliceMut<'_>],
    offset: u64,
) -> io::Result<usize> {
    slices.first_mut().map_or(Ok(0), |first| read_at(file, first, offset))
}

/// At an offset, the one buffer that a call takes.
pub(crate) fn write_vectored_at(
    file: &File,
    slices: &[IoSlice<'_>],
    offset: u64,
) -> io::Result<usize> {
    slices.first().map_or(Ok(0), |first| write_at(file, first, offset))
}

pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn try_lock(_: &File, _: bool) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn unlock(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error says that the file has no position: a pipe, a console.
pub(crate) fn is_unseekable(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| UNSEEKABLE.contains(&code))
}

/// Closes a file. What could fail failed before.
pub(crate) fn close(file: File) -> io::Result<()> {
    drop(file);
    Ok(())
}
