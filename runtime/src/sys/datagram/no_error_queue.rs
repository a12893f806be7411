//! Where the system keeps one error of a socket, without an address.

use std::io;

use socket2::Socket;

/// There is no queue: the next call that receives fails with the error.
pub(crate) fn take_error(_: &Socket) -> Option<io::Error> {
    None
}

pub(crate) fn queue_errors(_: &Socket, _is_v6: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn queues_errors(_: &Socket) -> bool {
    false
}
