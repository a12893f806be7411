//! What Linux only has.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use rustix::net::SocketAddrUnix;
use socket2::Socket;

use super::UCred;

/// The address of a name without a file.
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

pub(super) fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    address.as_abstract_name()
}

pub(super) fn address_of_abstract_name(name: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new_abstract_name(name)
}

/// Gives the file that a bind makes its mode from its first moment: what the system takes from the
/// socket itself, less the umask.
pub(super) fn set_mode_before_bind(socket: &Socket, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(socket, rustix::fs::Mode::from_raw_mode(mode))?)
}

/// Who is at the other end. Not by `rustix`, whose process id is never 0: that of a process in
/// another namespace is.
pub(crate) fn peer_cred(socket: &Socket) -> io::Result<UCred> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = mem::size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the system writes the option's own structure, of the length that it is told, which is
    // plain numbers, and keeps no pointer to it.
    #[allow(unsafe_code)]
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut len,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    if found.uid == u32::MAX {
        // Nobody is there, and nobody was.
        return Err(crate::sys::not_connected());
    }
    let pid = Some(found.pid).filter(|pid| *pid != 0);
    Ok(UCred { pid, uid: found.uid, gid: found.gid })
}
