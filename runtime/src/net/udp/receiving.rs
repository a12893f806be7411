//! Receiving: by callback or by tasks.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use socket2::Socket;

use super::batch::Batch;
use super::resource::{FAILED, Inner};
use super::{Received, UdpSocket};
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow};
use crate::net::datagram::{DATAGRAMS_PER_EVENT, READABLE, RECEIVING};
use crate::net::stream::Lent;
use crate::sys::{self, MANY};

/// Receiving by callback.
impl UdpSocket {
    /// Calls `f` with each datagram and its sender, until [`recv_stop`](Self::recv_stop). A server that
    /// answers most of them does so with fewer system calls by
    /// [`recv_many_start`](Self::recv_many_start).
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
        self.0.recv_start(move |socket, left: io::Result<&Batch>| {
            f(socket, left.map(|left| left.next().expect("something is left")))
        });
    }

    /// Calls `f` with all the datagrams that one system call brought, 32 at most, each with its sender,
    /// until [`recv_stop`](Self::recv_stop). Else it is as [`recv_start`](Self::recv_start).
    ///
    /// It is for who gets many, and can do something for all of them at once: answer them by one
    /// [`send_many_to`](Self::send_many_to), say. It waits for nothing: a datagram that comes alone is
    /// a slice of one. By `recv_start` each gets a checkpoint of its own, and a callback that stops
    /// leaves what is behind for the next reader; here all were handed over.
    ///
    /// # Ordering
    /// In the poll phase, in the order in which they came, with one checkpoint after all of them; at most
    /// 32 errors and 32 datagrams an event. What is left comes in the next iteration.
    ///
    /// # Errors
    /// As [`recv_start`](Self::recv_start): each comes by itself, and ends nothing.
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
    ///     server.recv_many_start(|server, datagrams| {
    ///         if let Ok(datagrams) = datagrams {
    ///             server.send_many_to(datagrams); // each back to its sender
    ///         }
    ///     });
    ///     server.unref();
    ///     let client = UdpSocket::bind("127.0.0.1:0")?;
    ///     client.send_to("hello", server.local_addr()?).await?;
    ///     assert_eq!(client.recv(&mut [0; 16]).await?, 5);
    ///     Ok(())
    /// }
    /// ```
    pub fn recv_many_start<R: Outcome>(
        &self,
        mut f: impl FnMut(&Self, io::Result<&[(&[u8], SocketAddr)]>) -> R + 'static,
    ) {
        self.0.recv_start(move |socket, left: io::Result<&Batch>| match left {
            Ok(left) => left.take_all(|datagrams| f(socket, Ok(datagrams))),
            Err(error) => f(socket, Err(error)),
        });
    }

    /// Stops calling back and drops the callback. Datagrams that come meanwhile wait in the system, as
    /// far as it has room.
    pub fn recv_stop(&self) {
        self.0.recv_stop();
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

    /// Waits for datagrams and lends all that one system call brings to `f`, 32 at most, each with its
    /// sender. A flood costs a task as few system calls by this as it costs a callback: see
    /// [`recv_many_start`](Self::recv_many_start).
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost. `f` runs when there is something, and the future is then done.
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
    ///         let lent = server.recv_many_with(|datagrams| {
    ///             datagrams.iter().map(|(datagram, _from)| datagram.len()).sum::<usize>()
    ///         });
    ///         bytes += lent.await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn recv_many_with<R>(
        &self,
        f: impl FnOnce(&[(&[u8], SocketAddr)]) -> R,
    ) -> io::Result<R> {
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
        self.0.check_receivable()?;
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
    // --- what was received and not taken ---

    /// None once it is empty, which it is in the callback of its last datagram.
    fn left(&self) -> Option<Rc<Batch>> {
        self.own.left.with(|left| left.as_ref().filter(|left| !left.is_empty()).cloned())
    }

    pub(super) fn has_left(&self) -> bool {
        self.own.left.with(|left| left.as_ref().is_some_and(|left| !left.is_empty()))
    }

    /// A batch that is empty goes back to its thread.
    fn put_empty_back(&self) {
        let empty = self.own.left.with(|left| left.take_if(|left| left.is_empty()));
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
        self.own.left.with(|left| *left = Some(batch));
        Ok(())
    }

    /// Lends all that is left to `f`.
    fn lend_left<R>(self: &Rc<Self>, f: impl FnOnce(&[(&[u8], SocketAddr)]) -> R) -> R {
        // Last, when no borrow of the batch is left.
        let _settle = Settle(self);
        let left = self.left().expect("something was received");
        left.take_all(f)
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

    /// The system told of an error. What nobody receives would be reported again and again, until there
    /// is room to send.
    pub(super) fn heed_error(&self) {
        self.set(FAILED, true);
        let somebody_receives = self.has(RECEIVING) || !self.readers.is_empty();
        if !somebody_receives && self.wants_to_send() {
            while self.next_error().is_some() {}
        }
    }

    // --- callbacks ---

    /// Calls back with errors and datagrams.
    pub(super) fn deliver(self: &Rc<Self>, socket: &UdpSocket, d: &mut Dispatcher<'_>) -> Flow {
        if !self.deliver_errors(socket, d)? {
            return Ok(());
        }
        for _ in 0..DATAGRAMS_PER_EVENT / MANY {
            // What is left was there before.
            if !self.has_left() {
                match self.with_socket(Batch::receive) {
                    Ok(batch) => self.own.left.with(|left| *left = Some(batch)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => {
                        self.deliver_error(socket, self.explain(error), d)?;
                        return Ok(());
                    }
                }
            }
            if !self.deliver_left(socket, d)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Calls back with what is left. True if the system may have more, for the same callback.
    pub(super) fn deliver_left(
        self: &Rc<Self>,
        socket: &UdpSocket,
        d: &mut Dispatcher<'_>,
    ) -> Result<bool> {
        // Last, when no borrow of the batch is left.
        let _settle = Settle(self);
        let Some(batch) = self.left() else { return Ok(false) };
        while !batch.is_empty() {
            if !self.call_back(socket, || Ok(&*batch), d)? {
                return Ok(false);
            }
        }
        Ok(batch.was_full())
    }

    /// Calls back with what the system's queue of errors has. True if the callback may get more.
    fn deliver_errors(&self, socket: &UdpSocket, d: &mut Dispatcher<'_>) -> Result<bool> {
        for _ in 0..DATAGRAMS_PER_EVENT {
            let Some(error) = self.next_error() else { break };
            if !self.deliver_error(socket, error, d)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[inline(never)]
    fn deliver_error(
        &self,
        socket: &UdpSocket,
        error: io::Error,
        d: &mut Dispatcher<'_>,
    ) -> Result<bool> {
        self.call_back(socket, || Err(error), d)
    }
}

fn copy(bytes: &[u8], from: SocketAddr, buffer: &mut [u8]) -> Received {
    let len = bytes.len().min(buffer.len());
    buffer[..len].copy_from_slice(&bytes[..len]);
    Received { len, from, is_truncated: len < bytes.len() }
}
