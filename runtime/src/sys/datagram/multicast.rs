//! Multicast groups: by address for IPv4 everywhere, by number where the system can.

use std::io;
#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd")))]
use std::net::Ipv6Addr;
use std::net::{IpAddr, Ipv4Addr};

use socket2::Socket;

#[cfg(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd"))]
use super::source::change_source_v6;

/// A network interface, as multicast names it.
///
/// A number is the system's index of it, as in the scope of an IPv6 address. IPv4 knows interfaces by
/// one of their addresses too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// That which the system chooses.
    #[default]
    Any,
    /// That which has this address: for groups of IPv4.
    Address(Ipv4Addr),
    /// That of this index.
    Index(u32),
}

impl From<Ipv4Addr> for Interface {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address)
    }
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl Interface {
    /// Its address, for calls that take just that.
    fn address(self) -> io::Result<Ipv4Addr> {
        match self {
            Self::Any => Ok(Ipv4Addr::UNSPECIFIED),
            Self::Address(address) => Ok(address),
            Self::Index(_) => Err(unsupported("an interface of IPv4 by its index")),
        }
    }

    fn index(self) -> io::Result<u32> {
        match self {
            Self::Any => Ok(0),
            Self::Index(index) => Ok(index),
            Self::Address(_) => {
                let message = "an interface of IPv6 is named by its index";
                Err(io::Error::new(io::ErrorKind::InvalidInput, message))
            }
        }
    }
}

fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what}: not on this system"))
}

/// What to do with a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Join,
    Leave,
}

/// Joins or leaves `group`.
pub(crate) fn change_membership(
    socket: &Socket,
    change: Change,
    group: IpAddr,
    interface: Interface,
) -> io::Result<()> {
    match (group, change) {
        (IpAddr::V4(group), _) => change_v4(socket, change, group, interface),
        (IpAddr::V6(group), Change::Join) => socket.join_multicast_v6(&group, interface.index()?),
        (IpAddr::V6(group), Change::Leave) => socket.leave_multicast_v6(&group, interface.index()?),
    }
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    windows
))]
fn change_v4(
    socket: &Socket,
    change: Change,
    group: Ipv4Addr,
    interface: Interface,
) -> io::Result<()> {
    use socket2::InterfaceIndexOrAddress;
    let interface = match interface {
        Interface::Index(index) => InterfaceIndexOrAddress::Index(index),
        by_address => InterfaceIndexOrAddress::Address(by_address.address()?),
    };
    match change {
        Change::Join => socket.join_multicast_v4_n(&group, &interface),
        Change::Leave => socket.leave_multicast_v4_n(&group, &interface),
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    windows
)))]
fn change_v4(
    socket: &Socket,
    change: Change,
    group: Ipv4Addr,
    interface: Interface,
) -> io::Result<()> {
    match change {
        Change::Join => socket.join_multicast_v4(&group, &interface.address()?),
        Change::Leave => socket.leave_multicast_v4(&group, &interface.address()?),
    }
}

/// Joins or leaves `group`, as far as `source` sends to it.
pub(crate) fn change_source_membership(
    socket: &Socket,
    change: Change,
    source: IpAddr,
    group: IpAddr,
    interface: Interface,
) -> io::Result<()> {
    match (source, group) {
        (IpAddr::V4(source), IpAddr::V4(group)) => {
            change_source_v4(socket, change, source, group, interface.address()?)
        }
        (IpAddr::V6(source), IpAddr::V6(group)) => {
            change_source_v6(socket, change, source, group, interface.index()?)
        }
        _ => {
            let message = "a source and its group are of one address family";
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    windows
))]
fn change_source_v4(
    socket: &Socket,
    change: Change,
    source: Ipv4Addr,
    group: Ipv4Addr,
    interface: Ipv4Addr,
) -> io::Result<()> {
    match change {
        Change::Join => socket.join_ssm_v4(&source, &group, &interface),
        Change::Leave => socket.leave_ssm_v4(&source, &group, &interface),
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    windows
)))]
fn change_source_v4(
    _: &Socket,
    _: Change,
    _: Ipv4Addr,
    _: Ipv4Addr,
    _: Ipv4Addr,
) -> io::Result<()> {
    Err(unsupported("groups of one source"))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd")))]
fn change_source_v6(_: &Socket, _: Change, _: Ipv6Addr, _: Ipv6Addr, _: u32) -> io::Result<()> {
    Err(unsupported("groups of IPv6 of one source"))
}

/// The interface of what is sent to groups of IPv4.
pub(crate) fn set_multicast_interface_v4(socket: &Socket, interface: Interface) -> io::Result<()> {
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd"
    ))]
    if let Interface::Index(index) = interface {
        let any = Ipv4Addr::UNSPECIFIED;
        let set = rustix::net::sockopt::set_ip_multicast_if_with_ifindex;
        return Ok(set(socket, &Ipv4Addr::UNSPECIFIED, &any, index)?);
    }
    socket.set_multicast_if_v4(&interface.address()?)
}

/// The interface of what is sent to groups of IPv6.
pub(crate) fn set_multicast_interface_v6(socket: &Socket, interface: Interface) -> io::Result<()> {
    socket.set_multicast_if_v6(interface.index()?)
}
