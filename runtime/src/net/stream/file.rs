//! A file in the write queue: what of it the system has in memory it sends by itself, the rest the pool
//! reads first.
//!
//! ```text
//!   send_file ── small, in memory, nothing queued ──▶ one write with what goes before it
//!        └──▶ queue ──▶ [ File ] ── in memory ──▶ sendfile ──┐
//!                          ▲  └──── not ──▶ pool reads ──▶ [ Read ] ──▶ send
//!                          └───────────────── the next chunk ◀────────────────┘
//! ```
//!
//! So the loop's thread waits for no disk: before each chunk it asks whether its last byte is in memory.
//! A chunk of which only the middle was dropped from there is the price of asking for one byte.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::rc::Rc;

use super::kind::StreamHandle;
use super::lent::Lent;
use super::queue::{Load, Owner};
use super::resource::Stream;
use crate::base::{InlineFn, Key};
use crate::event_loop::{Carried, Resource, State};
use crate::fs::{Descriptor, File};
use crate::pool::Lane;
use crate::reactor::Interest;
use crate::request::{Plain, Request};
use crate::sys::{self, Channel};
use crate::task::job::{Ended, JobOwner};

/// What is sent, or read, at a time: enough for a socket, and short enough for a disk.
const CHUNK: usize = 256 * 1024;

/// In the errors of the file.
const NAME: &str = "send_file";

/// Of a file, what is still to be sent.
pub(super) struct FilePart {
    file: Descriptor,
    offset: u64,
    left: u64,
    next: Next,
}

/// Where the next bytes come from.
enum Next {
    /// It is to be seen.
    Unknown,
    Reading(#[expect(dead_code, reason = "its drop gives the job up")] Reading),
    /// Read by the pool, and sent up to a place.
    Read(Vec<u8>, usize),
    Failed(io::Error),
}

/// A job of the pool, which nobody wants any more when this is dropped.
struct Reading {
    state: Rc<State>,
    key: Key,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.state.refuse_job(self.key);
    }
}

impl FilePart {
    fn new(file: Descriptor, range: Range<u64>) -> Self {
        let Range { start, end } = range;
        Self { file, offset: start, left: end - start, next: Next::Unknown }
    }

    fn chunk(&self) -> usize {
        usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK))
    }

    pub(super) fn is_sent(&self) -> bool {
        self.left == 0
    }

    fn is_reading(&self) -> bool {
        matches!(self.next, Next::Reading(_))
    }

    /// Sends what comes next: how much of it went, or `None` if the pool has to read it first.
    pub(super) fn send(&mut self, channel: &impl Channel) -> io::Result<Option<usize>> {
        let sent = match &mut self.next {
            Next::Unknown => self.send_from_memory(channel)?,
            Next::Reading(_) => None,
            Next::Read(bytes, sent) => Some(channel.send(&bytes[*sent..])?),
            Next::Failed(_) => return Err(self.take_failure()),
        };
        if let Some(sent) = sent {
            self.advance(sent);
        }
        Ok(sent)
    }

    fn send_from_memory(&self, channel: &impl Channel) -> io::Result<Option<usize>> {
        let chunk = self.chunk();
        if !self.file.is_written() || !sys::is_cached(&self.file, self.offset + chunk as u64 - 1) {
            return Ok(None);
        }
        match channel.send_file(&self.file, self.offset, chunk)? {
            Some(0) => Err(self.file.failed(NAME, ended_early())),
            sent => Ok(sent),
        }
    }

    fn take_failure(&mut self) -> io::Error {
        match std::mem::replace(&mut self.next, Next::Unknown) {
            Next::Failed(error) => error,
            _ => unreachable!("it was just seen"),
        }
    }

    fn advance(&mut self, sent: usize) {
        self.offset += sent as u64;
        self.left -= sent as u64;
        if let Next::Read(bytes, place) = &mut self.next {
            *place += sent;
            if *place == bytes.len() {
                self.next = Next::Unknown;
            }
        }
    }
}

/// Files end where a signed number does.
fn check(range: &Range<u64>) -> io::Result<()> {
    if range.start > range.end || range.end > i64::MAX as u64 {
        let message = format!("no file has the bytes {range:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file ended before all of it was sent")
}

/// In the pool: up to `length` bytes, and one at least.
fn read_chunk(file: &std::fs::File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = match sys::read_at(file, &mut bytes, offset) {
        // Of a device that has nothing now. For a stream that would say that its socket is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(io::Error::other(error));
        }
        read => read?,
    };
    bytes.truncate(read);
    if read == 0 { Err(ended_early()) } else { Ok(bytes) }
}

impl<S: StreamHandle> Stream<S> {
    /// Writes `head`, and then the bytes of `file` that are in `range`.
    pub(crate) fn send_file(
        self: &Rc<Self>,
        head: &[u8],
        file: &File,
        range: Range<u64>,
    ) -> Request<()> {
        let file = file.descriptor();
        if let Err(error) = check(&range) {
            return Request::done(Err(error));
        }
        if let Some(request) = self.send_small_file(head, &file, &range) {
            return request;
        }
        if !head.is_empty() {
            // If it fails, so does what follows.
            drop(self.write(head));
        }
        if let Err(error) = self.check_writable() {
            return Request::done(Err(error));
        }
        let request = Plain::new(self.state());
        let part = FilePart::new(file, range);
        let owner = Owner::Request(request.clone());
        if let Err(error) = self.enqueue(Load::File(Box::new(part)), owner) {
            return Request::done(Err(error));
        }
        self.go_on();
        Request::waiting(request)
    }

    /// What fits into the loop's buffer and is in memory is written like other bytes.
    fn send_small_file(
        self: &Rc<Self>,
        head: &[u8],
        file: &Descriptor,
        range: &Range<u64>,
    ) -> Option<Request<()>> {
        let mut buffer = Lent::new(self.state());
        let length = range.end - range.start;
        let length = usize::try_from(length).ok().filter(|length| *length <= buffer.len())?;
        let body = &mut buffer[..length];
        let is_read = length == 0
            || file.is_written() && sys::read_cached(file, body, range.start) == Some(length);
        is_read.then(|| self.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]))
    }

    /// Lets the pool read the next chunk of the file in front. Nothing can be written meanwhile.
    pub(super) fn read_ahead(self: &Rc<Self>) {
        self.ask_no_more_for(Interest::WRITABLE);
        let (state, stream) = (self.state().clone(), Rc::downgrade(self));
        let begun = self.with_writing(|writing| {
            let part = writing.file_in_front().filter(|part| matches!(part.next, Next::Unknown))?;
            let (offset, chunk) = (part.offset, part.chunk());
            let read = part.file.question(NAME, move |file| read_chunk(file, offset, chunk));
            let key = state.submit(Lane::Fast, Carried::IfWanted, read);
            part.next = Next::Reading(Reading { state: state.clone(), key });
            Some(key)
        });
        let Some(key) = begun else { return };
        let told = move |ended: Ended| {
            if let Some(stream) = stream.upgrade() {
                stream.was_read(ended);
            }
            Ok(())
        };
        state.on_job_end(key, InlineFn::new(told));
    }

    /// The pool has read a chunk.
    fn was_read(self: &Rc<Self>, ended: Ended) {
        if self.handle().is_closing() {
            return;
        }
        let read: io::Result<io::Result<Vec<u8>>> = ended.result().map_err(io::Error::from);
        let next = match read.and_then(|read| read) {
            Ok(bytes) => Next::Read(bytes, 0),
            Err(error) => Next::Failed(error),
        };
        self.with_writing(|writing| {
            if let Some(part) = writing.file_in_front() {
                part.next = next;
            }
        });
        self.go_on();
    }

    /// Writes what can be written now; what is done is told in the pending phase.
    fn go_on(self: &Rc<Self>) {
        self.flush();
        let is_reading = self
            .ask_writing(|writing| writing.file_in_front().is_some_and(|part| part.is_reading()));
        if self.wants_to_write()
            && !is_reading
            && let Err(error) = self.ask_for(Interest::WRITABLE)
        {
            self.writing_failed(&error);
        }
        self.pend_finished();
    }
}
