//! Addresses, and names of them.
//!
//! ```text
//!                          to_addrs: bind, UDP       target: connect
//!   (ip, port), SocketAddr addresses                 addresses
//!   "localhost:80"         127.0.0.1, ::1            127.0.0.1, ::1
//!   "example.org:80"       an error                  a name, for the pool to look up
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::sys;

/// What names one or more socket addresses: an address, an `(ip, port)` pair, a `(host, port)` pair, or a
/// text such as `"127.0.0.1:80"`, `"[::1]:80"` and `"localhost:80"`.
///
/// `localhost` is 127.0.0.1, then ::1. Other names are for a resolver, which takes time and belongs to
/// the pool: [`TcpStream::connect`](crate::net::TcpStream::connect) takes them, what can't wait does not.
///
/// An address that is valid on one link only says on which: `"[fe80::1%2]:80"` by the number of the
/// interface, on Linux also `"[fe80::1%eth0]:80"` by its name.
///
/// The trait is sealed.
pub trait ToAddr: sealed::Sealed {
    /// The addresses, in the order to try them.
    ///
    /// # Errors
    /// `InvalidInput`, naming the text that is no address.
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>>;

    /// The addresses, or the name that has to be looked up first.
    #[doc(hidden)]
    fn target(&self) -> io::Result<Target> {
        self.to_addrs().map(Target::Addresses)
    }

    /// The address, if this is just one and needs no reading: a datagram is sent without an allocation.
    #[doc(hidden)]
    #[inline]
    fn sole(&self) -> Option<SocketAddr> {
        None
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Where a connect goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In the order to try them.
    Addresses(Vec<SocketAddr>),
    /// To be looked up.
    Name { host: String, port: u16 },
}

macro_rules! plain {
    ($($address:ty),*) => {$(
        impl sealed::Sealed for $address {}

        impl ToAddr for $address {
            fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
                Ok(vec![(*self).into()])
            }

            #[inline]
            fn sole(&self) -> Option<SocketAddr> {
                Some((*self).into())
            }
        }
    )*};
}

plain!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl sealed::Sealed for str {}

impl ToAddr for str {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        no_name(self.target(), self)
    }

    fn target(&self) -> io::Result<Target> {
        if let Ok(address) = self.parse() {
            return Ok(Target::Addresses(vec![address]));
        }
        let parts = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = parts else { return Err(malformed(self)) };
        match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            // Only what has colons of its own, and so is no name, stands in brackets.
            Some(Some(host)) if host.contains(':') => target_of(host, port, self),
            None if !host.contains(':') => target_of(host, port, self),
            _ => Err(malformed(self)),
        }
    }
}

impl sealed::Sealed for String {}

impl ToAddr for String {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_addrs()
    }

    fn target(&self) -> io::Result<Target> {
        self.as_str().target()
    }
}

impl sealed::Sealed for (&str, u16) {}

impl ToAddr for (&str, u16) {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        no_name(self.target(), self.0)
    }

    fn target(&self) -> io::Result<Target> {
        target_of(self.0, self.1, self.0)
    }
}

impl sealed::Sealed for (String, u16) {}

impl ToAddr for (String, u16) {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_addrs()
    }

    fn target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).target()
    }
}

impl sealed::Sealed for [SocketAddr] {}

impl ToAddr for [SocketAddr] {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        if self.is_empty() {
            let message = "an empty list of addresses";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(self.to_vec())
    }
}

impl<T: ToAddr + ?Sized> sealed::Sealed for &T {}

impl<T: ToAddr + ?Sized> ToAddr for &T {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_addrs()
    }

    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }

    #[inline]
    fn sole(&self) -> Option<SocketAddr> {
        (**self).sole()
    }
}

/// Where `host` is; `text` is what the user said.
fn target_of(host: &str, port: u16, text: &str) -> io::Result<Target> {
    if host.eq_ignore_ascii_case("localhost") {
        let both = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        return Ok(Target::Addresses(both.into()));
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Target::Addresses(vec![(ip, port).into()]));
    }
    if let Some((ip, zone)) = host.split_once('%') {
        let ip = ip.parse().map_err(|_| malformed(text))?;
        let address = SocketAddrV6::new(ip, port, 0, scope(text, zone)?);
        return Ok(Target::Addresses(vec![address.into()]));
    }
    if is_name(host) {
        return Ok(Target::Name { host: host.into(), port });
    }
    Err(malformed(text))
}

/// Names as the resolver takes them: what can't be one is not worth a question.
fn is_name(host: &str) -> bool {
    let is_part_of_a_name =
        |c: char| !c.is_control() && !c.is_whitespace() && !"[]:/%@?#\\".contains(c);
    !host.is_empty() && host.chars().all(is_part_of_a_name)
}

/// The number of the interface that is called `zone`, or has it.
fn scope(text: &str, zone: &str) -> io::Result<u32> {
    zone.parse().or_else(|_| sys::interface_index(zone)).map_err(|error| {
        let message = format!("{text:?}: no interface {zone:?}: {error}");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// The addresses of what must not be a name.
fn no_name(target: io::Result<Target>, text: &str) -> io::Result<Vec<SocketAddr>> {
    match target {
        Ok(Target::Addresses(addresses)) => Ok(addresses),
        Ok(Target::Name { .. }) => {
            let message = format!(
                "{text:?} is no socket address: IP:PORT or localhost:PORT is; other names have to be \
                 looked up first"
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
        Err(error) => Err(error),
    }
}

fn malformed(text: &str) -> io::Error {
    let message = format!("{text:?} is no socket address: IP:PORT is, or [IPv6]:PORT");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_known() {
        let v4: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!("127.0.0.1:80".to_addrs().unwrap(), [v4]);
        assert_eq!("[::1]:80".to_addrs().unwrap(), [v6]);
        assert_eq!("localhost:80".to_addrs().unwrap(), [v4, v6]);
        assert_eq!(("localhost", 80).to_addrs().unwrap(), [v4, v6]);
        assert_eq!((Ipv4Addr::LOCALHOST, 80).to_addrs().unwrap(), [v4]);
        assert_eq!((&&v6).sole(), Some(v6));
        assert_eq!((Ipv4Addr::LOCALHOST, 80).sole(), Some(v4));
        assert_eq!("127.0.0.1:80".sole(), None);
    }

    #[test]
    fn what_is_no_address_is_named_in_the_error() {
        for text in
            ["example.org:80", "127.0.0.1", "127.0.0.1:", ":80", "", "localhost:99999", "a b:1"]
        {
            let error = text.to_addrs().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
    #[test]
    fn names_are_for_those_who_can_wait() {
        let name = |host: &str| Target::Name { host: host.into(), port: 80 };
        assert_eq!("example.org:80".target().unwrap(), name("example.org"));
        assert_eq!(("example.org", 80).target().unwrap(), name("example.org"));
        assert_eq!((String::from("a"), 80).target().unwrap(), name("a"));
        let v6 = Target::Addresses(vec![(Ipv6Addr::LOCALHOST, 80).into()]);
        assert_eq!("[::1]:80".target().unwrap(), v6);
        assert_eq!(("::1", 80).target().unwrap(), v6);
        for text in [
            "a b:1",
            "::1:80",
            "[a]:80",
            "a]:80",
            "http://a:80",
            "\0:1",
            ":1",
            "a:",
            "a",
            "[::1:80",
        ] {
            let error = text.target().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
        }
    }

    #[test]
    fn an_address_of_one_link_names_the_interface() {
        let scope_of = |text: &str| match text.to_addrs().unwrap()[..] {
            [SocketAddr::V6(address)] => address.scope_id(),
            _ => panic!("{text}"),
        };
        assert_eq!(scope_of("[fe80::1%3]:80"), 3);
        if cfg!(target_os = "linux") {
            assert_eq!(scope_of("[fe80::1%lo]:80"), 1);
        }
        for text in ["[fe80::1%]:80", "[fe80::1%no such]:80", "[fe80::1%a\0b]:80"] {
            let error = text.to_addrs().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("no interface"), "{error}");
        }
        assert!(("127.0.0.1%lo", 80).to_addrs().is_err());
    }
}
