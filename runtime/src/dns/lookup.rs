//! Names to addresses.

use std::net::{IpAddr, SocketAddr};

use super::question::{Question, without_duplicates};
use super::{Family, Order, SocketType};
use crate::event_loop::{Carried, current};
use crate::pool::Lane;
use crate::request::{Request, on_pool};
use crate::sys::resolver::Hints;

/// The addresses of a host, each once, in the resolver's order. [`options`] can narrow, widen and sort them.
///
/// The zone of an address such as `fe80::1%2` is lost: an [`IpAddr`] has none. [`lookup_addrs`] keeps it.
///
/// # Ordering
/// The result comes in the poll phase; in the pending phase if `host` is an address, or can be neither that nor a
/// name.
///
/// # Errors
/// `InvalidInput` for what can't be a name; what the resolver says, with the name: see
/// [`LookupError`](super::LookupError).
///
/// # Panics
/// If this thread has no current loop.
///
/// # Cancel safety
/// A lookup that is dropped before a thread takes it is not begun; one that runs goes on alone.
///
/// # Examples
/// ```
/// use runtime::dns;
///
/// #[runtime::main]
/// fn main() {
///     dns::lookup("localhost").callback(|found| match found {
///         Ok(addresses) => println!("{addresses:?}"),
///         Err(error) => eprintln!("{error}"),
///     });
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn lookup(host: impl AsRef<str>) -> Request<Vec<IpAddr>> {
    options().lookup(host)
}

/// The addresses of a host, with the port of a service: of TCP, unless [`options`] say otherwise.
///
/// `service` is a port, `"80"`, or a name that the system knows, `"http"` (on Unix those in the file
/// `/etc/services`).
///
/// # Ordering
/// As [`lookup`]. The name of a service goes to the resolver in any case.
///
/// # Errors
/// As [`lookup`]; a service that nobody knows is `NotFound`, with host and service.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let found = runtime::dns::lookup_addrs("::1", "8080").await?;
///     assert_eq!(found, ["[::1]:8080".parse()?]);
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or nobody asks"]
#[track_caller]
pub fn lookup_addrs(host: impl AsRef<str>, service: impl AsRef<str>) -> Request<Vec<SocketAddr>> {
    options().lookup_addrs(host, service)
}

/// Options of a lookup, none of which is set.
pub fn options() -> LookupOptions {
    LookupOptions::default()
}

/// How names are looked up; see [`options`].
///
/// # Examples
/// ```
/// use runtime::dns::{self, Family};
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let found = dns::options().family(Family::V4).lookup("localhost").await?;
///     assert!(found.iter().all(|ip| ip.is_ipv4()));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is asked before `lookup` or `lookup_addrs`"]
pub struct LookupOptions {
    hints: Hints,
    order: Order,
}

impl LookupOptions {
    /// Asks for addresses of one family; default [`Family::Any`].
    pub fn family(mut self, family: Family) -> Self {
        self.hints.family = family;
        self
    }

    /// Sorts the families; default [`Order::Verbatim`].
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// What the service is for; default [`SocketType::Stream`].
    pub fn socket_type(mut self, socket_type: SocketType) -> Self {
        self.hints.socket_type = socket_type;
        self
    }

    /// Leaves out the families of which this machine has no address itself, loopback not counted:
    /// `AI_ADDRCONFIG`. It is off at first, as in Node.
    pub fn addrconfig(mut self, on: bool) -> Self {
        self.hints.addrconfig = on;
        self
    }

    /// With [`Family::V6`]: a host without addresses of IPv6 is given by its addresses of IPv4, written as
    /// `::ffff:1.2.3.4`: `AI_V4MAPPED`.
    ///
    /// # Platform notes
    /// NetBSD and OpenBSD don't have it: the lookup fails with `InvalidInput`. FreeBSD's resolver may.
    pub fn v4mapped(mut self, on: bool) -> Self {
        self.hints.v4mapped = on;
        self
    }

    /// With [`v4mapped`](Self::v4mapped): both, not the one for lack of the other: `AI_ALL`.
    pub fn all(mut self, on: bool) -> Self {
        self.hints.all = on;
        self
    }
}

/// What they are for.
impl LookupOptions {
    /// As the function [`lookup`].
    ///
    /// # Errors
    /// As there; `Unsupported` and `InvalidInput` for options that the system does not have.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, give it a callback, or nobody asks"]
    #[track_caller]
    pub fn lookup(self, host: impl AsRef<str>) -> Request<Vec<IpAddr>> {
        self.ask(host.as_ref(), None, |addresses| {
            // Those that differ by their zones only.
            without_duplicates(addresses.iter().map(SocketAddr::ip).collect())
        })
    }

    /// As the function [`lookup_addrs`].
    ///
    /// # Errors
    /// As there; `Unsupported` and `InvalidInput` for options that the system does not have.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[must_use = "await it, give it a callback, or nobody asks"]
    #[track_caller]
    pub fn lookup_addrs(
        self,
        host: impl AsRef<str>,
        service: impl AsRef<str>,
    ) -> Request<Vec<SocketAddr>> {
        self.ask(host.as_ref(), Some(service.as_ref()), |addresses| addresses)
    }

    #[track_caller]
    fn ask<T: Send + 'static>(
        self,
        host: &str,
        service: Option<&str>,
        give: fn(Vec<SocketAddr>) -> Vec<T>,
    ) -> Request<Vec<T>> {
        // First: whether there must be a loop does not depend on the host.
        let is_open = current().check_open();
        let question = is_open.and_then(|()| Question::new(host, service, self.hints, self.order));
        match question {
            Err(error) => Request::done(Err(error)),
            Ok(question) => match question.known() {
                Some(address) => Request::done(Ok(give(vec![address]))),
                None => on_pool(Lane::Slow, Carried::IfWanted, move || question.ask().map(give)),
            },
        }
    }
}
