//! How a file is written as a stream.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::WriteStream;
use super::source::{Source, no_such_bytes, place_in};
use super::work::{Opened, Work};
use super::write_queue::HIGH_WATER;
use super::writer::Writer;
use crate::fs::File;

/// How a file is written as a stream: from where, and what becomes of what is in it.
///
/// # Examples
/// ```
/// use runtime::fs::WriteStream;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     # let log = std::env::temp_dir().join(format!("log-{}", std::process::id()));
///     # let log = log.as_path();
///     let stream = WriteStream::options().append(true).open(log);
///     stream.write("one\n");
///     stream.write("two\n");
///     stream.finish().await?;
///     assert_eq!(runtime::fs::read_to_string(log).await?, "one\ntwo\n");
///     # std::fs::remove_file(log)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct WriteStreamOptions {
    append: bool,
    create_new: bool,
    start: Option<u64>,
    #[cfg(unix)]
    mode: Option<u32>,
    high_water_mark: usize,
    sync_at_end: bool,
}

impl Default for WriteStreamOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl WriteStreamOptions {
    /// The file is made, or what is in it is cut off.
    pub fn new() -> Self {
        Self {
            append: false,
            create_new: false,
            start: None,
            #[cfg(unix)]
            mode: None,
            high_water_mark: HIGH_WATER,
            sync_at_end: false,
        }
    }

    /// Writes at the end of the file, wherever that is at the time of each write. It is made if it is not
    /// there. Node's flag `a`.
    pub fn append(&mut self, is_on: bool) -> &mut Self {
        self.append = is_on;
        self
    }

    /// The file is made; if it is there already, that is the error `AlreadyExists`. Node's flag `wx`, and with
    /// [`append`](Self::append) `ax`.
    pub fn create_new(&mut self, is_on: bool) -> &mut Self {
        self.create_new = is_on;
        self
    }

    /// Writes over what is in the file, from this place on, and cuts nothing off. It is made if it is not
    /// there. Node's `start` with the flag `r+`, which makes none.
    pub fn start(&mut self, offset: u64) -> &mut Self {
        self.start = Some(offset);
        self
    }

    /// The permissions of a file that is made, `0o666` by default; the process's umask is taken off them.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Above this many queued bytes the stream is [full](WriteStream::is_full). 64 KiB by default, as of the other streams here; Node's is 16 KiB.
    pub fn high_water_mark(&mut self, bytes: usize) -> &mut Self {
        self.high_water_mark = bytes;
        self
    }

    /// [`finish`](WriteStream::finish) has the system bring all of it to the disk before the file is closed. Node's `flush`.
    pub fn sync_at_end(&mut self, is_on: bool) -> &mut Self {
        self.sync_at_end = is_on;
        self
    }

    /// Opens the file, to be written as a stream: see [`write_stream`](super::write_stream).
    ///
    /// # Errors
    /// The stream's requests get them all: those of the system, and `InvalidInput` for a start where no file
    /// has bytes, or together with [`append`](Self::append).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> WriteStream {
        let (options, checked, start) = (self.std_options(), self.check(), self.start);
        let open = move |path: &Path| {
            checked?;
            Ok(Opened { source: Source::own(options.open(path)?), at: start })
        };
        let work = Work::new(Arc::from(path.as_ref()), self.sync_at_end, Box::new(open));
        WriteStream(Writer::make(work, self.high_water_mark))
    }

    /// Writes to an open file, from [`start`](Self::start) on, or from its beginning; one that was opened to append is
    /// written at its end. Its position is neither used nor moved, unless it has none (a FIFO). What is about
    /// opening does not matter.
    ///
    /// When the stream ends the file stays open with its other clones.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn of_file(&self, file: &File) -> WriteStream {
        let (descriptor, checked) = (file.descriptor(), self.check());
        let start = self.start.unwrap_or(0);
        let open = move |_: &Path| {
            checked?;
            let at = place_in(&descriptor, start);
            Ok(Opened { source: Source::Given(descriptor), at })
        };
        let work = Work::new(Arc::from(file.path()), self.sync_at_end, Box::new(open));
        WriteStream(Writer::make(work, self.high_water_mark))
    }

    fn std_options(&self) -> OpenOptions {
        let mut options = OpenOptions::new();
        if self.append {
            options.append(true);
        } else {
            options.write(true);
        }
        options.create(true).create_new(self.create_new);
        options.truncate(!self.append && self.start.is_none());
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        }
        options
    }

    fn check(&self) -> io::Result<()> {
        let Some(start) = self.start else { return Ok(()) };
        if self.append {
            let why = "what is appended has no other start than the end";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        i64::try_from(start).map_err(|_| no_such_bytes(&format!("a byte {start}")))?;
        Ok(())
    }
}
