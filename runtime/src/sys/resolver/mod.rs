//! The system's resolver: addresses of names, and names of addresses.
//!
//! ```text
//!   Query { host, service, hints } ── getaddrinfo ──▶ socket addresses
//!   an address, NameFlags ─────────── getnameinfo ──▶ the names of the host and of the service
//! ```
//!
//! Both block, for many seconds if a server does not answer, and can't be stopped: they are for threads
//! of the pool. What they say of a failure is kept as it is, beside a kind that all systems share.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::io;
use std::net::SocketAddr;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of IPv4 and those of IPv6.
    #[default]
    Any,
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

/// What kind of socket the addresses are for: it decides which port a service has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// TCP.
    #[default]
    Stream,
    /// UDP.
    Datagram,
}

/// A question for addresses.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) host: &'a str,
    /// Without one the port is 0.
    pub(crate) service: Option<&'a str>,
    pub(crate) hints: Hints,
}

/// What narrows or widens a question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) family: Family,
    pub(crate) socket_type: SocketType,
    pub(crate) addrconfig: bool,
    pub(crate) v4mapped: bool,
    pub(crate) all: bool,
}

/// How names are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameFlags {
    pub(crate) name_required: bool,
    pub(crate) numeric_host: bool,
    pub(crate) numeric_service: bool,
    pub(crate) datagram: bool,
}

/// Why a lookup failed: the codes of `getaddrinfo` and `getnameinfo`, which each system numbers in its
/// own way. Its `Display` is the name of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupErrorKind {
    /// `EAI_NONAME`: nobody knows the name, or the service.
    NoName,
    /// `EAI_NODATA`: the name is known, and has no address. Some systems say `NoName` instead.
    NoData,
    /// `EAI_ADDRFAMILY`: the name has no address of the family that was asked for.
    AddrFamily,
    /// `EAI_AGAIN`: nobody answered, or could not now. Later it may work.
    Again,
    /// `EAI_FAIL`: a server failed for good.
    Fail,
    /// `EAI_SERVICE`: the service is not known for this type of socket.
    Service,
    /// `EAI_FAMILY`: the system does not know the family.
    Family,
    /// `EAI_SOCKTYPE`: the system does not know the type of socket.
    SockType,
    /// `EAI_BADFLAGS`: the hints don't fit together.
    BadFlags,
    /// `EAI_MEMORY`: no memory was left.
    Memory,
    /// `EAI_OVERFLOW`: a name is longer than names can be.
    Overflow,
    /// `EAI_SYSTEM`: another call of the system failed: the error's source.
    System,
    /// A code that this crate has no word for.
    Other,
}

impl LookupErrorKind {
    /// What it is to those who know no resolvers. Never `WouldBlock` or `Interrupted`.
    fn io_kind(self) -> io::ErrorKind {
        match self {
            Self::NoName | Self::NoData | Self::AddrFamily | Self::Service => {
                io::ErrorKind::NotFound
            }
            Self::Again => io::ErrorKind::TimedOut,
            Self::Family | Self::SockType => io::ErrorKind::Unsupported,
            Self::BadFlags => io::ErrorKind::InvalidInput,
            Self::Memory => io::ErrorKind::OutOfMemory,
            Self::Fail | Self::Overflow | Self::System | Self::Other => io::ErrorKind::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::NoName => "EAI_NONAME",
            Self::NoData => "EAI_NODATA",
            Self::AddrFamily => "EAI_ADDRFAMILY",
            Self::Again => "EAI_AGAIN",
            Self::Fail => "EAI_FAIL",
            Self::Service => "EAI_SERVICE",
            Self::Family => "EAI_FAMILY",
            Self::SockType => "EAI_SOCKTYPE",
            Self::BadFlags => "EAI_BADFLAGS",
            Self::Memory => "EAI_MEMORY",
            Self::Overflow => "EAI_OVERFLOW",
            Self::System => "EAI_SYSTEM",
            Self::Other => "another EAI code",
        }
    }
}

impl fmt::Display for LookupErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the resolver said in place of an answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The system's number for it.
    pub(crate) code: i32,
    pub(crate) kind: LookupErrorKind,
    /// The system's words for it.
    pub(crate) words: String,
    /// What is behind `EAI_SYSTEM`.
    pub(crate) system: Option<io::Error>,
}

impl Failure {
    pub(crate) fn io_kind(&self) -> io::ErrorKind {
        match self.system.as_ref().map(io::Error::kind) {
            None | Some(io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.kind.io_kind()
            }
            Some(kind) => kind,
        }
    }

    fn was_interrupted(&self) -> bool {
        self.system.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
    }
}

/// Asks until no signal interrupts.
fn retry<T>(mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    loop {
        match ask() {
            Err(failure) if failure.was_interrupted() => {}
            answer => return answer,
        }
    }
}

/// The addresses of a host, in the resolver's order. Blocks.
pub(crate) fn addresses(query: &Query<'_>) -> Result<Vec<SocketAddr>, Failure> {
    retry(|| system::addresses(query))
}

/// The names of a host and of a service. Blocks.
pub(crate) fn names(address: SocketAddr, flags: NameFlags) -> Result<(String, String), Failure> {
    retry(|| system::names(address, flags))
}

/// A name that is no Unicode, which nobody could be given.
fn not_unicode(code: i32) -> Failure {
    let words = String::from("the name is no Unicode");
    Failure { code, kind: LookupErrorKind::Other, words, system: None }
}
