//! Addresses as the system writes them, read byte by byte.

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for the address of an internet socket.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub(super) struct Name([u8; Self::LEN]);

impl Name {
    pub(super) const LEN: usize = mem::size_of::<libc::sockaddr_in6>();
    pub(super) const EMPTY: Self = Self([0; Self::LEN]);

    /// What `bytes` begin with. Of those that are missing none belongs to an address.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut name = Self::EMPTY;
        let len = bytes.len().min(Self::LEN);
        name.0[..len].copy_from_slice(&bytes[..len]);
        name
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("within the name")
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.part(2));
        match i32::from(u16::from_ne_bytes(self.part(0))) {
            libc::AF_INET => {
                Some(SocketAddrV4::new(Ipv4Addr::from(self.part::<4>(4)), port).into())
            }
            libc::AF_INET6 => {
                // The flow label is kept in network order, as std does; the scope is a plain number.
                let flow = u32::from_ne_bytes(self.part(4));
                let scope = u32::from_ne_bytes(self.part(24));
                let ip = Ipv6Addr::from(self.part::<16>(8));
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            _ => None,
        }
    }
}
