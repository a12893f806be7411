//! The calls: one descriptor, many watches, and a queue of events.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader};
pub(super) use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::super::change::not_watched;

/// The system's name for a watch. It is not used again for another as long as the descriptor lives
/// (but for a wrap after 2^31).
pub(super) type Wd = i32;

/// A read takes as many events as fit: some 500.
const BUFFER: usize = 16 * 1024;
/// Reads for one event of the poller: what is left is reported again in the next iteration, so that a
/// flood does not starve the other handles.
const READS: usize = 8;

const INSTANCES: &str =
    "/proc/sys/fs/inotify/max_user_instances, or that of open files (RLIMIT_NOFILE)";
const WATCHES: &str = "/proc/sys/fs/inotify/max_user_watches";

/// One event, out of the buffer.
pub(super) struct Event {
    pub(super) wd: Wd,
    pub(super) flags: ReadFlags,
    pub(super) cookie: u32,
    pub(super) name: Option<OsString>,
}

pub(super) fn open() -> io::Result<OwnedFd> {
    inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
        .map_err(|error| limited(Path::new("a file"), error))
}

/// Watches `path` for `flags` too.
pub(super) fn add(fd: &OwnedFd, path: &Path, flags: WatchFlags) -> io::Result<Wd> {
    inotify::add_watch(fd, path, flags | WatchFlags::MASK_ADD).map_err(|error| limited(path, error))
}

pub(super) fn remove(fd: &OwnedFd, wd: Wd) {
    // It fails for what the system removed itself meanwhile, which is as well.
    let _ = inotify::remove_watch(fd, wd);
}

fn limited(path: &Path, error: Errno) -> io::Error {
    let limit = match error {
        Errno::MFILE => Some(INSTANCES),
        Errno::NOSPC => Some(WATCHES),
        _ => None,
    };
    not_watched(path, limit, error.into())
}

/// Gives the events that wait to `each`. True if none is left.
pub(super) fn read(fd: &OwnedFd, mut each: impl FnMut(Event)) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER];
    let mut reader = Reader::new(fd, &mut buffer);
    let mut reads = 0;
    loop {
        if reader.is_buffer_empty() {
            if reads == READS {
                return Ok(false);
            }
            reads += 1;
        }
        match reader.next() {
            Ok(event) => each(Event {
                wd: event.wd(),
                flags: event.events(),
                cookie: event.cookie(),
                name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()),
            }),
            Err(Errno::AGAIN) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
