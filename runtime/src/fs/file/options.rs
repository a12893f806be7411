//! How a file is opened.

use std::path::Path;
use std::sync::Arc;

use super::File;
use super::open_file::OpenFile;
use crate::fs::operation::Operation;
use crate::request::Request;

/// How a file is opened: std's [`OpenOptions`](std::fs::OpenOptions), by a [`Request`].
///
/// # Examples
/// ```
/// use runtime::fs::OpenOptions;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let file = OpenOptions::new().read(true).open("Cargo.toml").await?;
///     assert!(file.metadata().await?.len() > 0);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: std::fs::OpenOptions,
    /// Whether opening changes a file or makes one.
    has_effect: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// All off.
    pub fn new() -> Self {
        Self { options: std::fs::OpenOptions::new(), has_effect: false }
    }

    /// To be read.
    pub fn read(&mut self, is_on: bool) -> &mut Self {
        self.options.read(is_on);
        self
    }

    /// To be written, from its beginning: what is there is overwritten, not cut.
    pub fn write(&mut self, is_on: bool) -> &mut Self {
        self.options.write(is_on);
        self
    }

    /// To be written at its end, wherever that is at the time of each write. On Linux this goes for
    /// [`File::write_at`], too: its offset is ignored.
    pub fn append(&mut self, is_on: bool) -> &mut Self {
        self.options.append(is_on);
        self
    }

    /// What is in it is cut off.
    pub fn truncate(&mut self, is_on: bool) -> &mut Self {
        self.has_effect |= is_on;
        self.options.truncate(is_on);
        self
    }

    /// It is made if it is not there.
    pub fn create(&mut self, is_on: bool) -> &mut Self {
        self.has_effect |= is_on;
        self.options.create(is_on);
        self
    }

    /// It is made; if it is there already, that is the error `AlreadyExists`.
    pub fn create_new(&mut self, is_on: bool) -> &mut Self {
        self.has_effect |= is_on;
        self.options.create_new(is_on);
        self
    }

    /// Opens a file by these options.
    ///
    /// If they can make or cut a file it is opened in any case, and closed again if nobody wants it any
    /// more; else the request is skipped if it was dropped before it began.
    ///
    /// A FIFO blocks its thread of the pool until the other end is opened; with
    /// `custom_flags(libc::O_NONBLOCK)` it does not. [`Pipe`](crate::net::Pipe) reads and writes one
    /// without threads.
    ///
    /// # Errors
    /// Those of the system, by the name `open`; `InvalidInput` for options that make no sense together.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, or give it a callback"]
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Request<File> {
        let options = self.options.clone();
        let open = move |asked: &Operation| {
            let file = options.open(&asked.path)?;
            Ok(File::of(OpenFile::new(file, Arc::from(&*asked.path))))
        };
        let operation = Operation::on("open", path);
        if self.has_effect { operation.act(open) } else { operation.ask(open) }
    }
}

#[cfg(unix)]
impl OpenOptions {
    /// The permissions of a file that is made, `0o666` by default; the process's umask is taken off them.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.options, mode);
        self
    }

    /// Further flags of `open(2)`, such as `libc::O_NOFOLLOW`.
    ///
    /// With `libc::O_NONBLOCK` what would have to wait, on a FIFO say, is the error `WouldBlock`.
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.options, flags);
        self
    }
}
