//! Labels that several scenarios note, spelled as the C side spells them.

use runtime::{Cancelled, Closed};
use std::error::Error;
use std::io;
use std::io::ErrorKind as Kind;
use std::time::Duration;

/// The kinds of error that just one code of libuv's stands for.
const KINDS: &[(Kind, &str)] = &[
    (Kind::AddrInUse, "EADDRINUSE"),
    (Kind::AddrNotAvailable, "EADDRNOTAVAIL"),
    (Kind::AlreadyExists, "EEXIST"),
    (Kind::BrokenPipe, "EPIPE"),
    (Kind::ConnectionAborted, "ECONNABORTED"),
    (Kind::ConnectionRefused, "ECONNREFUSED"),
    (Kind::ConnectionReset, "ECONNRESET"),
    (Kind::InvalidInput, "EINVAL"),
    (Kind::IsADirectory, "EISDIR"),
    (Kind::NotConnected, "ENOTCONN"),
    (Kind::NotFound, "ENOENT"),
    (Kind::ResourceBusy, "EBUSY"),
    (Kind::TimedOut, "ETIMEDOUT"),
    (Kind::UnexpectedEof, "EOF"),
    (Kind::Unsupported, "ENOTSUP"),
    (Kind::WouldBlock, "EAGAIN"),
];

/// Codes that have no kind of their own, by the number that Linux gives them.
const NUMBERS: &[(i32, &str)] = &[
    (1, "EPERM"),
    (3, "ESRCH"),
    (9, "EBADF"),
    (13, "EACCES"),
    (24, "EMFILE"),
    (88, "ENOTSOCK"),
    (89, "EDESTADDRREQ"),
    (90, "EMSGSIZE"),
    (91, "EPROTOTYPE"),
    (106, "EISCONN"),
    (114, "EALREADY"),
];

/// `what=0`, or `what=NAME` with libuv's name of the error.
pub fn status<T>(what: &str, result: &io::Result<T>) -> String {
    let name = result.as_ref().err().map_or("0".into(), name);
    format!("{what}={name}")
}

/// Libuv's name of an error; what has none is named as Rust does.
fn name(error: &io::Error) -> String {
    if Cancelled::is_in(error) {
        return "ECANCELED".into();
    }
    // What is called on a closing handle.
    if Closed::is_in(error) {
        return "EINVAL".into();
    }
    let code = code(error);
    let by_number = NUMBERS.iter().find(|(number, _)| code == Some(*number));
    let by_kind = || KINDS.iter().find(|(kind, _)| error.kind() == *kind);
    match by_number.map(|row| row.1).or_else(|| by_kind().map(|row| row.1)) {
        Some(name) => name.into(),
        None => format!("{:?}", error.kind()),
    }
}

/// The system's number, which the source has if the error says what was tried.
fn code(error: &io::Error) -> Option<i32> {
    let source = || error.source()?.downcast_ref::<io::Error>()?.raw_os_error();
    error.raw_os_error().or_else(source)
}

/// `what=1` or `what=0`.
pub fn flag(what: &str, is_so: bool) -> String {
    format!("{what}={}", u8::from(is_so))
}

/// `what=0`, `what=forever`, or `what=some` for a wait that ends by itself: how long, nobody notes.
pub fn wait(what: &str, timeout: Option<Duration>) -> String {
    let long = match timeout {
        None => "forever",
        Some(Duration::ZERO) => "0",
        Some(_) => "some",
    };
    format!("{what}={long}")
}
