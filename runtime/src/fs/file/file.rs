//! The handle of an open file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::OpenOptions;
use super::open_file::OpenFile;
use crate::request::Request;

/// An open file, whose operations the pool carries out.
///
/// Three ways to read and write it, which are in step with each other:
///
/// - at an offset, any number side by side: [`read_at`](Self::read_at),
///   [`write_all_at`](Self::write_all_at);
/// - at the position, one by one in the order of the calls: [`read_into`](Self::read_into),
///   [`write`](Self::write), [`seek`](Self::seek), [`lines`](Self::lines);
/// - as a stream of bytes, by [`AsyncRead`](futures_io::AsyncRead), [`AsyncWrite`](futures_io::AsyncWrite) and
///   [`AsyncSeek`](futures_io::AsyncSeek), which are at the position, too, and make a job of many
///   small steps. `write_all`, `copy` and the like are those of futures-lite or futures-util.
///
/// A question (`read_at`, `metadata`) sees what was written before by this file. Clones are one file: they
/// share the position, and what was read ahead or accepted. It may go to other threads; what it is asked for goes
/// through the loop that is current there. A task that polls it may wait for what another loop has begun: that does
/// not keep the task's own loop alive.
///
/// On a `&mut File` the traits' `write` and `seek` come before the ones of the same names here: they take a
/// `&[u8]`, and do not wait for the system.
///
/// # Ordering
/// Results come in the poll phase. Operations at the position are carried out in the order of the calls; their
/// results, and all others, come in any order.
///
/// # Examples
/// ```
/// use runtime::fs::File;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     # let path = std::env::temp_dir().join(format!("file-example-{}", std::process::id()));
///     let out = File::create(&path).await?;
///     for number in 0..3 {
///         out.write(format!("line {number}\n")).detach(); // in this order
///     }
///     out.close().await?; // all is written, and nothing failed
///
///     let mut lines = File::open(&path).await?.lines();
///     while let Some(line) = lines.next_line().await? {
///         println!("{line}");
///     }
///     # std::fs::remove_file(path)
/// }
/// ```
#[derive(Clone)]
pub struct File(Arc<Owner>);

/// What the clones share and the jobs do not: it goes when the last clone goes.
pub(super) struct Owner {
    pub(super) open: Arc<OpenFile>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let job = self.open.buffers.lock().let_go();
        if let Some(job) = job {
            self.open.begin_alone(job);
        }
        self.open.report_untold();
        let unwanted = self.open.buffers.lock().take_unwanted();
        if let Some(fill) = unwanted {
            fill.refuse();
        }
    }
}

impl File {
    pub(super) fn of(open: Arc<OpenFile>) -> Self {
        Self(Arc::new(Owner { open }))
    }

    /// The descriptor, for jobs of other modules.
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor(self.open_file().clone())
    }

    pub(super) fn open_file(&self) -> &Arc<OpenFile> {
        &self.0.open
    }

    /// The open file alone, if nothing else holds it.
    pub(super) fn try_unwrap(self) -> Result<OpenFile, Self> {
        if Arc::strong_count(&self.0) > 1 || Arc::strong_count(&self.0.open) > 1 {
            return Err(self);
        }
        let open = self.0.open.clone();
        drop(self);
        Arc::try_unwrap(open).map_err(|open| {
            // Another thread came in between.
            open.buffers.lock().is_let_go = false;
            Self::of(open)
        })
    }

    /// Opens a file to read it. More is said at [`OpenOptions::open`].
    ///
    /// # Errors
    /// Those of the system.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, or give it a callback"]
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Request<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write it: makes it, or cuts off what is in it.
    ///
    /// # Errors
    /// Those of the system.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, or give it a callback"]
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Request<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file, to read and to write it.
    ///
    /// # Errors
    /// `AlreadyExists` if it is there, besides those of the system.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, or give it a callback"]
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Request<Self> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Other ways to open a file: as [`OpenOptions::new`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// A file of std's. `name` stands for its path in errors.
    pub fn from_std(file: std::fs::File, name: impl AsRef<Path>) -> Self {
        Self::of(OpenFile::new(file, Arc::from(name.as_ref())))
    }

    /// The path that it was opened by, as it was given; or the name given to [`from_std`](Self::from_std).
    pub fn path(&self) -> &Path {
        &self.open_file().path
    }
}

/// The open file, for those who read it by calls of their own; it stays open while they have this.
#[derive(Clone)]
pub(crate) struct Descriptor(Arc<OpenFile>);

impl std::ops::Deref for Descriptor {
    type Target = std::fs::File;

    fn deref(&self) -> &std::fs::File {
        &self.0.file
    }
}

impl Descriptor {
    /// Whether the file has all that was written to it before, at the position.
    pub(crate) fn is_written(&self) -> bool {
        self.0.is_written()
    }

    /// A job for the pool that sees what was written before. `name` is in its errors.
    pub(crate) fn question<T: Send + 'static>(
        &self,
        name: &'static str,
        job: impl FnOnce(&std::fs::File) -> std::io::Result<T> + Send + 'static,
    ) -> Box<dyn FnOnce() -> std::io::Result<T> + Send> {
        let open = self.0.clone();
        if self.is_written() {
            return Box::new(move || open.named(name, |open| job(&open.file)));
        }
        let place = open.behind_the_writes(name, |open| job(&open.file));
        Box::new(move || place.come_up())
    }

    /// Names the file in an error.
    pub(crate) fn failed(&self, name: &'static str, error: std::io::Error) -> std::io::Error {
        self.0.failed(name, error)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.open_file().file.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.open_file().file.as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsHandle for File {
    fn as_handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
        self.open_file().file.as_handle()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsRawHandle for File {
    fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
        self.open_file().file.as_raw_handle()
    }
}

const _: fn() = || {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<File>();
};
