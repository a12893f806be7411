//! Copying where the system has no call for it that is used here.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;

/// Lets `to` share the blocks of `from`.
pub(crate) fn share_blocks(_: &File, _: &File) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "no blocks are shared on this system"))
}

/// How the kernel copies: it does not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KernelCopy {}

impl KernelCopy {
    pub(crate) fn best(_: bool) -> Option<Self> {
        None
    }

    pub(crate) fn copy(self, _: &File, _: &File, _: usize) -> io::Result<Option<usize>> {
        match self {}
    }

    pub(crate) fn next(self) -> Option<Self> {
        match self {}
    }
}

/// Whether a file has holes that are known.
pub(crate) fn is_sparse(_: &Metadata) -> bool {
    false
}

/// The next bytes of a file at or after `position` that are no hole: all.
pub(crate) fn next_extent(_: &File, position: u64) -> io::Result<Option<Range<u64>>> {
    Ok(Some(position..u64::MAX))
}
