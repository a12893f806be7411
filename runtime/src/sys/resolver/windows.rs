//! Windows: `GetAddrInfoW`, `GetNameInfoW`. Their errors are those of Winsock.

#![allow(unsafe_code)] // the calls, and the list that one of them makes

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;
use std::sync::Once;

use socket2::SockAddr;
use windows_sys::Win32::Networking::WinSock as ws;

use super::{Failure, Family, Hints, LookupErrorKind, NameFlags, Query, SocketType, not_unicode};

const MAX_HOST: usize = ws::NI_MAXHOST as usize;
const MAX_SERVICE: usize = ws::NI_MAXSERV as usize;

/// A list that the system made.
struct Answers(*mut ws::ADDRINFOW);

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: `GetAddrInfoW` gave it, and nobody else frees it.
        unsafe { ws::FreeAddrInfoW(self.0) };
    }
}

impl Answers {
    fn addresses(&self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        let mut next = self.0.cast_const();
        // SAFETY: null, or an entry of the list, which lives as long as `self` and which nobody changes.
        while let Some(entry) = unsafe { next.as_ref() } {
            found.extend(address_of(entry));
            next = entry.ai_next;
        }
        found
    }
}

/// The address of an entry; none, if it is of a family that was not asked for.
fn address_of(entry: &ws::ADDRINFOW) -> Option<SocketAddr> {
    let (family, len_bytes) = (entry.ai_family, entry.ai_addrlen);
    if family == i32::from(ws::AF_INET) && len_bytes >= size_of::<ws::SOCKADDR_IN>() {
        // SAFETY: the system says that there is such an address, and that all of it is there; four bytes
        // are a number, whichever of its names they have.
        let (port, ip) = unsafe {
            let v4 = entry.ai_addr.cast::<ws::SOCKADDR_IN>().read_unaligned();
            (v4.sin_port, v4.sin_addr.S_un.S_addr)
        };
        let ip = Ipv4Addr::from(ip.to_ne_bytes());
        return Some(SocketAddrV4::new(ip, u16::from_be(port)).into());
    }
    if family == i32::from(ws::AF_INET6) && len_bytes >= size_of::<ws::SOCKADDR_IN6>() {
        // SAFETY: as above.
        let (v6, ip, scope) = unsafe {
            let v6 = entry.ai_addr.cast::<ws::SOCKADDR_IN6>().read_unaligned();
            (v6, v6.sin6_addr.u.Byte, v6.Anonymous.sin6_scope_id)
        };
        let port = u16::from_be(v6.sin6_port);
        return Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, v6.sin6_flowinfo, scope).into());
    }
    None
}

pub(super) fn addresses(query: &Query<'_>) -> Result<Vec<SocketAddr>, Failure> {
    start();
    let host = wide(query.host);
    let service = query.service.map(wide);
    let service = service.as_ref().map_or(ptr::null(), |service| service.as_ptr());
    let (hints, mut list) = (raw_hints(query.hints), ptr::null_mut());
    // SAFETY: strings that end with a NUL, or null; hints with nothing but numbers; room for a pointer.
    check(unsafe { ws::GetAddrInfoW(host.as_ptr(), service, &hints, &mut list) })?;
    Ok(Answers(list).addresses())
}

fn raw_hints(hints: Hints) -> ws::ADDRINFOW {
    let family = match hints.family {
        Family::Any => ws::AF_UNSPEC,
        Family::V4 => ws::AF_INET,
        Family::V6 => ws::AF_INET6,
    };
    let flags = flag(hints.addrconfig, ws::AI_ADDRCONFIG)
        | flag(hints.v4mapped, ws::AI_V4MAPPED)
        | flag(hints.all, ws::AI_ALL);
    ws::ADDRINFOW {
        ai_flags: flags,
        ai_family: i32::from(family),
        ai_socktype: match hints.socket_type {
            SocketType::Stream => ws::SOCK_STREAM,
            SocketType::Datagram => ws::SOCK_DGRAM,
        },
        ..ws::ADDRINFOW::default()
    }
}

pub(super) fn names(address: SocketAddr, flags: NameFlags) -> Result<(String, String), Failure> {
    start();
    let address = SockAddr::from(address);
    let flags = flag(flags.name_required, ws::NI_NAMEREQD)
        | flag(flags.numeric_host, ws::NI_NUMERICHOST)
        | flag(flags.numeric_service, ws::NI_NUMERICSERV)
        | flag(flags.datagram, ws::NI_DGRAM);
    let (mut host, mut service) = ([0_u16; MAX_HOST], [0_u16; MAX_SERVICE]);
    // SAFETY: an address of that length, and two buffers of those lengths; all live through the call.
    check(unsafe {
        ws::GetNameInfoW(
            address.as_ptr().cast(),
            address.len(),
            host.as_mut_ptr(),
            ws::NI_MAXHOST,
            service.as_mut_ptr(),
            ws::NI_MAXSERV,
            flags,
        )
    })?;
    Ok((text(&host)?, text(&service)?))
}

/// Readies Winsock, once. Nobody ever ends it, as the standard library does not either.
fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        // SAFETY: a C struct of numbers and of pointers that may be null; then room for one.
        let _ = unsafe {
            let mut about: ws::WSADATA = mem::zeroed();
            // If it fails, so does the call that needs it, with a code that says so.
            ws::WSAStartup(0x0202, &mut about)
        };
    });
}

fn flag(on: bool, flag: u32) -> i32 {
    if on { flag as i32 } else { 0 }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn text(wide: &[u16]) -> Result<String, Failure> {
    let until_nul = wide.split(|&unit| unit == 0).next().unwrap_or_default();
    String::from_utf16(until_nul).map_err(|_| not_unicode(ws::WSANO_RECOVERY))
}

fn check(code: i32) -> Result<(), Failure> {
    if code == 0 {
        return Ok(());
    }
    let words = io::Error::from_raw_os_error(code).to_string();
    Err(Failure { code, kind: kind(code), words, system: None })
}

fn kind(code: i32) -> LookupErrorKind {
    match code {
        ws::WSAHOST_NOT_FOUND => LookupErrorKind::NoName,
        ws::WSANO_DATA => LookupErrorKind::NoData,
        ws::WSATRY_AGAIN => LookupErrorKind::Again,
        ws::WSANO_RECOVERY => LookupErrorKind::Fail,
        ws::WSATYPE_NOT_FOUND => LookupErrorKind::Service,
        ws::WSAEAFNOSUPPORT => LookupErrorKind::Family,
        ws::WSAESOCKTNOSUPPORT => LookupErrorKind::SockType,
        ws::WSAEINVAL => LookupErrorKind::BadFlags,
        ws::WSA_NOT_ENOUGH_MEMORY => LookupErrorKind::Memory,
        _ => LookupErrorKind::Other,
    }
}
