//! Directories by descriptors.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, DirEntry, OFlags, statat};

use super::{FileType, Found, far};

/// What is no other file's while this one is there: device and inode.
pub(crate) type FileId = (u64, u64);

/// A directory that is read.
pub(crate) struct Directory(Dir);

impl Directory {
    /// Opens the directory at `path`, however long that is. `through_link`: a link to one will do.
    pub(crate) fn open(path: &Path, through_link: bool) -> io::Result<Self> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !through_link);
        Ok(Self(Dir::new(far::open(path, flags)?)?))
    }

    /// What is there besides, in no order; without the directory itself and the one above it.
    pub(crate) fn next(&mut self) -> Option<io::Result<Found>> {
        loop {
            let entry = match self.0.read()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                let name = OsStr::from_bytes(name).to_owned();
                return Some(Ok(Found { name, file_type: self.type_of(&entry) }));
            }
        }
    }

    /// The directory says it; where the file system does not note it there, the file is asked.
    fn type_of(&self, entry: &DirEntry) -> FileType {
        let known = entry.file_type();
        if known != rustix::fs::FileType::Unknown {
            return known.into();
        }
        let stat =
            self.0.fd().and_then(|dir| statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW));
        stat.map_or(FileType::Unknown, |stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode).into()
        })
    }

    /// Which one it is.
    pub(crate) fn id(&self) -> io::Result<FileId> {
        let stat = self.0.stat()?;
        Ok(id_of(&stat))
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
pub(super) fn id_of(stat: &rustix::fs::Stat) -> FileId {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Whether there is no directory where one was a moment ago: it went, or something else took its place.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::MLINK]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
