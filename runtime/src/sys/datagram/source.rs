//! Groups of IPv6, as far as one source sends to them.

use std::io;
use std::mem;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{SockAddr, SockAddrStorage, Socket};

use super::Change;

/// The argument of a membership that is for one source: libc's `group_source_req`.
#[cfg_attr(not(target_vendor = "apple"), repr(C))]
#[cfg_attr(target_vendor = "apple", repr(C, packed(4)))]
struct SourceMembership {
    interface: u32,
    group: SockAddrStorage,
    source: SockAddrStorage,
}

const _: () = assert!(
    mem::size_of::<SourceMembership>() == mem::size_of::<libc::group_source_req>()
        && mem::offset_of!(SourceMembership, group)
            == mem::offset_of!(libc::group_source_req, gsr_group)
);

/// Joins or leaves `group`, as far as `source` sends to it.
pub(super) fn change_source_v6(
    socket: &Socket,
    change: Change,
    source: Ipv6Addr,
    group: Ipv6Addr,
    interface: u32,
) -> io::Result<()> {
    let storage = |ip| SockAddr::from(SocketAddr::from((ip, 0))).as_storage();
    let request = SourceMembership { interface, group: storage(group), source: storage(source) };
    let option = match change {
        Change::Join => libc::MCAST_JOIN_SOURCE_GROUP,
        Change::Leave => libc::MCAST_LEAVE_SOURCE_GROUP,
    };
    // SAFETY: the system reads the option's own structure, of the length that it is told, and keeps no
    // pointer to it.
    #[allow(unsafe_code)]
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            option,
            (&raw const request).cast(),
            mem::size_of::<SourceMembership>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
