//! The faces that futures have for streams of bytes.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::File;
use super::buffers::{Buffers, Said};
use super::open_file::OpenFile;
use crate::event_loop::current;
use crate::task::coop;

impl OpenFile {
    /// Asks the buffers, waits if they have no answer yet, and begins the job that they want.
    pub(super) fn poll_by<T>(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(&mut Buffers) -> Said<T>,
    ) -> Poll<io::Result<T>> {
        std::task::ready!(coop::poll_proceed(cx));
        let mut said = ask(&mut self.buffers.lock());
        if said.answer.is_none() {
            // A waker's clone and its drop are foreign code: with nothing locked. It is main's counted one: the job
            // may be another loop's, and keep just that one alive.
            let waker = cx.waker().clone();
            let spare = {
                let mut buffers = self.buffers.lock();
                if said.begins.is_none() {
                    // What was waited for may have ended meanwhile.
                    said = ask(&mut buffers);
                }
                if said.answer.is_none() { buffers.wait(waker) } else { Some(waker) }
            };
            drop(spare);
        }
        if let Some(job) = said.begins {
            self.begin(job);
        }
        match said.answer {
            Some(answer) => Poll::Ready(answer),
            None => {
                coop::made_no_progress();
                Poll::Pending
            }
        }
    }

    fn poll_read(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_by(cx, |buffers| {
            let wanted = buffer.len();
            let take = |ahead: &[u8]| {
                let length = ahead.len().min(wanted);
                buffer[..length].copy_from_slice(&ahead[..length]);
                (length, Some(length))
            };
            buffers.read(wanted, take, || 0)
        })
    }

    fn poll_write(self: &Arc<Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let polled = self.poll_by(cx, |buffers| buffers.write(bytes));
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.schedule_drain();
        }
        polled
    }

    fn poll_flush(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_by(cx, Buffers::flush)
    }

    fn poll_seek(self: &Arc<Self>, cx: &mut Context<'_>, to: SeekFrom) -> Poll<io::Result<u64>> {
        self.poll_by(cx, |buffers| buffers.seek(to))
    }

    /// Sees to it that what was accepted does not lie about for longer than this iteration.
    fn schedule_drain(self: &Arc<Self>) {
        {
            let mut buffers = self.buffers.lock();
            if buffers.is_flushed() || std::mem::replace(&mut buffers.is_scheduled, true) {
                return;
            }
        }
        let scheduled = Scheduled(Arc::downgrade(self));
        current().set_immediate(move || scheduled.drain());
    }
}

/// An immediate that is to see to what was accepted. The file may be gone by then, or the loop.
struct Scheduled(Weak<OpenFile>);

impl Scheduled {
    fn drain(&self) {
        let Some(open) = self.0.upgrade() else { return };
        let job = open.buffers.lock().end_of_iteration();
        if let Some(job) = job {
            open.begin(job);
        }
    }
}

impl Drop for Scheduled {
    fn drop(&mut self) {
        if let Some(open) = self.0.upgrade() {
            open.buffers.lock().is_scheduled = false;
        }
    }
}

/// Implements the faces for `File` and for `&File`: what they share is behind the reference anyway.
macro_rules! faces {
    ($($(#[$doc:meta])* $trait:ident for $($type:ty),* { $($method:item)* })*) => {$(
        faces!(@each [$(#[$doc])*] $trait [$($type),*] [$($method)*]);
    )*};
    (@each $docs:tt $trait:ident [$($type:ty),*] $methods:tt) => {
        $(faces!(@one $docs $trait $type, $methods);)*
    };
    (@one [$($doc:tt)*] $trait:ident $type:ty, [$($method:item)*]) => {
        $($doc)*
        impl $trait for $type { $($method)* }
    };
}

faces! {
    /// Reads in sequence. The pool reads ahead, 64 KiB at first, up to 1 MiB. Nothing of this is seen by
    /// other operations on the file or its clones: they begin where the last byte was given out.
    ///
    /// # Errors
    /// Those of the system, once each; also that of bytes which were accepted before and could not be
    /// written. [`LoopGone`](crate::LoopGone) if the loop goes meanwhile.
    ///
    /// # Panics
    /// If polled where there is no current loop.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read stays in the file's buffer.
    AsyncRead for File, &File {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.open_file().poll_read(cx, buffer)
        }
    }

    /// Writes in sequence. Bytes are accepted into memory, up to 1 MiB, and written by the pool: at the end of
    /// the loop's iteration, or as soon as they are 256 KiB, one job for all of them. `poll_flush` waits
    /// until all is with the system; [`sync_all`](File::sync_all) until it is on the disk. `poll_close`
    /// flushes.
    ///
    /// Other operations on the file and its clones come after what was accepted before.
    ///
    /// # Errors
    /// Those of the system, told once to who comes next: a write, a flush, a read, a seek, a request. The bytes
    /// which were accepted and not written are gone then. If no `File` is left it goes to
    /// [`on_unhandled`](crate::on_unhandled).
    ///
    /// # Panics
    /// If polled where there is no current loop.
    ///
    /// # Cancel safety
    /// What was accepted is written, though nobody flushes and the file is dropped; the loop stays alive
    /// until then. If the loop goes first, the bytes are written by the drop of the last `File`, on its thread.
    AsyncWrite for File, &File {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.open_file().poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.open_file().poll_flush(cx)
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.open_file().poll_flush(cx)
        }
    }

    /// Moves the position: from where the last byte was given out, or accepted.
    ///
    /// # Errors
    /// As [`File::seek`], and that of bytes which were accepted and could not be written.
    ///
    /// # Panics
    /// If polled where there is no current loop.
    ///
    /// # Cancel safety
    /// Dropped half-way, the position has moved or not.
    AsyncSeek for File, &File {
        fn poll_seek(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            to: SeekFrom,
        ) -> Poll<io::Result<u64>> {
            self.open_file().poll_seek(cx, to)
        }
    }
}
