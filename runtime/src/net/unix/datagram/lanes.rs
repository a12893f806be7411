//! Datagrams that had to wait, a lane for each destination.
//!
//! ```text
//!   send_to(a) ─▶ lane a: 1 2 3 ── sendmsg ── taken ──▶ finished ─▶ told
//!   send_to(b) ─▶ lane b: 1 ────── sendmsg ── full ───▶ stays
//! ```

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::event_loop::copy_of;
use crate::request::Plain;
use crate::sys;

/// A datagram on top of more than this in its lane is refused.
const LIMIT: usize = 64 * 1024 * 1024;
/// On top of as many too: each costs memory, however short it is.
const QUEUED_DATAGRAMS: usize = 1 << 20;
/// System calls for a lane in one event: a long one must not starve the others.
const SENDS_PER_EVENT: usize = 32;
/// How long the first wait for a destination is; each is twice the one before it.
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// And the longest.
const LONGEST_WAIT: Duration = Duration::from_millis(32);

pub(super) type Sent = Rc<Plain<usize>>;

/// What is queued, and what is done and still to be told.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    pub(super) limit: usize,
    /// Sent, or failed; their requests are still to be told.
    pub(super) finished: VecDeque<(Sent, io::Result<usize>)>,
    wait: Duration,
}

/// What waits for one destination: that of `send_to`, or else the peer.
struct Lane {
    to: Option<SocketAddr>,
    entries: VecDeque<Entry>,
    size: usize,
}

pub(super) struct Entry {
    pub(super) bytes: Box<[u8]>,
    pub(super) fds: Box<[OwnedFd]>,
    pub(super) request: Sent,
}

/// What the lanes that are left wait for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WaitsFor {
    /// The system tells when there is room.
    pub(super) event: bool,
    /// It does not: there is room here, and none at the destination.
    pub(super) time: bool,
}

impl Default for Lanes {
    fn default() -> Self {
        let finished = VecDeque::new();
        Self { lanes: Vec::new(), limit: LIMIT, finished, wait: FIRST_WAIT }
    }
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.entries.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Requests that are in flight.
    pub(super) fn requests(&self) -> usize {
        self.len() + self.finished.len()
    }

    /// Bytes that are queued.
    pub(super) fn size(&self) -> usize {
        self.lanes.iter().map(|lane| lane.size).sum()
    }

    /// Whether requests are in flight.
    pub(super) fn is_busy(&self) -> bool {
        !self.lanes.is_empty() || !self.finished.is_empty()
    }

    fn lane(&self, to: Option<&SocketAddr>) -> Option<usize> {
        self.lanes.iter().position(|lane| match (&lane.to, to) {
            (None, None) => true,
            (Some(one), Some(other)) => sys::is_same_address(one, other),
            _ => false,
        })
    }

    /// Whether something waits for this destination.
    pub(super) fn is_blocked(&self, to: Option<&SocketAddr>) -> bool {
        self.lane(to).is_some()
    }

    pub(super) fn is_over_limit(&self, to: Option<&SocketAddr>) -> bool {
        self.lane(to).is_some_and(|lane| {
            let lane = &self.lanes[lane];
            lane.size > self.limit || lane.entries.len() >= QUEUED_DATAGRAMS
        })
    }

    pub(super) fn push(&mut self, to: Option<SocketAddr>, entry: Entry) {
        let lane = self.lane(to.as_ref()).unwrap_or_else(|| {
            self.lanes.push(Lane { to, entries: VecDeque::new(), size: 0 });
            self.lanes.len() - 1
        });
        self.lanes[lane].size += entry.bytes.len();
        self.lanes[lane].entries.push_back(entry);
    }

    /// Sends what can be sent.
    pub(super) fn flush(
        &mut self,
        mut send: impl FnMut(&Entry, Option<&SocketAddr>) -> io::Result<usize>,
    ) -> WaitsFor {
        let mut waits_for = WaitsFor::default();
        let done_before = self.finished.len();
        let finished = &mut self.finished;
        self.lanes.retain_mut(|lane| {
            for _ in 0..SENDS_PER_EVENT {
                let Some(entry) = lane.entries.front() else { return false };
                match send(entry, lane.to.as_ref()) {
                    Err(error) if sys::is_full(&error) => {
                        let is_told =
                            lane.to.is_none() && error.kind() == io::ErrorKind::WouldBlock;
                        waits_for.event |= is_told;
                        waits_for.time |= !is_told;
                        return true;
                    }
                    // An error is that of this one. Those behind it are no worse for that.
                    result => lane.finish_first(result, finished),
                }
            }
            let has_more = !lane.entries.is_empty();
            // It was this one's turn, and there is room.
            waits_for.event |= has_more && lane.to.is_none();
            waits_for.time |= has_more && lane.to.is_some();
            has_more
        });
        if self.finished.len() > done_before {
            self.wait = FIRST_WAIT;
        }
        waits_for
    }

    /// How long to wait before the next attempt.
    pub(super) fn next_wait(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST_WAIT);
        wait
    }

    /// Everything that is queued ends with a copy of `error`.
    pub(super) fn fail_all(&mut self, error: &io::Error) {
        for mut lane in self.lanes.drain(..) {
            while !lane.entries.is_empty() {
                lane.finish_first(Err(copy_of(error)), &mut self.finished);
            }
        }
    }

    /// The loop goes away.
    pub(super) fn abandon(self) {
        let finished = self.finished.into_iter().map(|(request, _)| request);
        let queued = self.lanes.into_iter().flat_map(|lane| lane.entries);
        for request in finished.chain(queued.map(|entry| entry.request)) {
            request.abandon();
        }
    }
}

impl Lane {
    fn finish_first(
        &mut self,
        result: io::Result<usize>,
        finished: &mut VecDeque<(Sent, io::Result<usize>)>,
    ) {
        if let Some(entry) = self.entries.pop_front() {
            self.size -= entry.bytes.len();
            finished.push_back((entry.request, result));
        }
    }
}
