//! Sending: at once if there is room, else through the lane of the destination.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;

use super::UnixDatagram;
use super::lanes::{Entry, WaitsFor};
use super::resource::Inner;
use crate::base::clock::saturating_ns;
use crate::error::QueueFull;
use crate::error::failed;
use crate::net::datagram::queue::Waiting;
use crate::net::unix::ToUnixAddr;
use crate::net::unix::address::shown;
use crate::net::unix::fds::check_count;
use crate::reactor::Interest;
use crate::request::Request;
use crate::sys;

/// Sending, for callbacks and tasks alike.
impl UnixDatagram {
    /// Sends `data` as one datagram. Tried at once; if there is no room, here or at the destination, it is
    /// copied and queued, behind what is queued for the same destination.
    ///
    /// The result is the length of `data`. It need not be used; what is queued is sent all the same.
    /// For room at a destination the system has no event, except at the peer of
    /// [`connect`](Self::connect): it is tried again, after 1 ms at first and later every 32 ms.
    ///
    /// # Ordering
    /// Datagrams to one destination are sent in order. A request is done in the poll phase, or the timers
    /// phase after such a wait; one that was done at once calls back in the pending phase.
    ///
    /// # Errors
    /// The system's, which name the path, and of which each is told once and none ends the socket:
    /// `NotFound` if nothing is there, `ConnectionRefused` if no socket has it any more, `EMSGSIZE` for
    /// what is longer than the buffer of the socket; [`QueueFull`](crate::QueueFull), which drops this
    /// datagram only; `InvalidInput` for what is [no address](ToUnixAddr::to_unix_addr);
    /// [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// A datagram that is queued stays queued when the future is dropped.
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: impl ToUnixAddr) -> Request<usize> {
        self.send_to_with_fds(data, [], to)
    }

    /// As [`send_to`](Self::send_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `ENOTCONN` if there is none; else as [`send_to`](Self::send_to).
    pub fn send(&self, data: impl AsRef<[u8]>) -> Request<usize> {
        self.send_with_fds(data, [])
    }

    /// As [`send_to`](Self::send_to), and passes `fds` to the process that receives it. They are closed
    /// here when they were sent, or can't be.
    ///
    /// # Errors
    /// `InvalidInput` for more than 253 descriptors; `ETOOMANYREFS`, on Linux, if the user has more of them
    /// under way than a process may have open; else as [`send_to`](Self::send_to).
    pub fn send_to_with_fds(
        &self,
        data: impl AsRef<[u8]>,
        fds: impl Into<Vec<OwnedFd>>,
        to: impl ToUnixAddr,
    ) -> Request<usize> {
        match to.to_unix_addr() {
            Ok(to) => self.0.send(data.as_ref(), fds.into(), Some(to)),
            Err(error) => Request::done(Err(error)),
        }
    }

    /// As [`send_to_with_fds`](Self::send_to_with_fds), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `ENOTCONN` if there is none; else as there.
    pub fn send_with_fds(
        &self,
        data: impl AsRef<[u8]>,
        fds: impl Into<Vec<OwnedFd>>,
    ) -> Request<usize> {
        self.0.send(data.as_ref(), fds.into(), None)
    }

    /// Sends a datagram if there is room for it at once.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, or something is queued for the same destination; else as
    /// [`send_to`](Self::send_to).
    pub fn try_send_to(&self, data: &[u8], to: impl ToUnixAddr) -> io::Result<usize> {
        let to = to.to_unix_addr()?;
        self.0.try_send(data, &[], Some(&to))
    }

    /// As [`try_send_to`](Self::try_send_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// As there; `ENOTCONN` if there is no peer.
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.try_send(data, &[], None)
    }

    /// Bytes that are queued.
    pub fn send_queue_size(&self) -> usize {
        self.0.ask_queue(|queue| queue.waiting.size())
    }

    /// Datagrams that are queued.
    pub fn send_queue_count(&self) -> usize {
        self.0.ask_queue(|queue| queue.waiting.len())
    }

    /// Sets the limit of what is queued for one destination, in bytes; default 64 MiB. A datagram on top of
    /// more than that fails with [`QueueFull`](crate::QueueFull). A million (2^20) of them are too many in
    /// any case.
    pub fn set_send_limit(&self, bytes: usize) {
        self.0.with_queue(|queue| queue.limit = bytes);
    }
}

impl Inner {
    fn send(
        self: &Rc<Self>,
        bytes: &[u8],
        fds: Vec<OwnedFd>,
        to: Option<SocketAddr>,
    ) -> Request<usize> {
        match self.try_send(bytes, &fds, to.as_ref()) {
            Err(error) if sys::is_full(&error) => self.enqueue(bytes, fds, to),
            result => Request::done(result),
        }
    }

    fn try_send(
        &self,
        bytes: &[u8],
        fds: &[OwnedFd],
        to: Option<&SocketAddr>,
    ) -> io::Result<usize> {
        self.handle.check_open()?;
        check_count(fds.len())?;
        if self.ask_queue(|queue| queue.waiting.is_blocked(to)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.attempt(bytes, fds, to)
    }

    fn attempt(&self, bytes: &[u8], fds: &[OwnedFd], to: Option<&SocketAddr>) -> io::Result<usize> {
        let sent = self.with_socket(|socket| sys::send_local(socket, bytes, fds, to));
        sent.map_err(|error| match to {
            Some(to) if !sys::is_full(&error) => {
                failed(format!("cannot send to {}", shown(to)), error)
            }
            _ => error,
        })
    }

    fn enqueue(
        self: &Rc<Self>,
        bytes: &[u8],
        fds: Vec<OwnedFd>,
        to: Option<SocketAddr>,
    ) -> Request<usize> {
        if self.with_queue(|queue| queue.waiting.is_over(queue.limit, to.as_ref())) {
            return Request::done(Err(QueueFull.into()));
        }
        let waits_for = WaitsFor { event: to.is_none(), time: to.is_some() };
        if let Err(error) = self.wait_for(waits_for) {
            return Request::done(Err(error));
        }
        self.queued(|lanes, asker| {
            lanes.push(to, Entry { bytes: bytes.into(), with: fds.into(), asker });
        })
    }

    fn wait_for(&self, waits_for: WaitsFor) -> io::Result<()> {
        if waits_for.event {
            self.ask_for(Interest::WRITABLE)?;
        }
        if waits_for.time {
            self.try_again_later();
        }
        Ok(())
    }

    fn try_again_later(&self) {
        if let Some(timer) = self.own.retry.take() {
            return self.own.retry.set(Some(timer));
        }
        let wait = self.with_queue(|queue| queue.waiting.next_wait());
        let state = self.handle.state();
        let deadline = state.update_time().saturating_add(saturating_ns(wait));
        self.own.retry.set(Some(state.arm(deadline, self.handle.slot())));
    }

    /// There may be room: sends what is queued.
    pub(super) fn flush(&self) {
        let waits_for = self.with_queue(|queue| {
            let send = |entry: &Entry, to: Option<&SocketAddr>| {
                self.attempt(&entry.bytes, &entry.with, to)
            };
            queue.waiting.flush(&mut queue.finished, send)
        });
        if !waits_for.event {
            self.ask_no_more_for(Interest::WRITABLE);
        }
        if let Err(error) = self.wait_for(waits_for) {
            self.with_queue(|queue| queue.fail_all(&error));
        }
    }
}
