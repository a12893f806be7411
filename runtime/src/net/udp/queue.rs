//! The datagrams that the system had no room for, and the requests that wait for them.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::event_loop::copy_of;
use crate::request::Plain;

/// A datagram on top of more than this is refused.
const LIMIT: usize = 64 * 1024 * 1024;
/// On top of as many too: each costs memory, however short it is.
const QUEUED_DATAGRAMS: usize = 1 << 20;

pub(super) type Sent = Rc<Plain<usize>>;

/// What is queued, and what is done and still to be told.
pub(super) struct SendQueue {
    queue: VecDeque<Entry>,
    /// Bytes that are queued.
    size: usize,
    pub(super) limit: usize,
    /// Sent, or failed; their requests are still to be told.
    pub(super) finished: VecDeque<(Sent, io::Result<usize>)>,
}

struct Entry {
    bytes: Box<[u8]>,
    to: Option<SocketAddr>,
    request: Sent,
}

impl Default for SendQueue {
    fn default() -> Self {
        let (queue, finished) = (VecDeque::new(), VecDeque::new());
        Self { queue, size: 0, limit: LIMIT, finished }
    }
}

impl SendQueue {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes that are queued.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_over_limit(&self) -> bool {
        self.size > self.limit || self.queue.len() >= QUEUED_DATAGRAMS
    }

    /// Requests in flight: those of what is queued, and those that are still to be told.
    pub(super) fn requests(&self) -> usize {
        self.queue.len() + self.finished.len()
    }

    /// Whether requests are in flight.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || !self.finished.is_empty()
    }

    pub(super) fn push(&mut self, bytes: Box<[u8]>, to: Option<SocketAddr>, request: Sent) {
        self.size += bytes.len();
        self.queue.push_back(Entry { bytes, to, request });
    }

    /// What is queued, in order.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (&[u8], Option<SocketAddr>)> {
        self.queue.iter().map(|entry| (&*entry.bytes, entry.to))
    }

    /// The first `count` were sent.
    pub(super) fn sent(&mut self, count: usize) {
        for _ in 0..count {
            self.finish_first(|entry| Ok(entry.bytes.len()));
        }
    }

    /// The first one failed.
    pub(super) fn failed(&mut self, error: io::Error) {
        self.finish_first(|_| Err(error));
    }

    fn finish_first(&mut self, result: impl FnOnce(&Entry) -> io::Result<usize>) {
        if let Some(entry) = self.queue.pop_front() {
            self.size -= entry.bytes.len();
            let result = result(&entry);
            self.finished.push_back((entry.request, result));
        }
    }

    /// Everything that is queued ends with a copy of `error`.
    pub(super) fn fail_all(&mut self, error: &io::Error) {
        while !self.queue.is_empty() {
            self.failed(copy_of(error));
        }
    }

    /// The loop goes away.
    pub(super) fn abandon(self) {
        let finished = self.finished.into_iter().map(|(request, _)| request);
        finished.chain(self.queue.into_iter().map(|entry| entry.request)).for_each(|request| {
            request.abandon();
        });
    }
}
