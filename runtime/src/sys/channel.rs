//! The system's end of a byte stream.

use std::fs::File;
use std::io::{self, IoSlice};

use polling::AsSource;
use socket2::{SockAddr, Socket};

use super::{Descriptor, ReceivedFds};

/// What a stream reads from and writes to. It does not block, or blocks for a moment only.
pub(crate) trait Channel: AsSource + 'static {
    /// Why it can't even be waited for, if so.
    fn check_usable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads what is there; 0 is the end.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether a read would find something: `WouldBlock` if not.
    fn check_readable(&self) -> io::Result<()>;

    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Sends descriptors too, with the first of the bytes: if anything is sent they are.
    fn send_with_fds(&self, _slices: &[IoSlice<'_>], _fds: &[Descriptor]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Reads what is there, and takes up to `max_fds` descriptors that come with it.
    fn recv_with_fds(
        &self,
        buffer: &mut [u8],
        _max_fds: usize,
    ) -> io::Result<(usize, ReceivedFds)> {
        Ok((self.recv(buffer)?, ReceivedFds::default()))
    }

    /// Sends up to `length` bytes of a file from `offset` on, of what is in memory; 0 is its end. `None`:
    /// it has to be read.
    fn send_file(&self, _file: &File, _offset: u64, _length: usize) -> io::Result<Option<usize>> {
        Ok(None)
    }

    /// Lets the reader read the end, if that takes more than to close it.
    fn end(&self) -> io::Result<()>;

    /// The loop goes away, and these bytes are queued. Most channels give them up; one that others
    /// read after the process has ended writes them now, however long that takes.
    fn send_last(&self, bytes: &[u8]) -> io::Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// What became of a connect.
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// The address of this end, if it has one.
    fn own_name(&self) -> Option<SockAddr> {
        None
    }
}

impl Channel for Socket {
    #[inline]
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        super::recv(self, buffer)
    }

    fn check_readable(&self) -> io::Result<()> {
        super::peek(self, &mut [0]).map(drop)
    }

    #[inline]
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        super::send(self, bytes)
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        super::send_vectored(self, slices)
    }

    #[cfg(unix)]
    fn send_with_fds(&self, slices: &[IoSlice<'_>], fds: &[Descriptor]) -> io::Result<usize> {
        super::send_with_fds(self, slices, fds, None)
    }

    #[cfg(unix)]
    fn recv_with_fds(&self, buffer: &mut [u8], max_fds: usize) -> io::Result<(usize, ReceivedFds)> {
        super::recv_with_fds(self, buffer, max_fds)
    }

    fn send_file(&self, file: &File, offset: u64, length: usize) -> io::Result<Option<usize>> {
        super::file_send::send_file(self, file, offset, length)
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn own_name(&self) -> Option<SockAddr> {
        self.local_addr().ok()
    }
}
