//! Names of hosts and services, by the system's resolver: each call a [`Request`](crate::Request).
//!
//! ```text
//!   lookup("example.org")               the addresses of a host          getaddrinfo
//!   lookup_addrs("example.org", "http") the same, with the port of a service
//!   reverse(ip)                         the name of an address           getnameinfo
//!   lookup_service(address)             the names of host and service
//! ```
//!
//! The system decides who is asked, and in which order: the file `hosts`, servers, mDNS, what else it
//! knows. So `localhost` goes to it as well, as in Node; every system answers that one without a server.
//!
//! # Ordering
//! The resolver blocks, so a thread of the pool asks it; the answer comes in the poll phase, followed by a
//! checkpoint. Lookups hold at most half of the threads of the pool, rounded up: files and
//! [`spawn_blocking`](crate::spawn_blocking) go on though no server answers, and further lookups wait. They
//! begin in the order of the calls.
//!
//! An address in place of a name is its own answer, and the request is done at once: a callback runs in the
//! pending phase, an `await` does not wait. (Node answers these by a tick.) What can't be a name is
//! an error in the same way.
//!
//! Two lookups of one name are two questions, also at the same time. Nothing is kept: who wants answers
//! to live longer than a call keeps them, or runs a cache of the system (nscd, systemd-resolved).
//!
//! # Names
//! A name is at most 253 bytes, and its labels, the parts between the dots, are not empty; it may end with
//! a dot, which keeps the resolver from trying the domains that the machine searches. White space,
//! control characters (NUL among them) and the characters `[ ] / : @ ? # \ %` are refused: they come
//! from URLs and from `host:port`. All this is `InvalidInput` before anybody is asked, naming the host.
//! So is the empty name, which Node lets pass, with no address.
//!
//! What is no ASCII is given to the system as it is, in UTF-8 (Windows: UTF-16), as the standard library
//! does: names in the `hosts` file and those of mDNS are found so, and Windows encodes the others itself.
//! glibc, musl and the BSDs do not: there a server is asked for those very bytes, and has no such
//! name. Node and libuv encode (`bücher.example` becomes `xn--bcher-kva.example`); a program that takes
//! names from people does so by `domain_to_ascii` of the crate `idna` first. The crate is not part of
//! this one since the tables of Unicode, in some 30 crates, would be most of the tree.
//!
//! # What an address is
//! What the standard library parses as one, and such with a zone, `fe80::1%2` (on Linux also
//! `fe80::1%eth0`). Other spellings, `127.1` or `0x7f.1`, go to the resolver, which takes them for addresses
//! on most systems: so they do in Node. Brackets are for URLs. An address of another family than the one
//! that was asked for goes to the resolver too, which refuses or, with `v4mapped`, maps it.
//!
//! # Errors
//! What the resolver says is a [`LookupError`] inside of the [`io::Error`](std::io::Error), whose kind is
//! `NotFound` if the name, its addresses or the service are not known, and `TimedOut` if nobody could be
//! asked now (`EAI_AGAIN`: later it may work). [`Cancelled`](crate::Cancelled) is one that was cancelled.
//!
//! # Cancel safety
//! A lookup that nobody waits for any more is not begun. One that is under way can't be stopped: its thread
//! stays with it until the resolver gives up. But [`cancel`](crate::Request::cancel) ends its *request* at
//! once, a dropped request keeps no loop alive, and neither the end of a loop nor that of the program waits
//! for it.
//!
//! # Examples
//! ```
//! use runtime::dns;
//!
//! #[runtime::main]
//! async fn main() -> runtime::Result {
//!     for ip in dns::lookup("localhost").await? {
//!         println!("{ip}");
//!     }
//!     dns::lookup_addrs("127.0.0.1", "80").callback(|found| -> runtime::Result {
//!         assert_eq!(found?, ["127.0.0.1:80".parse()?]);
//!         Ok(())
//!     });
//!     Ok(())
//! }
//! ```

mod error;
mod host;
mod lookup;
mod names;
mod question;

pub use crate::sys::resolver::{Family, LookupErrorKind, SocketType};
pub use error::LookupError;
pub use lookup::{LookupOptions, lookup, lookup_addrs, options};
pub use names::{NameOptions, lookup_service, name_options, reverse};
pub use question::Order;
pub(crate) use question::Question;
