//! Several buffers, read or written one after the other by calls that may do a part only.

use std::io::{self, IoSlice, IoSliceMut};

/// Fills `buffers` by calls of `read`, each for `per_call` of them, until one brings less than it could. Gives the
/// sum.
pub(super) fn read_all(
    buffers: &mut [Vec<u8>],
    per_call: usize,
    mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
    let (mut rest, mut sum) = (&mut slices[..], 0);
    // None is left behind by `advance_slices`, but those of no length.
    IoSliceMut::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let next = rest.len().min(per_call);
        let wanted: usize = rest[..next].iter().map(|slice| slice.len()).sum();
        let count = match read(&mut rest[..next]) {
            Ok(count) => count,
            // What was read is told; the error comes again at the next call.
            Err(_) if sum > 0 => break,
            Err(error) => return Err(error),
        };
        sum += count;
        // What has no more now, as a pipe, would be waited for.
        if count < wanted {
            break;
        }
        IoSliceMut::advance_slices(&mut rest, count);
    }
    Ok(sum)
}

/// Writes all of `buffers` by calls of `write`, each for `per_call` of them at most.
pub(super) fn write_all(
    buffers: &[Vec<u8>],
    per_call: usize,
    mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut slices: Vec<_> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match write(&rest[..rest.len().min(per_call)])? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}
