//! Windows: sockets only. Readiness comes from AFD by way of `polling`, in level mode.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::windows::io::{AsRawSocket, OwnedSocket};

use socket2::Socket;

/// What can be polled.
pub(crate) use std::os::windows::io::AsSocket as AsSource;
/// A polled source that is owned.
pub(crate) type OwnedSource = OwnedSocket;
/// What the system knows it by.
pub(crate) type RawSource = std::os::windows::io::RawSocket;

// Winsock's codes, by the names that it gives them.
const WSAEINVAL: i32 = 10022;
const WSAEMFILE: i32 = 10024;
const WSAEALREADY: i32 = 10037;
const WSAENOBUFS: i32 = 10055;
const WSAENOTCONN: i32 = 10057;

/// A socket of the same open connection.
pub(crate) fn duplicate(source: impl AsSource) -> io::Result<OwnedSource> {
    source.as_socket().try_clone_to_owned()
}

/// The name of `source`, which says nothing about how long it is valid.
pub(crate) fn raw(source: &impl AsSource) -> RawSource {
    source.as_socket().as_raw_socket()
}

#[inline]
pub(crate) fn recv(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

pub(crate) fn peek(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    // There is no safe peek into initialized bytes, so they are copied.
    let mut peeked = vec![MaybeUninit::<u8>::uninit(); buffer.len()];
    let read = socket.peek(&mut peeked)?;
    for (to, from) in buffer.iter_mut().zip(&peeked[..read]) {
        // SAFETY: the system has written the first `read` bytes.
        #[allow(unsafe_code)]
        let byte = unsafe { from.assume_init() };
        *to = byte;
    }
    Ok(read)
}

#[inline]
pub(crate) fn send(mut socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}

pub(crate) fn send_vectored(mut socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    socket.write_vectored(slices)
}

/// Accepts a connection; the socket does not block, and is not inherited.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    let (socket, address) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address.as_socket().ok_or_else(crate::sys::invalid)?))
}

/// The same where nobody asks for the peer's name; the system gives it even so.
pub(crate) fn accept_nameless(listener: &Socket) -> io::Result<Socket> {
    Ok(accept(listener)?.0)
}

/// Whether a connect goes on in the background.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Whether no socket, or no memory for one, is left.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
}

/// There is a reader, or a request of this kind, already.
pub(crate) fn already() -> io::Error {
    io::Error::from_raw_os_error(WSAEALREADY)
}

/// A directory is where a file should be: the system has no code for it.
pub(crate) fn is_a_directory() -> io::Error {
    io::ErrorKind::IsADirectory.into()
}

/// The stream is not connected, or was shut down before.
pub(crate) fn not_connected() -> io::Error {
    io::Error::from_raw_os_error(WSAENOTCONN)
}

/// The sending side was shut down.
pub(crate) fn broken_pipe() -> io::Error {
    // Winsock has a code for it, which the standard library knows no kind for.
    io::ErrorKind::BrokenPipe.into()
}

/// An argument that does not fit the state.
pub(crate) fn invalid() -> io::Error {
    io::Error::from_raw_os_error(WSAEINVAL)
}

/// A socket that is kept to be given up when none is left.
pub(crate) fn spare() -> io::Result<OwnedSource> {
    let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    Ok(socket.into())
}

/// Whether nothing of a file changed that the system notes, times of access left out.
pub(crate) fn is_same_file_state(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::windows::fs::MetadataExt;
    let state = |of: &std::fs::Metadata| {
        (of.file_attributes(), of.creation_time(), of.last_write_time(), of.file_size())
    };
    state(one) == state(other)
}
