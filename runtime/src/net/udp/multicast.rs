//! Datagrams to a group.

use std::io;
use std::net::IpAddr;

use super::settings::check_hops;
use super::{Interface, UdpSocket};
use crate::sys::{self, Change};

/// Multicast. Who only sends to a group need not join it.
impl UdpSocket {
    /// Receives what is sent to `group` and this socket's port, on one interface; see [`Interface`].
    ///
    /// Several sockets of a machine can listen to one group if each is bound by
    /// [`UdpOptions::reuse_address`](super::UdpOptions::reuse_address).
    ///
    /// # Errors
    /// `AddrInUse` if it has joined, be it for a source; `EINVAL` if it is no multicast address; `ENODEV`
    /// if there is no such interface; `InvalidInput` for a group of IPv6 with the address of an
    /// interface; [`Closed`](crate::Closed), or the system's.
    ///
    /// # Platform notes
    /// Linux gives a socket that is bound to all addresses what comes to its port for any group that
    /// somebody on the machine has joined; one bound to the group's address hears that group only.
    /// For a group of IPv4 NetBSD and OpenBSD know interfaces by address only.
    ///
    /// # Examples
    /// ```no_run
    /// use runtime::net::{Interface, UdpSocket};
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let socket = UdpSocket::options().reuse_address(true).bind("0.0.0.0:5353")?;
    ///     socket.join_multicast([224, 0, 0, 251], Interface::Any)?;
    ///     socket.recv_start(|_, datagram| println!("{datagram:?}"));
    ///     Ok(())
    /// }
    /// ```
    pub fn join_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> io::Result<()> {
        self.change(Change::Join, None, group.into(), interface.into())
    }

    /// Undoes [`join_multicast`](Self::join_multicast) with the same arguments.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if it has not joined; else as [`join_multicast`](Self::join_multicast).
    pub fn leave_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> io::Result<()> {
        self.change(Change::Leave, None, group.into(), interface.into())
    }

    /// As [`join_multicast`](Self::join_multicast), for what comes from `source`. It may be called for
    /// several.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` on Linux if it has joined for this source already; `InvalidInput` for a source and a group of different families; `Unsupported`; else as
    /// [`join_multicast`](Self::join_multicast).
    ///
    /// # Platform notes
    /// For IPv6 on Linux, macOS and FreeBSD. For IPv4 not on NetBSD, OpenBSD and DragonFly, and elsewhere
    /// interfaces are known by address only.
    pub fn join_multicast_source(
        &self,
        source: impl Into<IpAddr>,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> io::Result<()> {
        self.change(Change::Join, Some(source.into()), group.into(), interface.into())
    }

    /// Undoes [`join_multicast_source`](Self::join_multicast_source) with the same arguments.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if it has not joined; else as
    /// [`join_multicast_source`](Self::join_multicast_source).
    pub fn leave_multicast_source(
        &self,
        source: impl Into<IpAddr>,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> io::Result<()> {
        self.change(Change::Leave, Some(source.into()), group.into(), interface.into())
    }

    fn change(
        &self,
        change: Change,
        source: Option<IpAddr>,
        group: IpAddr,
        interface: Interface,
    ) -> io::Result<()> {
        self.0.with_socket(|socket| match source {
            None => sys::change_membership(socket, change, group, interface),
            Some(source) => sys::change_source_membership(socket, change, source, group, interface),
        })
    }

    /// Sends to groups by `interface`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` or `ENODEV` if there is none such; `InvalidInput` for the address of one on a
    /// socket of IPv6; [`Closed`](crate::Closed), or the system's.
    ///
    /// # Platform notes
    /// The index of an interface, on a socket of IPv4, is for Linux, macOS and FreeBSD.
    pub fn set_multicast_interface(&self, interface: impl Into<Interface>) -> io::Result<()> {
        let interface = interface.into();
        self.0.with_socket(|socket| match self.is_v6() {
            true => sys::set_multicast_interface_v6(socket, interface),
            false => sys::set_multicast_interface_v4(socket, interface),
        })
    }

    /// Whether what is sent to a group also comes to the sockets of this machine that have joined it,
    /// as it does by default.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    ///
    /// # Platform notes
    /// On Windows it is a setting of who receives.
    pub fn set_multicast_loop(&self, on: bool) -> io::Result<()> {
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.set_multicast_loop_v6(on),
            false => socket.set_multicast_loop_v4(on),
        })
    }

    /// Whether what is sent to a group also comes to the sockets of this machine.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn multicast_loop(&self) -> io::Result<bool> {
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.multicast_loop_v6(),
            false => socket.multicast_loop_v4(),
        })
    }

    /// Sets how many hops a datagram to a group may take, 0 to 255; 0 keeps it on this machine. The
    /// system's default is 1, the local network.
    ///
    /// # Errors
    /// `InvalidInput` for another number; [`Closed`](crate::Closed), or the system's.
    pub fn set_multicast_ttl(&self, hops: u32) -> io::Result<()> {
        check_hops(hops, 0)?;
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.set_multicast_hops_v6(hops),
            false => socket.set_multicast_ttl_v4(hops),
        })
    }

    /// How many hops a datagram to a group may take.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn multicast_ttl(&self) -> io::Result<u32> {
        self.0.with_socket(|socket| match self.is_v6() {
            true => socket.multicast_hops_v6(),
            false => socket.multicast_ttl_v4(),
        })
    }
}
