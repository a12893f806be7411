//! A question for addresses, on its way to a thread of the pool.

use std::collections::HashSet;
use std::hash::Hash;
use std::io;
use std::net::SocketAddr;

use super::error::LookupError;
use super::{Family, host};
use crate::sys::resolver::{self, Hints, Query};

/// How addresses of both families are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// As the resolver gives them, which sorts them as RFC 6724 says, mostly.
    #[default]
    Verbatim,
    /// Those of IPv4 first.
    Ipv4First,
    /// Those of IPv6 first.
    Ipv6First,
}

impl Order {
    fn sort(self, addresses: &mut [SocketAddr]) {
        // The sort is stable: within a family the order stays.
        match self {
            Self::Verbatim => {}
            Self::Ipv4First => addresses.sort_by_key(SocketAddr::is_ipv6),
            Self::Ipv6First => addresses.sort_by_key(SocketAddr::is_ipv4),
        }
    }
}

/// Where a host, or a service of it, is.
#[derive(Debug)]
pub(crate) struct Question {
    host: String,
    service: Service,
    hints: Hints,
    order: Order,
}

#[derive(Debug)]
enum Service {
    /// Just the host is asked for.
    None,
    Port(u16),
    Name(String),
}

impl Question {
    /// For a connect, which has made sure that `host` can be a name.
    pub(crate) fn for_connect(host: String, port: u16) -> Self {
        let (hints, order) = (Hints::default(), Order::default());
        Self { host, service: Service::Port(port), hints, order }
    }

    /// # Errors
    /// `InvalidInput` for what is neither a name nor an address.
    pub(super) fn new(
        host: &str,
        service: Option<&str>,
        hints: Hints,
        order: Order,
    ) -> io::Result<Self> {
        if host::literal(host).is_none() {
            host::check(host)?;
        }
        let service = match service.map(|service| (service, host::port(service))) {
            None => Service::None,
            Some((_, Ok(Some(port)))) => Service::Port(port),
            Some((name, Ok(None))) => Service::Name(name.to_owned()),
            Some((_, Err(error))) => return Err(error),
        };
        Ok(Self { host: host.to_owned(), service, hints, order })
    }

    /// The answer, if nobody has to be asked: there is an address, of the right family.
    pub(super) fn known(&self) -> Option<SocketAddr> {
        let mut address = host::literal(&self.host)?;
        let is_asked_for = match self.hints.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        match self.service {
            Service::None => {}
            Service::Port(port) => address.set_port(port),
            Service::Name(_) => return None,
        }
        is_asked_for.then_some(address)
    }

    /// Asks the resolver. Blocks.
    pub(crate) fn ask(self) -> io::Result<Vec<SocketAddr>> {
        let service = match &self.service {
            Service::Name(name) => Some(name.as_str()),
            Service::None | Service::Port(_) => None,
        };
        let query = Query { host: &self.host, service, hints: self.hints };
        match resolver::addresses(&query) {
            Ok(mut addresses) => {
                if let Service::Port(port) = self.service {
                    addresses.iter_mut().for_each(|address| address.set_port(port));
                }
                self.order.sort(&mut addresses);
                Ok(without_duplicates(addresses))
            }
            Err(failure) => Err(LookupError::wrap(self.asked(), failure)),
        }
    }

    fn asked(self) -> String {
        match self.service {
            Service::None => self.host,
            Service::Port(port) => format!("{}:{port}", self.host),
            Service::Name(service) => format!("{}:{service}", self.host),
        }
    }
}

/// The first of each. A line that stands in the file `hosts` twice is told twice by some systems.
pub(super) fn without_duplicates<T: Copy + Eq + Hash>(mut all: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::with_capacity(all.len());
    all.retain(|one| seen.insert(*one));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_that_of_the_families_and_changes_nothing_within_them() {
        let all = |texts: [&str; 4]| texts.map(|text| text.parse::<SocketAddr>().unwrap());
        let given = all(["[::2]:1", "2.2.2.2:1", "[::1]:1", "1.1.1.1:1"]);
        for (order, expected) in [
            (Order::Verbatim, given),
            (Order::Ipv4First, all(["2.2.2.2:1", "1.1.1.1:1", "[::2]:1", "[::1]:1"])),
            (Order::Ipv6First, all(["[::2]:1", "[::1]:1", "2.2.2.2:1", "1.1.1.1:1"])),
        ] {
            let mut sorted = given;
            order.sort(&mut sorted);
            assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn the_first_of_duplicates_stays_where_it_is() {
        assert_eq!(without_duplicates(vec![3, 1, 3, 2, 1, 3]), [3, 1, 2]);
    }
}
