//! The loop's end of a pipe: a socket.

use std::io::{self, IoSlice};
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedHandle, RawSocket};
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use windows_sys::Win32::Foundation::ERROR_NO_DATA;

use super::handle::{Access, check_pipe};
use super::link::Link;
use super::overlapped::raw_error;
use super::pump::{Reader, begin};
use crate::sys::{self, Channel};

/// Bytes that each of the two sockets may hold.
const BUFFER: usize = 64 * 1024;

/// One end of a pipe, or of a console's input.
#[derive(Debug)]
pub(crate) struct PipeEnd {
    socket: Socket,
    access: Access,
    link: Arc<Link>,
    /// Threads carry its bytes: the other end is a handle.
    is_carried: bool,
    /// The thread that reads for it, if one does.
    _reader: Option<Reader>,
}

/// Both ends of a new pipe, the one to read first.
pub(crate) fn pipe_pair() -> io::Result<(PipeEnd, PipeEnd)> {
    let (reader, writer) = buffered_pair()?;
    // Its close is told at once to who waits for room.
    reader.set_linger(Some(Duration::ZERO))?;
    let link = Arc::new(Link::default());
    let end = |socket, access| PipeEnd {
        socket,
        access,
        link: link.clone(),
        is_carried: false,
        _reader: None,
    };
    Ok((end(reader, Access::READ), end(writer, Access::WRITE)))
}

fn buffered_pair() -> io::Result<(Socket, Socket)> {
    let (one, other) = sys::loopback_pair()?;
    for socket in [&one, &other] {
        socket.set_tcp_nodelay(true)?;
        socket.set_send_buffer_size(BUFFER)?;
        socket.set_recv_buffer_size(BUFFER)?;
    }
    Ok((one, other))
}

impl PipeEnd {
    /// Takes a handle over, and lets threads carry its bytes.
    pub(crate) fn new(handle: OwnedHandle) -> io::Result<Self> {
        let access = check_pipe(&handle)?;
        let (socket, carried) = buffered_pair()?;
        carried.set_nonblocking(false)?;
        let link = Arc::new(Link::default());
        let reader = begin(handle, carried, &link, access)?;
        Ok(Self { socket, access, link, is_carried: true, _reader: reader })
    }

    /// Whether it was opened for reading, and for writing.
    pub(crate) fn access(&self) -> io::Result<(bool, bool)> {
        Ok((self.access.reads, self.access.writes))
    }

    /// What a write has brought.
    fn sent(&self, sent: io::Result<usize>) -> io::Result<usize> {
        match &sent {
            Ok(bytes) if self.is_carried => self.link.unwritten.add(*bytes),
            Err(error) if is_broken(error) => {
                self.link.check_written()?;
                return Err(raw_error(ERROR_NO_DATA));
            }
            _ => {}
        }
        sent
    }
}

/// Whether an error says that the other socket is gone.
fn is_broken(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}

impl Drop for PipeEnd {
    /// The writer of a pair has no thread to tell it that the reader is gone.
    fn drop(&mut self) {
        if !self.is_carried && self.access.reads {
            self.link.fail_writes(&raw_error(ERROR_NO_DATA));
        }
    }
}

impl AsSocket for PipeEnd {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

impl AsRawSocket for PipeEnd {
    fn as_raw_socket(&self) -> RawSocket {
        self.socket.as_raw_socket()
    }
}

impl Channel for PipeEnd {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match sys::recv(&self.socket, buffer) {
            Ok(0) if !buffer.is_empty() => self.link.check_read().map(|()| 0),
            read => read,
        }
    }

    fn check_readable(&self) -> io::Result<()> {
        sys::peek(&self.socket, &mut [0]).map(drop)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.link.check_written()?;
        self.sent(sys::send(&self.socket, bytes))
    }

    fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.link.check_written()?;
        self.sent(sys::send_vectored(&self.socket, slices))
    }

    /// The thread that writes sees the end behind the data.
    fn end(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }
}
