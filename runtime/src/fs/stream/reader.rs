//! The resource behind a `ReadStream`: its file, what was read ahead, and the job that reads.

use std::cell::{Cell, OnceCell};
use std::io;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::ReadStreamOptions;
use super::reading::OnRead;
use super::source::{Source, failed};
use crate::base::{CallbackSlot, Guarded, Key, Wakers};
use crate::event_loop::{
    Carried, Dispatcher, Event, Flow, Handle, Kind, Onward, Resource, State, current,
};
use crate::pool::Lane;
use crate::sys;
use crate::task::job::Ended;

/// `read_start` was called: a callback is there, be it running or not.
pub(super) const READING: u16 = 1;
/// The callback is kept, but not called.
pub(super) const PAUSED: u16 = 2;
/// Nothing is behind what was read.
pub(super) const ENDED: u16 = 4;
/// The loop is an owner.
const HELD: u16 = 8;
/// The failure was told to who takes chunk by chunk.
pub(super) const FAILURE_TOLD: u16 = 16;

/// A file that is streamed.
pub(crate) struct Reader {
    handle: Handle,
    path: Arc<Path>,
    /// What is read at a time.
    chunk: usize,
    pub(super) on_read: CallbackSlot<OnRead>,
    pub(super) readers: Wakers,
    /// The one job: it opens or reads.
    job: Cell<Option<Key>>,
    /// Where the job comes home to.
    home: OnceCell<Rc<Home>>,
    place: Guarded<Place>,
    pub(super) ahead: Guarded<Ahead>,
    /// Memory for the next chunk.
    spare: Cell<Vec<u8>>,
    /// What ended the reading before the end.
    pub(super) failure: Guarded<Option<io::Error>>,
    bytes_read: Cell<u64>,
}

/// The file, and what of it is still to be read.
#[derive(Default)]
struct Place {
    file: Option<Opening>,
    left: u64,
}

/// An open file, and how it is to be read.
#[derive(Clone)]
pub(super) struct Opening {
    source: Source,
    /// Where the next chunk begins; without it, where the file's position is.
    at: Option<u64>,
    /// Its reads wait for nobody, so a chunk is filled.
    is_regular: bool,
}

/// What was read and not taken yet.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) bytes: Vec<u8>,
    pub(super) taken: usize,
}

/// What a job has brought.
enum Brought {
    Opened(Opening),
    Chunk { bytes: Vec<u8>, is_last: bool },
}

/// Where a job comes home to. Weak: a stream that nobody holds any more ends, and its job with it.
struct Home(Weak<Reader>);

impl Opening {
    pub(super) fn of(source: Source, at: Option<u64>) -> io::Result<Self> {
        let is_regular = source.metadata()?.is_file();
        Ok(Self { source, at, is_regular })
    }

    /// In the pool: fills `bytes`, as far as it has room and nobody has to be waited for. True if that is the
    /// end of the file.
    fn read(&self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let read = match self.at {
                None => sys::append(&self.source, bytes),
                Some(at) => sys::append_at(&self.source, bytes, at + bytes.len() as u64),
            };
            match read {
                Ok(0) => return Ok(true),
                Ok(_) if self.is_regular && bytes.len() < bytes.capacity() => {}
                Ok(_) => return Ok(false),
                // What was read is told; the error comes again with the next chunk.
                Err(_) if !bytes.is_empty() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

impl Reader {
    /// A stream whose file is opened by `open`, in the pool.
    #[track_caller]
    pub(super) fn make(
        path: &Path,
        options: &ReadStreamOptions,
        open: impl FnOnce(&Path) -> io::Result<Opening> + Send + 'static,
    ) -> Rc<Self> {
        let path: Arc<Path> = Arc::from(path);
        let length = options.length();
        let reader = Handle::make(&current(), Kind::ReadStream, |handle| Self {
            handle,
            path: path.clone(),
            chunk: options.chunk(),
            on_read: CallbackSlot::default(),
            readers: Wakers::default(),
            job: Cell::new(None),
            home: OnceCell::new(),
            place: Guarded::new(Place { file: None, left: *length.as_ref().unwrap_or(&0) }),
            ahead: Guarded::default(),
            spare: Cell::default(),
            failure: Guarded::default(),
            bytes_read: Cell::new(0),
        });
        let _ = reader.home.set(Rc::new(Home(Rc::downgrade(&reader))));
        match length {
            Err(error) => reader.failure.with(|slot| *slot = Some(failed("open", &path, error))),
            Ok(_) => reader.begin(move || {
                open(&path).map(Brought::Opened).map_err(|error| failed("open", &path, error))
            }),
        }
        reader
    }

    pub(super) fn state(&self) -> &Rc<State> {
        self.handle.state()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    pub(super) fn has(&self, flags: u16) -> bool {
        self.handle.own_flags() & flags != 0
    }

    pub(super) fn set(&self, flag: u16, on: bool) {
        let flags = self.handle.own_flags();
        self.handle.set_own_flags(if on { flags | flag } else { flags & !flag });
    }

    /// Brings liveness and ownership in line: who waits keeps the loop alive; for a callback, though it is
    /// paused, the loop holds the stream.
    pub(super) fn update(&self) {
        let is_called_back = self.has(READING) && !self.has(PAUSED);
        self.handle.set_active(is_called_back || !self.readers.is_empty());
        let held = self.has(READING);
        if held != self.has(HELD) && !self.handle.is_closing() {
            self.set(HELD, held);
            self.handle.hold(held);
        }
    }

    /// Whether there is something to tell: bytes, the end, or a failure.
    pub(super) fn has_news(&self) -> bool {
        self.has(ENDED)
            || self.ahead.with(|ahead| !ahead.is_empty())
            || self.failure.with(|failure| failure.is_some())
    }

    #[track_caller]
    fn begin(&self, job: impl FnOnce() -> io::Result<Brought> + Send + 'static) {
        let state = self.state();
        let key = state.submit(Lane::Fast, Carried::ForHandle, job);
        self.job.set(Some(key));
        if let Some(home) = self.home.get() {
            state.pass_job_on(key, home.clone());
        }
    }

    /// Has the pool read the next chunk, unless it is at work, or the last one was not taken yet.
    pub(super) fn read_ahead(&self) {
        if self.job.get().is_some() || self.has_news() || self.handle.is_closing() {
            return;
        }
        let next = self.place.with(|place| place.file.clone().map(|file| (file, place.left)));
        let Some((file, left)) = next else { return };
        let length = usize::try_from(left).map_or(self.chunk, |left| left.min(self.chunk));
        let mut bytes = self.spare.take();
        if bytes.capacity() > length {
            // The end of a range: no byte behind it is taken from the file.
            bytes = Vec::new();
        }
        let path = self.path.clone();
        self.begin(move || {
            bytes.clear();
            bytes.reserve_exact(length);
            let is_last = file.read(&mut bytes).map_err(|error| failed("read", &path, error))?;
            Ok(Brought::Chunk { bytes, is_last })
        });
    }

    /// Memory of a chunk that was taken.
    pub(super) fn recycle(&self, bytes: Vec<u8>) {
        self.spare.set(bytes);
    }

    /// The job has come home.
    fn job_done(self: Rc<Self>, ended: Ended, d: &mut Dispatcher<'_>) -> Flow {
        self.job.set(None);
        if self.handle.is_closing() {
            return Ok(());
        }
        match ended.result::<io::Result<Brought>>().unwrap_or_else(|undone| Err(undone.into())) {
            Ok(Brought::Opened(file)) => self.opened(file),
            Ok(Brought::Chunk { bytes, is_last }) => self.was_read(bytes, is_last),
            Err(error) => self.failure.with(|failure| *failure = Some(error)),
        }
        self.tell(d)
    }

    fn opened(&self, file: Opening) {
        let is_empty = self.place.with(|place| {
            place.file = Some(file);
            place.left == 0
        });
        self.set(ENDED, is_empty);
    }

    fn was_read(&self, mut bytes: Vec<u8>, is_last: bool) {
        let (read, is_all) = self.place.with(|place| {
            // A system may give more room than it was asked for.
            bytes.truncate(usize::try_from(place.left).unwrap_or(usize::MAX));
            let read = bytes.len() as u64;
            place.left -= read;
            if let Some(at) = place.file.as_mut().and_then(|file| file.at.as_mut()) {
                *at += read;
            }
            (read, place.left == 0)
        });
        self.bytes_read.set(self.bytes_read.get() + read);
        self.ahead.with(|ahead| *ahead = Ahead { bytes, taken: 0 });
        self.set(ENDED, is_last || is_all);
    }

    pub(super) fn close(self: &Rc<Self>) {
        let resource: Rc<dyn Resource> = self.clone();
        crate::event_loop::close(&resource);
    }

    /// Lets go of the file and of the job.
    fn rest(&self) {
        if let Some(key) = self.job.take() {
            self.state().refuse_job(key);
        }
        drop((self.place.take(), self.ahead.take(), self.spare.take()));
    }
}

impl Onward<Ended> for Home {
    fn settle(&self, ended: Ended, d: &mut Dispatcher<'_>) -> Flow {
        match self.0.upgrade() {
            Some(reader) => reader.job_done(ended, d),
            None => Ok(()),
        }
    }

    /// No job of a stream ends within a call.
    fn settle_later(&self, _: Ended) {}

    /// The loop goes away, and with it the stream.
    fn abandon(&self, _: Ended) {}
}

impl Resource for Reader {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        match event {
            Event::Pending if !self.handle.is_closing() => self.tell(d),
            _ => Ok(()),
        }
    }

    fn release(&self) {
        self.rest();
        self.readers.wake();
    }

    fn discard(&self) {
        drop(self.on_read.clear());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.rest();
    }
}
