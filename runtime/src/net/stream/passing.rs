//! Descriptors that go along with the bytes, where the channel takes them.
//!
//! ```text
//!   write_with_fds ── queue empty ──▶ sendmsg ── a part ──▶ the rest is queued, without them
//!        └── queued ──▶ an entry has them ──▶ first in its system call ──▶ sent: they are closed
//!   recvmsg ──▶ Taking ──▶ the callback, or closed
//! ```

use std::io::{self, IoSlice};
use std::rc::Rc;

use super::kind::StreamHandle;
use super::resource::{READ_ENDED, READABLE, READING, Stream, TAKES_FDS};
use crate::error::Outcome;
use crate::request::Request;
use crate::sys::{Channel, Descriptor, ReceivedFds};

/// What a callback that takes descriptors is given with the bytes.
#[derive(Debug)]
pub(crate) struct Taking {
    max_fds: usize,
    received: ReceivedFds,
}

impl<S: StreamHandle> Stream<S> {
    /// Writes `bytes`, which are some, and `fds` with the first of them.
    pub(crate) fn write_with_fds(
        self: &Rc<Self>,
        bytes: &[u8],
        fds: Box<[Descriptor]>,
    ) -> Request<()> {
        if fds.is_empty() {
            return self.write(bytes);
        }
        if self.wants_to_write() {
            let checked = self.check_writable();
            return Request::begun(checked.and_then(|()| self.queue_rest(Some(bytes.into()), fds)));
        }
        match self.try_send(|channel| channel.send_with_fds(&[IoSlice::new(bytes)], &fds)) {
            // They wait with their first byte.
            Ok(0) => Request::begun(self.queue_rest(Some(bytes.into()), fds)),
            Ok(written) if written == bytes.len() => Request::done(Ok(())),
            Ok(written) => {
                Request::begun(self.queue_rest(Some(bytes[written..].into()), Box::default()))
            }
            Err(error) => Request::done(Err(error)),
        }
    }

    /// What of it the system takes at once.
    pub(crate) fn try_write_by(
        self: &Rc<Self>,
        send: impl FnOnce(&S::Channel) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.wants_to_write() {
            self.check_writable()?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.try_send(send)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    fn try_send(
        self: &Rc<Self>,
        send: impl FnOnce(&S::Channel) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.check_writable()?;
        let sent = self.with_channel(send);
        self.note_activity();
        self.sent(sent)
    }

    pub(crate) fn read_start_with_fds<R: Outcome>(
        self: &Rc<Self>,
        max_fds: usize,
        mut f: impl FnMut(&S, io::Result<(&[u8], ReceivedFds)>) -> R + 'static,
    ) {
        let was_reading = self.has(READING);
        self.read_start(move |stream: &S, data| {
            let received = stream.stream().take_received();
            f(stream, data.map(|data| (data, received))).into_result()
        });
        // It did not start beside another, whose descriptors stay its own.
        if !was_reading && self.has(READING) {
            let taking = Taking { max_fds, received: ReceivedFds::default() };
            self.with_rare(|rare| rare.set_taking(taking));
            self.set(TAKES_FDS, true);
        }
    }

    /// Reads for the callback.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.has(TAKES_FDS) {
            return self.with_channel(|channel| channel.recv(buffer));
        }
        let max_fds = self.ask_rare(|rare| rare.taking().map_or(0, |taking| taking.max_fds));
        let (read, received) =
            self.with_channel(|channel| channel.recv_with_fds(buffer, max_fds))?;
        self.ask_rare(|rare| {
            if let Some(taking) = rare.taking() {
                taking.received = received;
            }
        });
        Ok(read)
    }

    fn take_received(&self) -> ReceivedFds {
        self.ask_rare(|rare| {
            rare.taking().map(|taking| std::mem::take(&mut taking.received)).unwrap_or_default()
        })
    }

    /// Reads for a task: into `buffer`, and up to `max_fds` descriptors.
    pub(crate) fn recv_with_fds(
        &self,
        channel: &S::Channel,
        buffer: &mut [u8],
        max_fds: usize,
    ) -> io::Result<(usize, ReceivedFds)> {
        // Descriptors that came with nothing would look like the end.
        if self.has(READ_ENDED) || buffer.is_empty() {
            return Ok(Default::default());
        }
        let (read, received) = channel.recv_with_fds(buffer, max_fds)?;
        if read == 0 {
            self.set(READ_ENDED | READABLE, true);
        }
        Ok((read, received))
    }
}
