//! Linux, macOS and the BSDs: `getaddrinfo`, `getnameinfo`.

#![allow(unsafe_code)] // rustix has no resolver

use std::ffi::{CStr, CString};
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

use libc::c_int;
use socket2::SockAddr;

use super::{Failure, Family, Hints, LookupErrorKind, NameFlags, Query, SocketType, not_unicode};

// As the systems' own headers have them, where `libc` lacks them.
const IS_NEGATIVE: bool = cfg!(any(target_os = "linux", target_os = "openbsd"));
const EAI_ADDRFAMILY: c_int = if IS_NEGATIVE { -9 } else { 1 };
const EAI_NODATA: c_int = if IS_NEGATIVE { -5 } else { 7 };
#[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
use libc::{AI_ALL, AI_V4MAPPED};
/// A hint that these systems don't have: they refuse it by `EAI_BADFLAGS`.
#[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
const AI_V4MAPPED: c_int = 1 << 30;
#[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
const AI_ALL: c_int = 1 << 30;

// What `<netdb.h>` says of them. A longer name is `EAI_OVERFLOW`.
const MAX_HOST: usize = 1025;
const MAX_SERVICE: usize = 32;

/// A list that the system made.
struct Answers(*mut libc::addrinfo);

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: `getaddrinfo` gave it, and nobody else frees it.
        unsafe { libc::freeaddrinfo(self.0) };
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
fn address_of(entry: &libc::addrinfo) -> Option<SocketAddr> {
    let len_bytes = entry.ai_addrlen as usize;
    if entry.ai_family == libc::AF_INET && len_bytes >= size_of::<libc::sockaddr_in>() {
        // SAFETY: the system says that there is such an address, and that all of it is there.
        let v4 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
        let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
        return Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into());
    }
    if entry.ai_family == libc::AF_INET6 && len_bytes >= size_of::<libc::sockaddr_in6>() {
        // SAFETY: as above.
        let v6 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
        let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
        return Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into());
    }
    None
}

pub(super) fn addresses(query: &Query<'_>) -> Result<Vec<SocketAddr>, Failure> {
    let host = c_string(query.host)?;
    let service = query.service.map(c_string).transpose()?;
    let service = service.as_ref().map_or(ptr::null(), |service| service.as_ptr());
    let (hints, mut list) = (raw_hints(query.hints), ptr::null_mut());
    // SAFETY: strings that end with a NUL, or null; hints with nothing but numbers; room for a pointer.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), service, &hints, &mut list) };
    check(code)?;
    Ok(Answers(list).addresses())
}

fn raw_hints(hints: Hints) -> libc::addrinfo {
    // SAFETY: a C struct of integers and of pointers that may be null.
    let mut raw: libc::addrinfo = unsafe { mem::zeroed() };
    raw.ai_family = match hints.family {
        Family::Any => libc::AF_UNSPEC,
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    raw.ai_socktype = match hints.socket_type {
        SocketType::Stream => libc::SOCK_STREAM,
        SocketType::Datagram => libc::SOCK_DGRAM,
    };
    raw.ai_flags = flag(hints.addrconfig, libc::AI_ADDRCONFIG)
        | flag(hints.v4mapped, AI_V4MAPPED)
        | flag(hints.all, AI_ALL);
    raw
}

pub(super) fn names(address: SocketAddr, flags: NameFlags) -> Result<(String, String), Failure> {
    let address = SockAddr::from(address);
    let flags = flag(flags.name_required, libc::NI_NAMEREQD)
        | flag(flags.numeric_host, libc::NI_NUMERICHOST)
        | flag(flags.numeric_service, libc::NI_NUMERICSERV)
        | flag(flags.datagram, libc::NI_DGRAM);
    let (mut host, mut service) = ([0_u8; MAX_HOST], [0_u8; MAX_SERVICE]);
    // SAFETY: an address of that length, and two buffers of those lengths; all live through the call.
    let code = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            host.as_mut_ptr().cast(),
            MAX_HOST as _,
            service.as_mut_ptr().cast(),
            MAX_SERVICE as _,
            flags,
        )
    };
    check(code)?;
    Ok((text(&host)?, text(&service)?))
}

fn flag(on: bool, flag: c_int) -> c_int {
    if on { flag } else { 0 }
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|error| Failure {
        code: libc::EAI_NONAME,
        kind: LookupErrorKind::NoName,
        words: error.to_string(),
        system: None,
    })
}

fn text(bytes: &[u8]) -> Result<String, Failure> {
    let text = CStr::from_bytes_until_nul(bytes).ok().and_then(|text| text.to_str().ok());
    text.map(str::to_owned).ok_or_else(|| not_unicode(libc::EAI_FAIL))
}

fn check(code: c_int) -> Result<(), Failure> {
    if code == 0 {
        return Ok(());
    }
    // Before anything else may change it.
    let system = (code == libc::EAI_SYSTEM).then(io::Error::last_os_error);
    let words = system.as_ref().map_or_else(|| words(code), io::Error::to_string);
    Err(Failure { code, kind: kind(code), words, system })
}

fn words(code: c_int) -> String {
    // SAFETY: it takes any number, and gives a text that is never freed.
    let words = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    words.to_string_lossy().into_owned()
}

fn kind(code: c_int) -> LookupErrorKind {
    match code {
        libc::EAI_NONAME => LookupErrorKind::NoName,
        EAI_NODATA => LookupErrorKind::NoData,
        EAI_ADDRFAMILY => LookupErrorKind::AddrFamily,
        libc::EAI_AGAIN => LookupErrorKind::Again,
        libc::EAI_FAIL => LookupErrorKind::Fail,
        libc::EAI_SERVICE => LookupErrorKind::Service,
        libc::EAI_FAMILY => LookupErrorKind::Family,
        libc::EAI_SOCKTYPE => LookupErrorKind::SockType,
        libc::EAI_BADFLAGS => LookupErrorKind::BadFlags,
        libc::EAI_MEMORY => LookupErrorKind::Memory,
        libc::EAI_OVERFLOW => LookupErrorKind::Overflow,
        libc::EAI_SYSTEM => LookupErrorKind::System,
        _ => LookupErrorKind::Other,
    }
}
