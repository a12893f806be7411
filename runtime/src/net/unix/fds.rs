//! Descriptors that go along with the bytes of a local connection.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{ReceivedFds, UnixStream};
use crate::error::Outcome;
use crate::request::Request;
use crate::sys;

/// Passing descriptors, which may be those of files, sockets, pipes and whatever else, to the process at
/// the other end.
///
/// They go with bytes: descriptors come with the read that finds the first byte of the write they were
/// sent by. Such a read may begin with bytes of earlier writes, so the bytes should tell what comes with
/// them. The other end gets descriptors of the same open files, which are closed on exec.
///
/// Descriptors that come to a reader who did not ask for any are closed by the system: nothing leaks.
///
/// # Examples
/// ```
/// use runtime::net::UnixStream;
/// use std::fs::File;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let (one, other) = UnixStream::pair()?;
///     let file = File::open("/dev/null")?;
///     one.write_with_fds("a file", [file.into()]).await?;
///
///     let mut buffer = [0; 16];
///     let (len, mut received) = other.read_with_fds(&mut buffer, 1).await?;
///     assert_eq!(&buffer[..len], b"a file");
///     let file = File::from(received.fds.remove(0));
///     # drop(file);
///     Ok(())
/// }
/// ```
impl UnixStream {
    /// Writes all of `data`, in the order of the calls, as [`write`](Self::write), and passes `fds` with
    /// its first byte, once. They are closed here when they were sent, or can't be; who needs one
    /// further passes a clone (`OwnedFd::try_clone`).
    ///
    /// # Ordering
    /// As [`write`](Self::write).
    ///
    /// # Errors
    /// `InvalidInput` for no data, which descriptors can't go with, and for more than 253 descriptors: these
    /// leave the stream as it is. `ETOOMANYREFS`, on Linux, if the user has more of them under way than a
    /// process may have open; that and all others are those of [`write`](Self::write).
    ///
    /// # Cancel safety
    /// What is queued stays queued when the future is dropped, descriptors too.
    pub fn write_with_fds(
        &self,
        data: impl AsRef<[u8]>,
        fds: impl Into<Vec<OwnedFd>>,
    ) -> Request<()> {
        let (data, fds) = (data.as_ref(), fds.into());
        match check(data, fds.len()) {
            Ok(()) => self.0.write_with_fds(data, fds.into()),
            Err(error) => Request::done(Err(error)),
        }
    }

    /// Writes what the system takes at once: a part of `data` or all of it. If it takes anything, `fds`
    /// went with it.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing, or something is queued; else as
    /// [`write_with_fds`](Self::write_with_fds).
    pub fn try_write_with_fds(&self, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        check(data, fds.len())?;
        self.0
            .try_write_by(|socket| sys::send_with_fds(socket, &[io::IoSlice::new(data)], fds, None))
    }

    /// Reads up to `buffer.len()` bytes, and takes up to `max_fds` descriptors that come with them, of 253 at
    /// most. No bytes are the end (or an empty buffer).
    ///
    /// # Errors
    /// As [`read`](Self::read). That more came than were asked for is none: the result tells it.
    ///
    /// # Cancel safety
    /// Nothing is lost: nothing was read.
    pub fn read_with_fds(
        &self,
        buffer: &mut [u8],
        max_fds: usize,
    ) -> impl Future<Output = io::Result<(usize, ReceivedFds)>> {
        self.0.read_with(move |stream, socket| stream.recv_with_fds(socket, buffer, max_fds))
    }

    /// Reads what is there, without waiting, as [`read_with_fds`](Self::read_with_fds).
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as [`read`](Self::read).
    pub fn try_read_with_fds(
        &self,
        buffer: &mut [u8],
        max_fds: usize,
    ) -> io::Result<(usize, ReceivedFds)> {
        self.0.try_read_by(|socket| self.0.recv_with_fds(socket, buffer, max_fds))
    }

    /// Calls `f` with what comes, as [`read_start`](Self::read_start), and up to `max_fds` descriptors that
    /// come with it, of 253 at most. Those that `f` does not keep are closed.
    ///
    /// # Ordering
    /// As [`read_start`](Self::read_start).
    ///
    /// # Errors
    /// As [`read_start`](Self::read_start).
    pub fn read_start_with_fds<R: Outcome>(
        &self,
        max_fds: usize,
        f: impl FnMut(&Self, io::Result<(&[u8], ReceivedFds)>) -> R + 'static,
    ) {
        self.0.read_start_with_fds(max_fds, f);
    }
}

fn check(data: &[u8], fds: usize) -> io::Result<()> {
    if data.is_empty() && fds > 0 {
        let message = "descriptors can't be passed without a byte that they go with";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    check_count(fds)
}

pub(super) fn check_count(fds: usize) -> io::Result<()> {
    if fds <= sys::MAX_FDS {
        return Ok(());
    }
    let message = format!("{fds} descriptors at once: at most {} can be passed", sys::MAX_FDS);
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
