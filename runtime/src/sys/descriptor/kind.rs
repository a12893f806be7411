//! What a descriptor is.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, SocketType, getsockname, sockopt::socket_type};
use rustix::termios::isatty;

use super::FdKind;

/// libuv's `uv_guess_handle`.
pub(crate) fn guess(fd: impl AsFd) -> FdKind {
    let fd = fd.as_fd();
    if isatty(fd) {
        return FdKind::Tty;
    }
    let Ok(stat) = fstat(fd) else { return FdKind::Unknown };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile
        | FileType::Directory
        | FileType::BlockDevice
        | FileType::CharacterDevice => FdKind::File,
        FileType::Fifo => FdKind::Pipe,
        FileType::Socket => guess_socket(fd),
        _ => FdKind::Unknown,
    }
}

fn guess_socket(fd: BorrowedFd<'_>) -> FdKind {
    let (Ok(kind), Ok(address)) = (socket_type(fd), getsockname(fd)) else {
        return FdKind::Unknown;
    };
    let is_internet =
        matches!(address.address_family(), AddressFamily::INET | AddressFamily::INET6);
    match kind {
        SocketType::STREAM if is_internet => FdKind::Tcp,
        SocketType::DGRAM if is_internet => FdKind::Udp,
        SocketType::STREAM if address.address_family() == AddressFamily::UNIX => FdKind::Pipe,
        _ => FdKind::Unknown,
    }
}

/// Whether it is the end of a pseudo-terminal that a terminal emulator holds. It can't be opened anew: that
/// makes another pseudo-terminal.
pub(crate) fn is_pty_master(fd: impl AsFd) -> bool {
    // The number of /dev/ptmx on Linux. Elsewhere who opens it anew sees by the number what it got.
    const PTMX: (u32, u32) = (5, 2);
    cfg!(target_os = "linux")
        && fstat(fd).is_ok_and(|stat| {
            (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == PTMX
        })
}

/// Standard input, output and error by their numbers.
pub(crate) fn standard_descriptor(number: usize) -> BorrowedFd<'static> {
    match number {
        0 => rustix::stdio::stdin(),
        1 => rustix::stdio::stdout(),
        _ => rustix::stdio::stderr(),
    }
}
