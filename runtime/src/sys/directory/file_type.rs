//! What kind of file an entry of a directory is.

/// What kind of file an entry of a directory is, as the directory itself says: libuv's
/// `uv_dirent_type_t`.
///
/// One that the file system does not tell is looked up, so [`Unknown`](Self::Unknown) is left for what was
/// gone by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A FIFO.
    Fifo,
    /// A local socket.
    Socket,
    /// A device of characters, as a terminal.
    CharDevice,
    /// A device of blocks, as a disk.
    BlockDevice,
    /// Not told.
    Unknown,
}

impl FileType {
    /// Whether it is a regular file.
    pub fn is_file(self) -> bool {
        self == Self::File
    }

    /// Whether it is a directory.
    pub fn is_dir(self) -> bool {
        self == Self::Dir
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(self) -> bool {
        self == Self::Symlink
    }
}

impl From<std::fs::FileType> for FileType {
    #[cfg(unix)]
    fn from(known: std::fs::FileType) -> Self {
        use std::os::unix::fs::FileTypeExt;
        match known {
            known if known.is_fifo() => Self::Fifo,
            known if known.is_socket() => Self::Socket,
            known if known.is_char_device() => Self::CharDevice,
            known if known.is_block_device() => Self::BlockDevice,
            known => common(known),
        }
    }

    #[cfg(not(unix))]
    fn from(known: std::fs::FileType) -> Self {
        common(known)
    }
}

fn common(known: std::fs::FileType) -> FileType {
    match known {
        known if known.is_dir() => FileType::Dir,
        known if known.is_symlink() => FileType::Symlink,
        known if known.is_file() => FileType::File,
        _ => FileType::Unknown,
    }
}

#[cfg(unix)]
impl From<rustix::fs::FileType> for FileType {
    fn from(known: rustix::fs::FileType) -> Self {
        use rustix::fs::FileType as System;
        match known {
            System::RegularFile => Self::File,
            System::Directory => Self::Dir,
            System::Symlink => Self::Symlink,
            System::Fifo => Self::Fifo,
            System::Socket => Self::Socket,
            System::CharacterDevice => Self::CharDevice,
            System::BlockDevice => Self::BlockDevice,
            System::Unknown => Self::Unknown,
        }
    }
}
