//! Several buffers, read or written one after the other by calls that may do a part only.

use std::io::{self, IoSlice, IoSliceMut};

/// Fills `buffers` by calls of `read`, until one brings less than it could. Gives the sum.
pub(super) fn read_all(
    buffers: &mut [Vec<u8>],
    mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
    let (mut rest, mut sum) = (&mut slices[..], 0);
    // None is left behind by `advance_slices`, but those of no length.
    IoSliceMut::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match read(rest) {
            Ok(0) => break,
            Ok(count) => {
                sum += count;
                IoSliceMut::advance_slices(&mut rest, count);
            }
            // What was read is told; the error comes again at the next call.
            Err(_) if sum > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// Writes all of `buffers` by calls of `write`.
pub(super) fn write_all(
    buffers: &[Vec<u8>],
    mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut slices: Vec<_> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match write(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}
