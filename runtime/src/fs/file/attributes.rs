//! What the system keeps of a file beside its bytes.

use std::fs::{FileTimes, Metadata, Permissions};

use super::File;
use crate::event_loop::Carried;
use crate::request::Request;
use crate::sys;

/// What the system keeps of a file beside its bytes, and on the disk.
impl File {
    /// What the system knows of the file.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, give it a callback, or nobody asks"]
    #[track_caller]
    pub fn metadata(&self) -> Request<Metadata> {
        self.open_file().ask("metadata", |open| open.file.metadata())
    }

    /// Cuts the file, or has it grow by zeros, to `length` bytes. The position stays, be it behind the end.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn set_len(&self, length: u64) -> Request<()> {
        self.open_file().change("set_len", move |open| open.file.set_len(length))
    }

    /// Sets who may read and write the file.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> Request<()> {
        self.open_file().act("set_permissions", move |open| open.file.set_permissions(permissions))
    }

    /// Sets the times of the last access and the last change. Those that `times` does not set stay.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> Request<()> {
        self.open_file().act("set_times", move |open| open.file.set_times(times))
    }

    /// Sets the owner and the group; `None` stays.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[cfg(unix)]
    #[track_caller]
    pub fn chown(&self, uid: Option<u32>, gid: Option<u32>) -> Request<()> {
        self.open_file().act("chown", move |open| std::os::unix::fs::fchown(&open.file, uid, gid))
    }

    /// Waits until the file's bytes and attributes are on the disk, with all that was accepted and asked
    /// for at the position before. It is carried out, whoever waits.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn sync_all(&self) -> Request<()> {
        self.open_file().in_line("sync_all", Carried::Out, |open| open.file.sync_all())
    }

    /// Waits until the file's bytes are on the disk, and of its attributes what it takes to read them. As
    /// [`sync_all`](Self::sync_all) otherwise.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn sync_data(&self) -> Request<()> {
        self.open_file().in_line("sync_data", Carried::Out, |open| open.file.sync_data())
    }

    /// Has the system reserve the room on the disk for `length` bytes from `offset` on, so that writing
    /// there can't fail for lack of it. The file grows if it is shorter.
    ///
    /// # Errors
    /// `StorageFull` if there is not so much, besides those of the system.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Platform notes
    /// `Unsupported` on Windows, NetBSD, OpenBSD and DragonFly, and where the file system can't.
    #[track_caller]
    pub fn allocate(&self, offset: u64, length: u64) -> Request<()> {
        self.open_file().change("allocate", move |open| sys::allocate(&open.file, offset, length))
    }
}
