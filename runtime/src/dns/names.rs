//! Addresses to names.

use std::net::{IpAddr, SocketAddr};

use super::SocketType;
use super::error::LookupError;
use crate::event_loop::Carried;
use crate::pool::Lane;
use crate::request::{Request, on_pool};
use crate::sys::resolver::{self, NameFlags};

/// The name of an address.
///
/// The resolver gives one name, though DNS may have several: Node's `dns.reverse`, which asks the servers
/// itself, gives all.
///
/// # Ordering
/// The result comes in the poll phase.
///
/// # Errors
/// `NotFound` if the address has no name; what else the resolver says, with the address: see
/// [`LookupError`].
///
/// # Panics
/// If this thread has no current loop.
///
/// # Cancel safety
/// As [`lookup`](super::lookup).
///
/// # Examples
/// ```
/// use runtime::dns;
/// use std::net::Ipv4Addr;
///
/// #[runtime::main]
/// async fn main() {
///     match dns::reverse(Ipv4Addr::LOCALHOST).await {
///         Ok(name) => println!("{name}"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn reverse(ip: impl Into<IpAddr>) -> Request<String> {
    let ip = ip.into();
    let flags = NameFlags { name_required: true, numeric_service: true, ..NameFlags::default() };
    on_pool(Lane::Slow, Carried::IfWanted, move || {
        let names = resolver::names((ip, 0).into(), flags);
        let (host, _) = names.map_err(|failure| LookupError::wrap(ip.to_string(), failure))?;
        Ok(host)
    })
}

/// The names of a host and of its service: `("localhost", "http")` for `127.0.0.1:80`.
///
/// What has no name is given by its number, as libuv does; [`name_options`] can change that. (Node's
/// `lookupService` requires the name of the host.)
///
/// # Ordering
/// The result comes in the poll phase.
///
/// # Errors
/// What the resolver says, with the address: see [`LookupError`].
///
/// # Panics
/// If this thread has no current loop.
///
/// # Cancel safety
/// As [`lookup`](super::lookup).
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn lookup_service(address: impl Into<SocketAddr>) -> Request<(String, String)> {
    name_options().lookup_service(address)
}

/// Options of [`lookup_service`], none of which is set.
pub fn name_options() -> NameOptions {
    NameOptions::default()
}

/// How addresses are named; see [`name_options`].
///
/// # Examples
/// ```
/// use runtime::dns;
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let address: std::net::SocketAddr = "127.0.0.1:80".parse()?;
///     let as_numbers = dns::name_options().numeric_host(true).numeric_service(true);
///     let (host, service) = as_numbers.lookup_service(address).await?;
///     assert_eq!((host.as_str(), service.as_str()), ("127.0.0.1", "80"));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is asked before `lookup_service`"]
pub struct NameOptions {
    flags: NameFlags,
}

impl NameOptions {
    /// Takes it for an error, `NotFound`, if the host has no name: `NI_NAMEREQD`.
    pub fn name_required(mut self, on: bool) -> Self {
        self.flags.name_required = on;
        self
    }

    /// Gives the host by its number, and asks nobody: `NI_NUMERICHOST`.
    pub fn numeric_host(mut self, on: bool) -> Self {
        self.flags.numeric_host = on;
        self
    }

    /// Gives the service by its port: `NI_NUMERICSERV`.
    pub fn numeric_service(mut self, on: bool) -> Self {
        self.flags.numeric_service = on;
        self
    }

    /// What the service is for; default [`SocketType::Stream`].
    pub fn socket_type(mut self, socket_type: SocketType) -> Self {
        self.flags.datagram = socket_type == SocketType::Datagram;
        self
    }

    /// As the function [`lookup_service`].
    ///
    /// # Errors
    /// As there; `NotFound` if a name is required and there is none.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, give it a callback, or nobody asks"]
    #[track_caller]
    pub fn lookup_service(self, address: impl Into<SocketAddr>) -> Request<(String, String)> {
        let (address, flags) = (address.into(), self.flags);
        on_pool(Lane::Slow, Carried::IfWanted, move || {
            let names = resolver::names(address, flags);
            names.map_err(|failure| LookupError::wrap(address.to_string(), failure))
        })
    }
}
