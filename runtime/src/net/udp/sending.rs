//! Sending: at once if the system takes it, else through a queue.
//!
//! ```text
//!   send_to(data) ── queue empty ──▶ sendto ── taken ──▶ done, nothing allocated
//!                         │             └── no room ──▶ copied and queued
//!                         └── queued ──▶ behind the others
//!   send_many_to(all) ── the same with sendmmsg, 32 a call; what is left is queued as one request
//!   writable event ──▶ sendmmsg, 32 a call ──▶ requests done, in order
//! ```

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;

use socket2::Socket;

use super::UdpSocket;
use super::resource::{CONNECTED, FAILED, Inner, QUEUES_ERRORS, V6};
use crate::error::QueueFull;
use crate::event_loop::copy_of;
use crate::net::ToAddr;
use crate::net::datagram::queue::{Asker, Entry, Waiting};
use crate::net::datagram::{SENDS_PER_EVENT, Unsent};
use crate::net::stream::Lent;
use crate::reactor::Interest;
use crate::request::Request;
use crate::sys::{self, MANY};

/// What is to be sent, and to whom; to the peer if nobody is named.
type Datagram<'a> = (&'a [u8], Option<SocketAddr>);

/// Sending, for callbacks and tasks alike.
impl UdpSocket {
    /// Sends `data` as one datagram to the first of the addresses that is of the socket's family.
    /// Tried at once; if the system has no room it is copied and queued, in the order of the calls.
    ///
    /// The result is the length of `data`. It need not be used; what is queued is sent all the same.
    /// That a datagram was sent does not mean that it arrives.
    ///
    /// # Ordering
    /// Requests of one socket are done in order, in the poll phase; one that was done at once calls
    /// back in the pending phase.
    ///
    /// # Errors
    /// The system's, of which each is told once and none ends the socket: `EMSGSIZE` for what is longer
    /// than a datagram can be, `ENETUNREACH`, `EACCES` for a broadcast that was not allowed;
    /// `EISCONN` if the socket is connected; [`QueueFull`](crate::QueueFull), which drops this datagram
    /// only; `InvalidInput` for what is no address; [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// A datagram that is queued stays queued when the future is dropped.
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: impl ToAddr) -> Request<usize> {
        match self.0.destination(to) {
            Ok(to) => self.0.send(data.as_ref(), Some(to)),
            Err(error) => Request::done(Err(error)),
        }
    }

    /// As [`send_to`](Self::send_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `EDESTADDRREQ` if the socket is not connected; `ECONNREFUSED` if an earlier datagram found
    /// nobody at the peer's port, which may be told to a receiver instead; else as
    /// [`send_to`](Self::send_to).
    pub fn send(&self, data: impl AsRef<[u8]>) -> Request<usize> {
        self.0.send(data.as_ref(), None)
    }

    /// Sends datagrams, each to its address, in order and with as few system calls as the system has for
    /// that: on Linux one for 32 of them. What it has no room for is copied and queued, as by
    /// [`send_to`](Self::send_to).
    ///
    /// The result is the number of datagrams, once all were sent. It need not be used.
    ///
    /// This is for who has several to send: the answers to what
    /// [`recv_many_start`](Self::recv_many_start) or [`recv_many_with`](Self::recv_many_with) lends, say,
    /// whose slice may be given as it is. For a single one `send_to` costs a bit less.
    ///
    /// # Ordering
    /// As [`send_to`](Self::send_to): one request among those of the socket, done when the last of the
    /// datagrams is.
    ///
    /// # Errors
    /// An error of one datagram ends nothing: those behind it are sent all the same, and at the end
    /// [`Unsent`] tells which were not, each with the error that `send_to` would have told,
    /// [`QueueFull`](crate::QueueFull) included. `EISCONN` if the socket is connected;
    /// [`Closed`](crate::Closed); [`Cancelled`](crate::Cancelled) if it is closed before all is sent.
    ///
    /// # Cancel safety
    /// What is queued stays queued when the future is dropped.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::{UdpSocket, Unsent};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ///     let (to_one, to_two) = (one.local_addr()?, two.local_addr()?);
    ///     assert_eq!(one.send_many_to(&[("a", to_one), ("b", to_two)]).await?, 2);
    ///
    ///     let too_long = "x".repeat(70_000);
    ///     let error = one.send_many_to(&[("c", to_two), (&too_long, to_two)]).await.unwrap_err();
    ///     let unsent = Unsent::of(&error).expect("a datagram can't be that long");
    ///     assert_eq!(unsent.errors()[0].0, 1, "its place; the first one was sent");
    ///     Ok(())
    /// }
    /// ```
    pub fn send_many_to(&self, datagrams: &[(impl AsRef<[u8]>, SocketAddr)]) -> Request<usize> {
        self.0.send_many(datagrams, true, |(data, to)| (data.as_ref(), Some(*to)))
    }

    /// As [`send_many_to`](Self::send_many_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `EDESTADDRREQ` if the socket is not connected; else as [`send_many_to`](Self::send_many_to), each
    /// datagram's as by [`send`](Self::send). But on Linux what the network says of an earlier datagram may
    /// go untold where `send` would fail by it: the datagram behind is then sent all the same.
    /// [`recv_errors`](crate::net::UdpOptions::recv_errors) tells all.
    pub fn send_many(&self, datagrams: &[impl AsRef<[u8]>]) -> Request<usize> {
        self.0.send_many(datagrams, false, |data| (data.as_ref(), None))
    }

    /// Sends several pieces as one datagram; else as [`send_to`](Self::send_to). Any number of them.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    /// As [`send_to`](Self::send_to).
    pub fn send_vectored_to(&self, parts: &[IoSlice<'_>], to: impl ToAddr) -> Request<usize> {
        self.0.gathered(parts, |data| self.send_to(data, to))
    }

    /// As [`send_vectored_to`](Self::send_vectored_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send_to`](Self::send_to).
    pub fn send_vectored(&self, parts: &[IoSlice<'_>]) -> Request<usize> {
        self.0.gathered(parts, |data| self.send(data))
    }

    /// Sends a datagram if the system has room for it at once.
    ///
    /// # Errors
    /// `WouldBlock` if it has none, or something is queued; else as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, data: &[u8], to: impl ToAddr) -> io::Result<usize> {
        let to = self.0.destination(to)?;
        self.0.try_send(data, Some(to))
    }

    /// As [`try_send_to`](Self::try_send_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, or something is queued; else as [`send`](Self::send).
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.try_send(data, None)
    }

    /// Sends datagrams, each to its address, until the system refuses one: the number of those that
    /// were sent. One system call takes 32 of them.
    ///
    /// # Errors
    /// Those of the first datagram, as [`try_send_to`](Self::try_send_to). With one that was sent there
    /// is no error; who sends the rest meets it.
    ///
    /// # Platform notes
    /// Elsewhere than on Linux it is a call for each.
    pub fn try_send_many_to(
        &self,
        datagrams: &[(impl AsRef<[u8]>, SocketAddr)],
    ) -> io::Result<usize> {
        self.0.check_destination(true)?;
        self.0.try_send_many(datagrams, |(data, to)| (data.as_ref(), Some(*to)))
    }

    /// As [`try_send_many_to`](Self::try_send_many_to), to the peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// Those of the first datagram, as [`try_send`](Self::try_send).
    pub fn try_send_many(&self, datagrams: &[impl AsRef<[u8]>]) -> io::Result<usize> {
        self.0.check_destination(false)?;
        self.0.try_send_many(datagrams, |data| (data.as_ref(), None))
    }

    /// Bytes that are queued.
    pub fn send_queue_size(&self) -> usize {
        self.0.ask_queue(|queue| queue.waiting.size())
    }

    /// Datagrams that are queued.
    pub fn send_queue_count(&self) -> usize {
        self.0.ask_queue(|queue| queue.waiting.len())
    }

    /// Sets the limit of the queue, in bytes; default 64 MiB. A datagram on top of more than that fails
    /// with [`QueueFull`](crate::QueueFull). A million (2^20) of them are too many in any case.
    pub fn set_send_limit(&self, bytes: usize) {
        self.0.with_queue(|queue| queue.limit = bytes);
    }
}

impl Inner {
    /// What `to` names, those of the socket's own family first.
    pub(super) fn addresses(&self, to: impl ToAddr) -> io::Result<Vec<SocketAddr>> {
        let mut all = to.to_addrs()?;
        all.sort_by_key(|address| address.is_ipv6() != self.has(V6));
        Ok(all)
    }

    #[inline]
    fn destination(&self, to: impl ToAddr) -> io::Result<SocketAddr> {
        if let Some(to) = to.sole() {
            return Ok(to);
        }
        self.addresses(to)?.first().copied().ok_or_else(sys::invalid)
    }

    /// A connected socket takes no address, another needs one. Some systems say so by themselves.
    fn check_destination(&self, is_given: bool) -> io::Result<()> {
        self.handle.check_open()?;
        match (is_given, self.has(CONNECTED)) {
            (true, true) => Err(sys::is_connected()),
            (false, false) => Err(sys::no_destination()),
            _ => Ok(()),
        }
    }

    /// Lends `parts` in one piece, in a buffer of the loop: they are short, and to copy them costs less
    /// than a system call that gathers saves.
    fn gathered<R>(&self, parts: &[IoSlice<'_>], send: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = Lent::new(self.handle.state());
        let mut end = 0;
        for part in parts {
            let Some(place) = buffer.get_mut(end..end + part.len()) else {
                // The buffer itself is longer than a datagram can be, which the system will say.
                end = buffer.len();
                break;
            };
            place.copy_from_slice(part);
            end += part.len();
        }
        send(&buffer[..end])
    }

    fn send(self: &Rc<Self>, bytes: &[u8], to: Option<SocketAddr>) -> Request<usize> {
        match self.try_send(bytes, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.enqueue(bytes, to),
            result => Request::done(result),
        }
    }

    fn try_send(&self, bytes: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        self.check_destination(to.is_some())?;
        if self.wants_to_send() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.with_sender(|socket| sys::send_to(socket, bytes, to)).map_err(or_would_block)
    }

    /// Lends the socket to send. An error may be that of an earlier datagram: where it stands in the
    /// queue too, a receiver is told, and this one is tried again.
    #[inline]
    fn with_sender<R>(&self, send: impl Fn(&Socket) -> io::Result<R>) -> io::Result<R> {
        match self.with_socket(&send) {
            Err(error) if self.has(QUEUES_ERRORS) && !sys::is_full(&error) => {
                self.set(FAILED, true);
                self.with_socket(send)
            }
            result => result,
        }
    }

    fn try_send_many<'a, T>(
        &self,
        datagrams: &'a [T],
        parts: impl Fn(&'a T) -> Datagram<'a>,
    ) -> io::Result<usize> {
        let mut sent = 0;
        for some in datagrams.chunks(MANY) {
            // `as_ref` is the user's code: it is asked before the socket is lent, and may queue or close.
            let mut batch = [(&[][..], None); MANY];
            batch.iter_mut().zip(some).for_each(|(place, datagram)| *place = parts(datagram));
            let batch = &batch[..some.len()];
            if self.wants_to_send() {
                return if sent == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(sent) };
            }
            match self.with_sender(|socket| match batch {
                // The call for many takes longer over one.
                [(bytes, to)] => sys::send_to(socket, bytes, *to).map(|_| 1),
                batch => sys::send_many(socket, batch.iter().copied()),
            }) {
                Ok(count) => {
                    sent += count;
                    if count < some.len() {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(or_would_block(error)),
                // The next attempt begins with this datagram.
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn send_many<'a, T>(
        self: &Rc<Self>,
        datagrams: &'a [T],
        is_addressed: bool,
        parts: impl Fn(&'a T) -> Datagram<'a>,
    ) -> Request<usize> {
        if let Err(error) = self.check_destination(is_addressed) {
            return Request::done(Err(error));
        }
        let (mut done, mut unsent) = (0, Unsent::new());
        while done < datagrams.len() {
            match self.try_send_many(&datagrams[done..], &parts) {
                Ok(sent) => done += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.enqueue_many(done, datagrams, parts, unsent);
                }
                // By the user's `as_ref`.
                Err(error) if self.handle.is_closing() => return Request::done(Err(error)),
                // That of this one. Those behind it are no worse for that.
                Err(error) => {
                    unsent.note(done, error);
                    done += 1;
                }
            }
        }
        Request::done(unsent.result_of(datagrams.len()))
    }

    /// Queues those from `first` on that the queue has room for.
    fn enqueue_many<'a, T>(
        self: &Rc<Self>,
        first: usize,
        datagrams: &'a [T],
        parts: impl Fn(&'a T) -> Datagram<'a>,
        mut unsent: Unsent,
    ) -> Request<usize> {
        // `as_ref` is the user's code: all of it runs before the queue is looked at.
        let left: Vec<_> = datagrams[first..].iter().map(parts).collect();
        let lens = left.iter().map(|(bytes, _)| bytes.len());
        let fitting = self.with_queue(|queue| queue.waiting.room_for(lens, queue.limit));
        let (end, count) = (first + fitting, datagrams.len());
        (end..count).for_each(|place| unsent.note(place, QueueFull.into()));
        if let Err(error) = self.ask_for(Interest::WRITABLE) {
            if self.handle.is_closing() {
                return Request::done(Err(error));
            }
            (first..end).for_each(|place| unsent.note(place, copy_of(&error)));
            return Request::done(unsent.result_of(count));
        }
        if fitting == 0 {
            return Request::done(unsent.result_of(count));
        }
        self.queued_many((fitting, count), unsent, |line, many| {
            for (place, (bytes, with)) in (first..end).zip(left) {
                let asker = Asker::Among(many.clone(), place);
                line.push(Entry { bytes: bytes.into(), with, asker });
            }
        })
    }

    fn enqueue(self: &Rc<Self>, bytes: &[u8], to: Option<SocketAddr>) -> Request<usize> {
        if self.with_queue(|queue| queue.waiting.is_over(queue.limit)) {
            return Request::done(Err(QueueFull.into()));
        }
        if let Err(error) = self.ask_for(Interest::WRITABLE) {
            return Request::done(Err(error));
        }
        self.queued(|line, asker| line.push(Entry { bytes: bytes.into(), with: to, asker }))
    }

    /// The system has room: sends what is queued.
    pub(super) fn flush(&self) {
        for _ in 0..SENDS_PER_EVENT {
            if !self.wants_to_send() {
                break;
            }
            let sent = self.with_queue(|queue| {
                let datagrams = || queue.waiting.iter().map(|entry| (&*entry.bytes, entry.with));
                self.with_sender(|socket| sys::send_many(socket, datagrams()))
            });
            match sent {
                Ok(count) => (0..count).for_each(|_| self.finish_first(Ok(()))),
                Err(error) if sys::is_full(&error) => break,
                // That of the first one. Those behind it are no worse for that.
                Err(error) => self.finish_first(Err(error)),
            }
        }
        if !self.wants_to_send() {
            self.ask_no_more_for(Interest::WRITABLE);
        }
    }

    fn finish_first(&self, result: io::Result<()>) {
        self.with_queue(|queue| queue.waiting.finish_first(result, &mut queue.finished));
    }
}

/// No room is no room, whatever the system calls it.
fn or_would_block(error: io::Error) -> io::Error {
    if sys::is_full(&error) { io::ErrorKind::WouldBlock.into() } else { error }
}
