//! Receiving: by callback or by tasks.

use std::future::poll_fn;
use std::io;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::UnixDatagram;
use super::buffer::LongBuffer;
use super::resource::{Inner, READABLE, RECEIVING};
use crate::base::Waiter;
use crate::error::{Outcome, Result};
use crate::event_loop::{Dispatcher, Flow};
use crate::net::unix::ReceivedFds;
use crate::reactor::{Interest, Ready};
use crate::sys::{self, UnixReceived};
use crate::task::{coop, keep};

/// Datagrams of one event, as libuv's of UDP: a flood must not starve the other sockets.
const DATAGRAMS_PER_EVENT: usize = 32;

pub(super) type OnDatagram =
    dyn FnMut(&UnixDatagram, io::Result<(&[u8], SocketAddr, ReceivedFds)>) -> Result;

/// Receiving by callback.
impl UnixDatagram {
    /// Calls `f` with each datagram and its sender, until [`recv_stop`](Self::recv_stop).
    ///
    /// The bytes are lent for the call, all of the datagram, of up to 576 KiB; an empty slice is an empty
    /// datagram. An error ends nothing, and receiving goes on: `ECONNRESET`, say, if the peer connected to
    /// another socket and what was unread there is lost. Descriptors that come along are closed by the system.
    ///
    /// The socket is active, so the loop holds it, until receiving is stopped.
    ///
    /// # Ordering
    /// In the poll phase; at most 32 datagrams an event, each followed by a checkpoint. What is left
    /// comes in the next iteration.
    ///
    /// # Errors
    /// `f` gets them all, in the pending phase if receiving can't even start: `EALREADY` if somebody
    /// receives already, callback or task, which goes on; [`Closed`](crate::Closed). `InvalidData` for a
    /// datagram that was longer, whose rest is gone. On a loop that is gone `f` is dropped.
    pub fn recv_start<R: Outcome>(
        &self,
        mut f: impl FnMut(&Self, io::Result<(&[u8], SocketAddr)>) -> R + 'static,
    ) {
        self.recv_start_with_fds(0, move |socket, datagram| {
            f(socket, datagram.map(|(bytes, from, _)| (bytes, from)))
        });
    }

    /// As [`recv_start`](Self::recv_start), and takes up to `max_fds` descriptors that come with a
    /// datagram, of 253 at most. Those that `f` does not keep are closed.
    ///
    /// # Errors
    /// As [`recv_start`](Self::recv_start).
    pub fn recv_start_with_fds<R: Outcome>(
        &self,
        max_fds: usize,
        mut f: impl FnMut(&Self, io::Result<(&[u8], SocketAddr, ReceivedFds)>) -> R + 'static,
    ) {
        if let Err(error) = self.0.begin_receiving() {
            // The callback gets all errors, and no call of the API calls back.
            let socket = self.clone();
            let tell = move || f(&socket, Err(error)).into_result();
            return self.state().call_later(tell);
        }
        self.0.max_fds.set(max_fds);
        let former = self
            .0
            .on_datagram
            .set(Box::new(move |socket, datagram| f(socket, datagram).into_result()));
        self.0.update();
        drop(former);
    }

    /// Stops calling back and drops the callback. Datagrams that come meanwhile wait in the system, and
    /// their senders when it has no more room.
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
impl UnixDatagram {
    /// Receives a datagram into `buffer`: its length, and who sent it. What does not fit is lost;
    /// [`recv_with_fds`](Self::recv_with_fds) tells that.
    ///
    /// # Errors
    /// `EALREADY` while a callback receives; the system's, which end nothing; [`Closed`](crate::Closed).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.recv_with_fds(buffer, 0).await?;
        Ok((received.len, received.from))
    }

    /// As [`recv_from`](Self::recv_from), for who knows the sender.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_with_fds(buffer, 0).await?.len)
    }

    /// Receives a datagram into `buffer`, tells whether it was too long for that, and takes up to
    /// `max_fds` descriptors that come with it, of 253 at most.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn recv_with_fds(
        &self,
        buffer: &mut [u8],
        max_fds: usize,
    ) -> io::Result<UnixReceived> {
        self.0.receive_with(|socket| sys::recv_local(socket, buffer, max_fds)).await
    }

    /// Waits for a datagram and lends it to `f` in a buffer of the thread, up to 576 KiB of it; a socket
    /// that waits holds none.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from); `InvalidData` for a datagram that was longer.
    ///
    /// # Cancel safety
    /// No datagram is lost.
    pub async fn recv_with<R>(&self, f: impl FnOnce(&[u8], SocketAddr) -> R) -> io::Result<R> {
        let (buffer, received) = self
            .0
            .receive_with(|socket| {
                let mut buffer = LongBuffer::new();
                let received = receive_all(socket, &mut buffer, 0)?;
                Ok((buffer, received))
            })
            .await?;
        Ok(f(&buffer[..received.len], received.from))
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
        let received = self.0.with_socket(|socket| sys::recv_local(socket, buffer, 0))?;
        Ok((received.len, received.from))
    }
}

fn receive_all(
    socket: &socket2::Socket,
    buffer: &mut [u8],
    max_fds: usize,
) -> io::Result<UnixReceived> {
    let received = sys::recv_local(socket, buffer, max_fds)?;
    if received.is_truncated {
        let message = format!("a datagram of more than {} bytes was cut off", buffer.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(received)
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

    /// There is something to receive: datagrams, or an error.
    pub(super) fn readable(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        if !self.has(RECEIVING) {
            return self.readable_by_tasks(ready, d);
        }
        let socket = UnixDatagram(self);
        let me = &socket.0;
        let mut buffer = LongBuffer::new();
        for _ in 0..DATAGRAMS_PER_EVENT {
            let max_fds = me.max_fds.get();
            let received = me.with_socket(|socket| receive_all(socket, &mut buffer, max_fds));
            let datagram = match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => Err(error),
                Ok(received) => Ok((&buffer[..received.len], received.from, received.received)),
            };
            let Some(mut callback) = me.on_datagram.take() else { return Ok(()) };
            let is_error = datagram.is_err();
            let result = callback(&socket, datagram);
            drop(callback);
            d.done(result)?;
            // The callback, or a microtask after it, may have stopped or closed.
            if is_error || !me.has(RECEIVING) || me.handle.is_closing() {
                return Ok(());
            }
        }
        Ok(())
    }

    // --- tasks ---

    /// No callback: tasks that wait are woken. If nobody waits the event is noted, and not asked for
    /// again.
    fn readable_by_tasks(self: Rc<Self>, ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        self.set(READABLE, true);
        if self.readers.is_empty() {
            self.ask_no_more_for(Interest::READABLE);
            if ready.is_error() && !self.wants_to_send() {
                // An error can't be masked while anything is asked for.
                self.ask_no_more_for(Interest::READABLE | Interest::WRITABLE);
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
        receive: impl FnMut(&socket2::Socket) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.handle.check_open()?;
        if self.has(RECEIVING) {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        if self.has(READABLE) {
            match self.with_socket(receive) {
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
        mut receive: impl FnMut(&socket2::Socket) -> io::Result<R>,
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
