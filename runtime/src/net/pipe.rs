//! Pipes: byte streams between processes, and within one.

use std::io;

use super::stream::{Directions, Stream, byte_stream};
use crate::event_loop::{Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::sys::{self, PipeEnd, PipeHandle};

handle_type! {
    /// One end of a pipe, for callbacks and tasks: an anonymous pipe, a FIFO, the standard streams of a
    /// child process; on Windows a named pipe too.
    ///
    /// Most pipes have one direction. The end to write refuses to read with `ENOTCONN`, and closes once
    /// it is shut down, which is how its reader learns of the end. The end to read refuses to write with
    /// `EPIPE`, and closes when a callback has read the end. Otherwise it lives as a
    /// [`TcpStream`](crate::net::TcpStream) does.
    ///
    /// # Errors
    /// To write to a pipe that nobody reads is `EPIPE`. The system also sends `SIGPIPE`, which a Rust
    /// program ignores from its start; a library in a program of another language sees to that itself.
    ///
    /// # Platform notes
    /// On Windows, where only sockets can be waited for, threads carry the bytes of a pipe that is not a
    /// [`pair`](Self::pair): one for each direction, with a few 64 KiB of buffers in between. So a write is
    /// done when it is on its way. What is on its way when the stream closes is written all the same, and
    /// the end of a loop waits for that, until nothing was taken for a second. What was read ahead is gone
    /// with the stream. A pipe of two directions has no end for one of them:
    /// [`shutdown`](Self::shutdown) lets nothing follow, and the peer is told by the close.
    ///
    /// Named pipes are Windows' local sockets: `Pipe::connect` and `PipeListener` exist there only, as
    /// Unix has `UnixStream` and `UnixListener`.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::Pipe;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let (reader, writer) = Pipe::pair()?;
    ///     writer.write("hello").await?;
    ///     drop(writer); // it closes, and the reader reads the end
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(reader.read(&mut buffer).await?, 5);
    ///     assert_eq!(reader.read(&mut buffer).await?, 0);
    ///     Ok(())
    /// }
    /// ```
    Pipe, Stream<Pipe>
}

byte_stream!(Pipe, PipeEnd);

/// Making pipes.
impl Pipe {
    /// A new anonymous pipe: the end to read, and the end to write. Both are closed on exec.
    ///
    /// # Errors
    /// The system's, if no descriptor is left; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let lp = current();
        lp.check_open()?;
        let (reader, writer) = sys::pipe_pair()?;
        Ok((Self::make(&lp, Directions::Read, reader), Self::make(&lp, Directions::Write, writer)))
    }

    #[track_caller]
    fn make(lp: &LoopRef, directions: Directions, end: PipeEnd) -> Self {
        Self(Stream::make_for(directions, lp, Kind::Pipe, end))
    }

    /// Takes over a pipe, a FIFO, a socket or a character device: a descriptor, or what of the
    /// standard library becomes one, such as `std::io::PipeReader` and `std::process::ChildStdout`.
    /// Its mode tells which directions it has.
    ///
    /// Its open file does not block from now on, which who shares it sees too.
    ///
    /// # Errors
    /// `InvalidInput` for a file or a directory, which the system does not wait for; the system's;
    /// [`LoopGone`](crate::LoopGone).
    ///
    /// # Platform notes
    /// Linux does not wait for some devices either, `/dev/null` and `/dev/zero` among them: they are read
    /// and written at once, and the callback of [`read_start`](Self::read_start) gets `EPERM`.
    ///
    /// On Windows it takes a handle (`OwnedHandle`) of a pipe or a console, not a socket. One for both
    /// directions has to be opened with `FILE_FLAG_OVERLAPPED`; others are `Unsupported`. Who shares the
    /// handle sees no difference.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(end: impl Into<PipeHandle>) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        Self::of_end(&lp, PipeEnd::new(end.into())?)
    }

    #[track_caller]
    pub(crate) fn of_end(lp: &LoopRef, end: PipeEnd) -> io::Result<Self> {
        let directions = match end.access()? {
            (true, true) => Directions::Both,
            (true, false) => Directions::Read,
            (false, _) => Directions::Write,
        };
        Ok(Self::make(lp, directions, end))
    }
}
