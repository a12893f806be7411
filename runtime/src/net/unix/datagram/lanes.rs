//! Datagrams that had to wait, a lane for each destination.
//!
//! ```text
//!   send_to(a) ─▶ lane a: 1 2 3 ── sendmsg ── taken ──▶ finished ─▶ told
//!   send_to(b) ─▶ lane b: 1 ────── sendmsg ── full ───▶ stays
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

use crate::net::datagram::SENDS_PER_EVENT;
use crate::net::datagram::queue::{self, Finished, Line, Waiting};
use crate::sys;

/// How long the first wait for a destination is; each is twice the one before it.
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// And the longest.
const LONGEST_WAIT: Duration = Duration::from_millis(32);

/// A datagram, and the descriptors that go with it.
pub(super) type Entry = queue::Entry<Box<[OwnedFd]>>;

/// What is queued.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    wait: Duration,
}

/// What waits for one destination: that of `send_to`, or else the peer.
struct Lane {
    to: Option<SocketAddr>,
    line: Line<Box<[OwnedFd]>>,
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
        Self { lanes: Vec::new(), wait: FIRST_WAIT }
    }
}

impl Lanes {
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

    /// Whether its lane has more than `limit`, in bytes.
    pub(super) fn is_over(&self, limit: usize, to: Option<&SocketAddr>) -> bool {
        self.lane(to).is_some_and(|lane| self.lanes[lane].line.is_over(limit))
    }

    pub(super) fn push(&mut self, to: Option<SocketAddr>, entry: Entry) {
        let lane = self.lane(to.as_ref()).unwrap_or_else(|| {
            self.lanes.push(Lane { to, line: Line::default() });
            self.lanes.len() - 1
        });
        self.lanes[lane].line.push(entry);
    }

    /// Sends what can be sent.
    pub(super) fn flush(
        &mut self,
        finished: &mut Finished,
        mut send: impl FnMut(&Entry, Option<&SocketAddr>) -> io::Result<usize>,
    ) -> WaitsFor {
        let mut waits_for = WaitsFor::default();
        let done_before = finished.len();
        self.lanes.retain_mut(|lane| {
            for _ in 0..SENDS_PER_EVENT {
                let Some(entry) = lane.line.iter().next() else { return false };
                match send(entry, lane.to.as_ref()) {
                    Err(error) if sys::is_full(&error) => {
                        let is_told =
                            lane.to.is_none() && error.kind() == io::ErrorKind::WouldBlock;
                        waits_for.event |= is_told;
                        waits_for.time |= !is_told;
                        return true;
                    }
                    // An error is that of this one. Those behind it are no worse for that.
                    result => lane.line.finish_first(result.map(drop), finished),
                }
            }
            let has_more = !lane.line.is_empty();
            // It was this one's turn, and there is room.
            waits_for.event |= has_more && lane.to.is_none();
            waits_for.time |= has_more && lane.to.is_some();
            has_more
        });
        if finished.len() > done_before {
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
}

impl Waiting for Lanes {
    fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.line.len()).sum()
    }

    fn size(&self) -> usize {
        self.lanes.iter().map(|lane| lane.line.size()).sum()
    }

    fn requests(&self) -> usize {
        self.lanes.iter().map(|lane| lane.line.requests()).sum()
    }

    fn fail_all(&mut self, error: &io::Error, finished: &mut Finished) {
        for mut lane in self.lanes.drain(..) {
            lane.line.fail_all(error, finished);
        }
    }
}
