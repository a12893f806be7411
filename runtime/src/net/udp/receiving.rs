//! Receiving: by callback or by tasks.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use socket2::Socket;

use super::batch::Batch;
use super::resource::{FAILED, Inner, READABLE, RECEIVING};
use super::{Received, UdpSocket};
use crate::base::Waiter;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow};
use crate::net::stream::Lent;
use crate::reactor::{Interest, Ready};
use crate::sys::{self, MANY};
use crate::task::{coop, keep};

/// Datagrams of one event, as libuv: a flood must not starve the other sockets.
const DATAGRAMS_PER_EVENT: usize = 32;

pub(super) type OnDatagram = dyn FnMut(&UdpSocket, io::Result<(&[u8], SocketAddr)>) -> Result;

/// Receiving by callback.
impl UdpSocket {
    /// Calls `f` with each datagram and its sender, until [`recv_stop`](Self::recv_stop).
    ///
    /// The bytes are lent for the call. They are all of the datagram, however long it is; an empty slice
    /// is an empty datagram. An error ends nothing: it tells, say, that nobody is at the port to which
    /// a connected socket sent (`ECONNREFUSED`), and receiving goes on. Of other datagrams it tells if
    /// that was asked for: [`UdpOptions::recv_errors`](super::UdpOptions::recv_errors).
    ///
    /// The socket is active, so the loop holds it, until receiving is stopped. Datagrams that the
    /// system had handed over already are kept for the next reader.
    ///
    /// # Ordering
    /// In the poll phase; at most 32 errors and 32 datagrams an event, each followed by a checkpoint.
    /// What is left comes in the next iteration.
    ///
    /// # Errors
    /// `f` gets them all, in the pending phase if receiving can't even start: `EALREADY` if somebody
    /// receives already, callback or task, which goes on; [`Closed`](crate::Closed). On a loop that is
    /// gone `f` is dropped.
    ///
    /// # Platform notes
    /// On Windows a socket without a peer is told of dead ports too: `ConnectionReset`, without saying
    /// whose.
    pub fn recv_start<R: Outcome>(
        &self,
        mut f: impl FnMut(&Self, io::Result<(&[u8], SocketAddr)>) -> R + 'static,
    ) {
        if let Err(error) = self.0.begin_receiving() {
            // The callback gets all errors, and no call of the API calls back.
            let socket = self.clone();
            let tell = move || f(&socket, Err(error)).into_result();
            return self.state().call_later(tell);
        }
        let former = self
            .0
            .on_datagram
            .set(Box::new(move |socket, datagram| f(socket, datagram).into_result()));
        self.0.update();
        self.0.pend_owed();
        drop(former);
    }

    /// Stops calling back and drops the callback. Datagrams that come meanwhile wait in the system, as
    /// far as it has room.
    pub fn recv_stop(&self) {
        if !self.is_closing() {
            self.0.set(RECEIVING, false);
            let callback = self.0.on_datagram.clear();
            self.0.update();
            drop(callback);
        }
    }
}

/// Receiving by tasks. Any number of them may wait: all are woken, in order, and who finds nothing
/// waits on.
impl UdpSocket {
    /// Receives a datagram into `buffer`: its length, and who sent it. What does not fit is lost;
    /// [`recv_datagram`](Self::recv_datagram) tells that, and to [`recv_with`](Self::recv_with) it
    /// can't happen.
    ///
    /// # Errors
    /// `EALREADY` while a callback receives; the system's, which end nothing; [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_datagram(buffer).await?;
        Ok((received.len, received.from))
    }

    /// As [`recv_from`](Self::recv_from), for who knows the sender: the peer of
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_datagram(buffer).await?.len)
    }

    /// Receives a datagram into `buffer`, and tells whether it was too long for that.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv_datagram(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.0.receive_with(|inner| inner.receive(buffer)).await
    }

    /// Waits for a datagram and lends it to `f` in a buffer of the loop, all of it; a socket that
    /// waits holds none.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv_with<R>(&self, f: impl FnOnce(&[u8], SocketAddr) -> R) -> io::Result<R> {
        let mut buffer = Lent::nothing();
        let received = self
            .0
            .receive_with(|inner| {
                buffer = Lent::new(inner.handle.state());
                let received = inner.receive(&mut buffer);
                if received.is_err() {
                    // It waits now, and holds no buffer meanwhile.
                    buffer = Lent::nothing();
                }
                received
            })
            .await?;
        Ok(f(&buffer[..received.len], received.from))
    }

    /// Waits for datagrams and lends each that the system hands over at once, 32 at most, to `f`: their
    /// number. A flood costs a task as few system calls by this as it costs a callback.
    ///
    /// What is left when `f` closes the socket is dropped; what is left when it panics, or starts a
    /// callback, is for the next receiver.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    ///
    /// # Platform notes
    /// Elsewhere than on Linux it is one datagram.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::UdpSocket;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let server = UdpSocket::bind("127.0.0.1:0")?;
    ///     let client = UdpSocket::bind("127.0.0.1:0")?;
    ///     client.connect(server.local_addr()?)?;
    ///     client.try_send_many(&["one", "two", "three"])?;
    ///     let mut bytes = 0;
    ///     while bytes < 11 {
    ///         server.recv_many_with(|datagram, _from| bytes += datagram.len()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn recv_many_with(&self, f: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        self.0.receive_with(Inner::receive_many).await?;
        Ok(self.0.lend_left(f))
    }

    /// Receives a datagram without taking it: the next call gives the same one.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.0.receive_with(|inner| inner.peek(buffer)).await?;
        Ok((received.len, received.from))
    }

    /// Receives a datagram that is there, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if none is there; else as [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.check_open()?;
        if self.0.has(RECEIVING) {
            return Err(sys::already());
        }
        let received = self.0.receive(buffer)?;
        Ok((received.len, received.from))
    }
}

/// Does to a socket what is due when its callbacks are over, also after the panic of one.
struct Settle<'a>(&'a Rc<Inner>);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        self.0.put_empty_back();
        self.0.pend_owed();
    }
}

impl Inner {
    fn begin_receiving(&self) -> io::Result<()> {
        self.handle.check_open()?;
        if self.has(RECEIVING) || !self.readers.is_empty() {
            return Err(sys::already());
        }
        self.ask_for(Interest::READABLE)?;
        self.set(RECEIVING, true);
        Ok(())
    }

    // --- what was received and not taken ---

    /// None once it is empty, which it is in the callback of its last datagram.
    fn left(&self) -> Option<Rc<Batch>> {
        self.left.with(|left| left.as_ref().filter(|left| !left.is_empty()).cloned())
    }

    pub(super) fn has_left(&self) -> bool {
        self.left.with(|left| left.as_ref().is_some_and(|left| !left.is_empty()))
    }

    /// A batch that is empty goes back to its thread.
    fn put_empty_back(&self) {
        let empty = self.left.with(|left| left.take_if(|left| left.is_empty()));
        if let Some(empty) = empty {
            empty.recycle();
        }
    }

    /// The next datagram: what is left, else what the system has.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let Some(left) = self.left() else {
            return self.ask_system(|socket| sys::recv_from(socket, buffer));
        };
        let (bytes, from) = left.next().expect("it is not empty");
        let received = copy(bytes, from, buffer);
        drop(left);
        self.put_empty_back();
        Ok(received)
    }

    /// Receives what the system has, unless something is left.
    fn receive_many(&self) -> io::Result<()> {
        if self.has_left() {
            return Ok(());
        }
        let batch = self.ask_system(Batch::receive)?;
        // The system had no more: the next receiver need not ask before it waits.
        self.set(READABLE, batch.was_full());
        self.left.with(|left| *left = Some(batch));
        Ok(())
    }

    /// Lends what is left to `f`: their number.
    fn lend_left(self: &Rc<Self>, mut f: impl FnMut(&[u8], SocketAddr)) -> usize {
        // Last, when no borrow of the batch is left.
        let _settle = Settle(self);
        let Some(batch) = self.left() else { return 0 };
        let mut count = 0;
        while let Some((bytes, from)) = batch.next() {
            f(bytes, from);
            count += 1;
            // `f` may have closed, or let a callback go on.
            if self.has(RECEIVING) || self.handle.is_closing() {
                break;
            }
        }
        count
    }

    fn peek(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let Some(left) = self.left() else {
            return self.ask_system(|socket| sys::peek_from(socket, buffer));
        };
        let (bytes, from) = left.peek().expect("it is not empty");
        Ok(copy(bytes, from, buffer))
    }

    // --- what the system says of what was sent ---

    /// Lends the socket to receive, unless the system has to tell of an error first.
    #[inline]
    fn ask_system<R>(&self, receive: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        if let Some(error) = self.next_error() {
            return Err(error);
        }
        self.with_socket(receive).map_err(|error| self.explain(error))
    }

    /// The next error of the system's queue, after the system said that there is one.
    #[inline]
    fn next_error(&self) -> Option<io::Error> {
        if !self.has(FAILED) {
            return None;
        }
        let error = self.with_socket(|socket| Ok(sys::take_error(socket))).ok().flatten();
        self.set(FAILED, error.is_some());
        error
    }

    /// What the queue says of `error`, if it came from there.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::WouldBlock {
            return error;
        }
        self.set(FAILED, true);
        self.next_error().unwrap_or(error)
    }

    // --- callbacks ---

    /// There is something to receive: datagrams, or an error.
    pub(super) fn readable(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if ready.is_error() {
            self.set(FAILED, true);
        }
        if !self.has(RECEIVING) {
            return self.readable_by_tasks(ready, d);
        }
        let socket = UdpSocket(self);
        let me = &socket.0;
        me.tell_errors(&socket, d)?;
        if !me.has(RECEIVING) || me.handle.is_closing() {
            return Ok(());
        }
        for _ in 0..DATAGRAMS_PER_EVENT / MANY {
            // What is left was there before.
            if !me.has_left() {
                match me.with_socket(Batch::receive) {
                    Ok(batch) => me.left.with(|left| *left = Some(batch)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return me.tell_error(&socket, me.explain(error), d),
                }
            }
            if !me.deliver(&socket, d)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What could not be delivered at its time, since a callback ended the iteration.
    pub(super) fn deliver_left(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if self.has(RECEIVING) && self.has_left() && !self.handle.is_closing() {
            let socket = UdpSocket(self);
            socket.0.deliver(&socket, d)?;
        }
        Ok(())
    }

    /// Calls back with what is left. True if the system may have more, for the same callback.
    fn deliver(self: &Rc<Self>, socket: &UdpSocket, d: &mut Dispatcher<'_>) -> Result<bool> {
        // Last, when no borrow of the batch is left.
        let _settle = Settle(self);
        let Some(batch) = self.left() else { return Ok(false) };
        while !batch.is_empty() {
            let Some(mut callback) = self.on_datagram.take() else { return Ok(false) };
            let datagram = batch.next().expect("it is not empty");
            let result = callback(socket, Ok(datagram));
            drop(callback);
            d.done(result)?;
            // The callback, or a microtask after it, may have stopped or closed.
            if !self.has(RECEIVING) || self.handle.is_closing() {
                return Ok(false);
            }
        }
        Ok(batch.was_full())
    }

    /// Calls back with what the system's queue of errors has.
    fn tell_errors(self: &Rc<Self>, socket: &UdpSocket, d: &mut Dispatcher<'_>) -> Flow {
        for _ in 0..DATAGRAMS_PER_EVENT {
            let Some(error) = self.next_error() else { break };
            self.tell_error(socket, error, d)?;
            if !self.has(RECEIVING) || self.handle.is_closing() {
                break;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn tell_error(
        self: &Rc<Self>,
        socket: &UdpSocket,
        error: io::Error,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let Some(mut callback) = self.on_datagram.take() else { return Ok(()) };
        let result = callback(socket, Err(error));
        drop(callback);
        d.done(result)
    }

    // --- tasks ---

    /// No callback: tasks that wait are woken. If nobody waits the event is noted, and not asked for
    /// again.
    #[inline(never)]
    fn readable_by_tasks(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        self.set(READABLE, true);
        if self.readers.is_empty() {
            self.ask_no_more_for(Interest::READABLE);
            if ready.is_error() && !self.wants_to_send() {
                // An error can't be masked while anything is asked for.
                self.ask_no_more_for(Interest::READABLE | Interest::WRITABLE);
            } else if ready.is_error() {
                // What nobody receives would be reported until there is room to send.
                while self.next_error().is_some() {}
            }
            return Ok(());
        }
        self.readers.wake();
        self.update();
        d.checkpoint()
    }

    /// Tries `receive`, and waits for readiness while it would block.
    fn poll_receive<R>(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
        mut receive: impl FnMut(&Self) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.handle.check_open()?;
        if self.has(RECEIVING) {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        if self.has(READABLE) || self.has_left() {
            match receive(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.set(READABLE, false);
                }
                result => return Poll::Ready(result),
            }
        }
        coop::made_no_progress();
        self.ask_for(Interest::READABLE)?;
        self.readers.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }

    /// [`poll_receive`](Self::poll_receive) as a future: a dropped one waits no longer.
    async fn receive_with<R>(
        self: &Rc<Self>,
        mut receive: impl FnMut(&Self) -> io::Result<R>,
    ) -> io::Result<R> {
        struct Reader<'a>(&'a Rc<Inner>, Option<Waiter>);
        impl Drop for Reader<'_> {
            fn drop(&mut self) {
                if self.1.take().is_some_and(|waiter| self.0.readers.unregister(waiter)) {
                    self.0.update();
                }
            }
        }
        let mut reader = Reader(self, None);
        poll_fn(|cx| {
            let Reader(inner, waiter) = &mut reader;
            inner.poll_receive(cx, waiter, &mut receive)
        })
        .await
    }
}

fn copy(bytes: &[u8], from: SocketAddr, buffer: &mut [u8]) -> Received {
    let len = bytes.len().min(buffer.len());
    buffer[..len].copy_from_slice(&bytes[..len]);
    Received { len, from, is_truncated: len < bytes.len() }
}
