//! How a standard stream is read and written on Windows.

use std::io::{self, IoSlice};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::os::windows::io::{AsSocket, BorrowedSocket};

use socket2::Socket;

use crate::event_loop::{LoopRef, copy_of};
use crate::sys::{self, Channel, FdKind};

/// One of the three.
pub(crate) struct StdEnd {
    number: usize,
    /// What is waited for. Output is done at once: there it is a socket that nobody asks.
    socket: Socket,
    broken: Option<io::Error>,
}

impl StdEnd {
    /// That of a standard stream, by its number.
    pub(super) fn new(_lp: &LoopRef, number: usize) -> Self {
        let unused = || Socket::from(sys::spare().expect("a socket"));
        let opened = if number == 0 { sys::pumped_stdin() } else { Ok(unused()) };
        match opened {
            Ok(socket) => Self { number, socket, broken: None },
            Err(error) => Self { number, socket: unused(), broken: Some(error) },
        }
    }

    pub(super) fn kind(&self) -> FdKind {
        sys::guess_standard(self.number)
    }

    fn check(&self) -> io::Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(copy_of(error)))
    }
}

impl AsSocket for StdEnd {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

impl AsRawSocket for StdEnd {
    fn as_raw_socket(&self) -> RawSocket {
        self.socket.as_raw_socket()
    }
}

impl Channel for StdEnd {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        // The socket has methods of these names that are not the channel's.
        Channel::recv(&self.socket, buffer)
    }

    fn check_readable(&self) -> io::Result<()> {
        self.check()?;
        self.socket.check_readable()
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        sys::write_standard(self.number, bytes).map(|()| bytes.len())
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        slices.iter().try_fold(0, |sum, slice| Ok(sum + self.send(slice)?))
    }

    fn end(&self) -> io::Result<()> {
        Ok(())
    }
}
