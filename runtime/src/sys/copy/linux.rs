//! Copying inside of the kernel.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::sys::unix::retry;

/// Lets `to` share the blocks of `from`.
pub(crate) fn share_blocks(from: &File, to: &File) -> io::Result<()> {
    retry(|| rustix::fs::ioctl_ficlone(to, from))
}

/// How the kernel copies: the first that the file systems know. Bytes go from where `from` is to where
/// `to` is, and both move on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KernelCopy {
    /// Inside of the file system, which may share blocks.
    Range,
    /// Through the kernel's pages.
    Sendfile,
}

impl KernelCopy {
    /// The best way; `is_shared`: blocks may be shared.
    pub(crate) fn best(is_shared: bool) -> Option<Self> {
        Some(if is_shared { Self::Range } else { Self::Sendfile })
    }

    /// Copies at most `len` bytes. `None`: not this way.
    pub(crate) fn copy(self, from: &File, to: &File, len: usize) -> io::Result<Option<usize>> {
        let copied = match self {
            Self::Range => retry(|| rustix::fs::copy_file_range(from, None, to, None, len)),
            Self::Sendfile => retry(|| rustix::fs::sendfile(to, from, None, len)),
        };
        match copied {
            Ok(copied) => Ok(Some(copied)),
            Err(error) if is_unfit(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next best way.
    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Range => Some(Self::Sendfile),
            Self::Sendfile => None,
        }
    }
}

/// Whether another way may do what this one does not.
fn is_unfit(error: &io::Error) -> bool {
    let unfit = [
        Errno::NOSYS,
        Errno::XDEV,
        Errno::INVAL,
        Errno::PERM,
        Errno::OPNOTSUPP,
        Errno::BADF,
        Errno::OVERFLOW,
    ];
    unfit.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether a file has holes.
pub(crate) fn is_sparse(metadata: &Metadata) -> bool {
    metadata.blocks().saturating_mul(512) < metadata.size()
}

/// The next bytes of a file at or after `position` that are no hole. `None`: there are none.
pub(crate) fn next_extent(file: &File, position: u64) -> io::Result<Option<Range<u64>>> {
    let begin = match retry(|| seek(file, SeekFrom::Data(position))) {
        Ok(begin) => begin,
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = retry(|| seek(file, SeekFrom::Hole(begin)))?;
    Ok(Some(begin..end))
}
