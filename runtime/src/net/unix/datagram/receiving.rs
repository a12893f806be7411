//! Receiving: by callback or by tasks.

use std::io;
use std::os::unix::net::SocketAddr;

use super::UnixDatagram;
use super::buffer::LongBuffer;
use super::resource::Inner;
use crate::error::Outcome;
use crate::event_loop::{Dispatcher, Flow};
use crate::net::datagram::DATAGRAMS_PER_EVENT;
use crate::net::unix::ReceivedFds;
use crate::sys::{self, UnixReceived};

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
        f: impl FnMut(&Self, io::Result<(&[u8], SocketAddr, ReceivedFds)>) -> R + 'static,
    ) {
        if self.0.recv_start(f) {
            self.0.own.max_fds.set(max_fds);
        }
    }

    /// Stops calling back and drops the callback. Datagrams that come meanwhile wait in the system, and
    /// their senders when it has no more room.
    pub fn recv_stop(&self) {
        self.0.recv_stop();
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
        self.0.receive_with(|inner| inner.receive(buffer, max_fds)).await
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
            .receive_with(|inner| {
                let mut buffer = LongBuffer::new();
                let received = inner.receive_all(&mut buffer, 0)?;
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
        self.0.check_receivable()?;
        let received = self.0.receive(buffer, 0)?;
        Ok((received.len, received.from))
    }
}

impl Inner {
    fn receive(&self, buffer: &mut [u8], max_fds: usize) -> io::Result<UnixReceived> {
        self.with_socket(|socket| sys::recv_local(socket, buffer, max_fds))
    }

    /// Receives what must not be cut off.
    fn receive_all(&self, buffer: &mut [u8], max_fds: usize) -> io::Result<UnixReceived> {
        let received = self.receive(buffer, max_fds)?;
        if received.is_truncated {
            let message = format!("a datagram of more than {} bytes was cut off", buffer.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(received)
    }

    /// Calls back with datagrams, up to an error.
    pub(super) fn deliver(&self, socket: &UnixDatagram, d: &mut Dispatcher<'_>) -> Flow {
        let mut buffer = LongBuffer::new();
        for _ in 0..DATAGRAMS_PER_EVENT {
            let datagram = match self.receive_all(&mut buffer, self.own.max_fds.get()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => Err(error),
                Ok(received) => Ok((&buffer[..received.len], received.from, received.received)),
            };
            let is_error = datagram.is_err();
            if !self.call_back(socket, || datagram, d)? || is_error {
                return Ok(());
            }
        }
        Ok(())
    }
}
