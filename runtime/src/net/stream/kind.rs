//! What all byte streams share: their methods, and the futures-io traits.

use std::ops::Deref;
use std::rc::Rc;

use super::Stream;
use crate::event_loop::Handle;
use crate::request::Request;
use crate::sys::Channel;

/// A handle type over [`Stream`].
pub(crate) trait StreamHandle: Sized + 'static {
    /// What it reads from and writes to.
    type Channel: Channel;

    fn wrap(stream: Rc<Stream<Self>>) -> Self;
    fn stream(&self) -> &Rc<Stream<Self>>;
}

/// The byte streams of this crate, what one of them writes another can read; and a file that is
/// [written as a stream](crate::fs::WriteStream).
///
/// The trait is sealed. It has what [`pipe_to`](crate::net::TcpStream::pipe_to) needs of its target;
/// the types have the rest as methods of their own.
pub trait ByteStream: sealed::Sealed + Clone + Deref<Target = Handle> + 'static {
    #[doc(hidden)]
    fn put(&self, data: &[u8]) -> Request<()>;
    #[doc(hidden)]
    fn has_much_queued(&self) -> bool;
    #[doc(hidden)]
    fn when_drained(&self) -> Request<()>;
    #[doc(hidden)]
    fn end(&self) -> Request<()>;
    /// The error that ended it.
    #[doc(hidden)]
    fn why_ended(&self) -> Option<std::io::Error> {
        self.ending()
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// Gives a handle type over [`Stream`] the methods of a byte stream.
macro_rules! byte_stream {
    ($name:ident, $channel:ty) => {
        impl crate::net::stream::StreamHandle for $name {
            type Channel = $channel;

            #[inline]
            fn wrap(stream: std::rc::Rc<crate::net::stream::Stream<Self>>) -> Self {
                Self(stream)
            }

            #[inline]
            fn stream(&self) -> &std::rc::Rc<crate::net::stream::Stream<Self>> {
                &self.0
            }
        }

        /// Reading by callback.
        impl $name {
            /// Calls `f` with what comes, until the end, an error, or [`read_stop`](Self::read_stop).
            ///
            /// The data is the loop's buffer, lent for the call: up to 64 KiB. An empty slice is the
            /// end; then `f` is dropped, and writing goes on until it is ended too. Who starts again
            /// is told the end again. An error closes the stream after `f` was told; returning it from
            /// `f` makes it an uncaught error, which a server hardly wants.
            ///
            /// The stream is active, so the loop holds it, until reading ends.
            ///
            /// # Ordering
            /// In the poll phase; at most 32 reads an event, each followed by a checkpoint. What is
            /// left comes in the next iteration.
            ///
            /// # Errors
            /// `f` gets them all, in the pending phase if reading can't even start: `EALREADY` if
            /// somebody reads already, callback or task, which goes on; [`Closed`](crate::Closed), or
            /// what closed the stream. On a loop that is gone `f` is dropped.
            pub fn read_start<R: crate::Outcome>(
                &self,
                f: impl FnMut(&Self, std::io::Result<&[u8]>) -> R + 'static,
            ) {
                self.0.read_start(f);
            }

            /// Stops calling back and drops the callback. Data that comes meanwhile waits in the
            /// system.
            pub fn read_stop(&self) {
                self.0.read_stop();
            }

            /// Stops calling back and keeps the callback. A paused stream is not active: it does not
            /// keep the loop alive, but the loop holds it.
            pub fn pause(&self) {
                self.0.pause();
            }

            /// Goes on calling back after [`pause`](Self::pause).
            pub fn resume(&self) {
                // The registration was there before: an error is the poller's own, which its wait
                // reports.
                let _ = self.0.resume();
            }
        }

        /// Reading by tasks. Any number of them may wait: all are woken, in order, and who finds
        /// nothing waits on.
        impl $name {
            /// Reads up to `buffer.len()` bytes; 0 is the end. With an empty buffer it waits as with any
            /// other, and takes nothing.
            ///
            /// # Errors
            /// `EALREADY` while a callback reads; the system's; [`Closed`](crate::Closed), or what
            /// closed the stream.
            ///
            /// # Cancel safety
            /// No bytes are lost: nothing was read.
            pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = std::io::Result<usize>> {
                self.0.read_with(|stream, channel| stream.recv(channel, buffer))
            }

            /// Waits until a read would find data, the end or an error.
            ///
            /// # Errors
            /// As [`read`](Self::read).
            ///
            /// # Cancel safety
            /// Nothing is lost.
            pub fn readable(&self) -> impl Future<Output = std::io::Result<()>> {
                self.0.read_with(|_, channel| crate::sys::Channel::check_readable(channel))
            }

            /// Reads what is there, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else as [`read`](Self::read).
            pub fn try_read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.try_read(buffer)
            }

            /// Waits for data and lends it to `f` in a buffer of the loop, so that a connection which
            /// waits holds none. An empty slice is the end.
            ///
            /// # Errors
            /// As [`read`](Self::read).
            ///
            /// # Cancel safety
            /// No bytes are lost.
            pub async fn read_with<R>(&self, f: impl FnOnce(&[u8]) -> R) -> std::io::Result<R> {
                let (state, mut f) = (self.state(), Some(f));
                let mut buffer = crate::net::stream::Lent::nothing();
                let read = self
                    .0
                    .read_with(|stream, channel| {
                        buffer = crate::net::stream::Lent::new(state);
                        let read = stream.recv(channel, &mut buffer);
                        if read.is_err() {
                            // It waits now, and holds no buffer meanwhile.
                            buffer = crate::net::stream::Lent::nothing();
                        }
                        read
                    })
                    .await?;
                let f = f.take().expect("called once");
                Ok(f(&buffer[..read]))
            }
        }

        /// Writing, for callbacks and tasks alike.
        impl $name {
            /// Writes all of `data`, in the order of the calls: tried at once, and only what the
            /// system does not take is copied and queued.
            ///
            /// The result need not be used; what is queued is written all the same. Awaiting it is the
            /// back-pressure of tasks, as [`is_full`](Self::is_full) is that of callbacks.
            ///
            /// # Ordering
            /// Requests of one stream are done in order, in the poll phase; one that was done at once
            /// calls back in the pending phase.
            ///
            /// # Errors
            /// The system's, which ends the writing direction, with what is queued: `EPIPE`,
            /// `ECONNRESET`; `EPIPE` after [`shutdown`](Self::shutdown);
            /// [`QueueFull`](crate::QueueFull), which closes the stream; [`Closed`](crate::Closed).
            ///
            /// # Cancel safety
            /// Bytes that are queued stay queued when the future is dropped.
            #[inline]
            pub fn write(&self, data: impl AsRef<[u8]>) -> crate::Request<()> {
                self.0.write(data.as_ref())
            }

            /// Writes all of several buffers, as one [`write`](Self::write). Any number of them.
            pub fn write_vectored(&self, data: &[std::io::IoSlice<'_>]) -> crate::Request<()> {
                self.0.write_vectored(data)
            }

            /// Writes what the system takes at once: all of `data` or a part of it.
            ///
            /// # Errors
            /// `WouldBlock` if it takes nothing, or something is queued; else as
            /// [`write`](Self::write).
            pub fn try_write(&self, data: &[u8]) -> std::io::Result<usize> {
                self.0.try_write(data)
            }

            /// Whether more is queued than the high-water mark: time to wait for
            /// [`drained`](Self::drained), or to [`pause`](Self::pause) what is read for this.
            pub fn is_full(&self) -> bool {
                self.0.is_full()
            }

            /// Done when nothing is queued.
            ///
            /// # Errors
            /// What ended writing; [`Closed`](crate::Closed).
            pub fn drained(&self) -> crate::Request<()> {
                self.0.drained()
            }

            /// Calls `f` each time the queue is empty again after the stream was full: written, or
            /// dropped since writing failed. A second call replaces `f`.
            ///
            /// # Ordering
            /// In the poll phase, after the requests of what was written.
            pub fn on_drain<R: crate::Outcome>(&self, f: impl FnMut(&Self) -> R + 'static) {
                self.0.on_drain(f);
            }

            /// Sets the high-water mark, in bytes; default 64 KiB.
            pub fn set_high_water(&self, bytes: usize) {
                self.0.set_high_water(bytes);
            }

            /// Sets the hard limit of the queue, in bytes; default 64 MiB. A write on top of more than
            /// that fails with [`QueueFull`](crate::QueueFull) and closes the stream: a peer that does
            /// not read can't exhaust memory, whatever the program does. A million (2^20) writes that
            /// are queued are too many in any case.
            pub fn set_write_limit(&self, bytes: usize) {
                self.0.set_write_limit(bytes);
            }

            /// Bytes that are queued.
            pub fn write_queue_size(&self) -> usize {
                self.0.write_queue_size()
            }

            /// Ends the writing direction: sends FIN, after what is queued. When both directions have
            /// ended the stream closes.
            ///
            /// # Ordering
            /// With nothing queued the pending phase sends it, and tells it then.
            ///
            /// # Errors
            /// `ENOTCONN` if it was shut down before; what ended writing; [`Closed`](crate::Closed).
            pub fn shutdown(&self) -> crate::Request<()> {
                self.0.shutdown()
            }

            /// Closes the stream with `TimedOut` if nothing is read or written for `limit`; `None`, the
            /// default, is never. The read callback, or the task that reads, is told.
            ///
            /// It keeps nothing alive.
            pub fn set_idle_timeout(&self, limit: impl Into<Option<std::time::Duration>>) {
                self.0.set_idle_timeout(limit.into());
            }

            /// Writes everything that is read from here to `target`, and the end too, as Node's
            /// `pipe`: pauses while the target is full. The result is the number of bytes.
            ///
            /// That the target was closed ends the pipe at once. That its peer is gone is met with the
            /// next data, or when somebody reads from the target.
            ///
            /// [`io::pipe`](crate::io::pipe) does the same and closes both when one fails.
            ///
            /// # Errors
            /// Those of reading and of writing. The target stays open then, this stream does not read
            /// on. [`Closed`](crate::Closed), or what closed it, if the target is closed;
            /// [`Cancelled`](crate::Cancelled) if this stream is closed, or its reading stopped.
            ///
            /// # Cancel safety
            /// Dropping the request ends nothing; [`read_stop`](Self::read_stop) does.
            pub fn pipe_to(&self, target: &impl crate::net::ByteStream) -> crate::Request<u64> {
                crate::net::pipe_to::pipe_to(self, target)
            }
        }

        impl crate::net::ByteSource for $name {
            fn begin(
                &self,
                f: impl FnMut(&Self, std::io::Result<&[u8]>) -> crate::Result + 'static,
            ) {
                self.read_start(f);
            }

            fn hold(&self) {
                self.pause();
            }

            fn go_on(&self) {
                self.resume();
            }

            fn leave(&self) {
                self.read_stop();
            }
        }

        impl crate::net::stream::sealed::Sealed for $name {}

        impl crate::net::ByteStream for $name {
            fn put(&self, data: &[u8]) -> crate::Request<()> {
                self.write(data)
            }

            fn has_much_queued(&self) -> bool {
                self.is_full()
            }

            fn when_drained(&self) -> crate::Request<()> {
                self.drained()
            }

            fn end(&self) -> crate::Request<()> {
                self.shutdown()
            }
        }

        impl futures_io::AsyncRead for &$name {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.0.poll_read(cx, None, |stream, channel| stream.recv(channel, buffer))
            }
        }

        impl futures_io::AsyncWrite for &$name {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                data: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.0.poll_write(cx, &[std::io::IoSlice::new(data)])
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                data: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.0.poll_write(cx, data)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.0.poll_flush(cx)
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.0.poll_close(cx)
            }
        }

        impl futures_io::AsyncRead for $name {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_read(cx, buffer)
            }
        }

        impl futures_io::AsyncWrite for $name {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                data: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_write(cx, data)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                data: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_write_vectored(cx, data)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut &*self).poll_flush(cx)
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut &*self).poll_close(cx)
            }
        }
    };
}
pub(crate) use byte_stream;

/// Gives a byte stream over a socket what only sockets can.
macro_rules! peekable {
    ($name:ident) => {
        /// Looking ahead.
        impl $name {
            /// Reads without taking: the next read gives the same bytes.
            ///
            /// # Errors
            /// As [`read`](Self::read).
            ///
            /// # Cancel safety
            /// Nothing is lost.
            pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = std::io::Result<usize>> {
                self.0.read_with(|_, socket| crate::sys::peek(socket, buffer))
            }
        }
    };
}
pub(crate) use peekable;
