//! Addresses, as calls that must not wait take them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What names one or more socket addresses without asking a name server: an address, an `(ip, port)`
/// pair, or a text such as `"127.0.0.1:80"`, `"[::1]:80"` and `"localhost:80"`.
///
/// `localhost` is 127.0.0.1, then ::1. Other names are for a resolver, which takes time and belongs to
/// the pool.
///
/// The trait is sealed.
pub trait ToAddr: sealed::Sealed {
    /// The addresses, in the order to try them.
    ///
    /// # Errors
    /// `InvalidInput`, naming the text that is no address.
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>>;

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
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let name = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match name {
            Some((host, port)) => (host, port).to_addrs().map_err(|_| no_address(self)),
            None => Err(no_address(self)),
        }
    }
}

impl sealed::Sealed for String {}

impl ToAddr for String {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_addrs()
    }
}

impl sealed::Sealed for (&str, u16) {}

impl ToAddr for (&str, u16) {
    fn to_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = *self;
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ]);
        }
        let ip: IpAddr = host.parse().map_err(|_| no_address(host))?;
        Ok(vec![(ip, port).into()])
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

    #[inline]
    fn sole(&self) -> Option<SocketAddr> {
        (**self).sole()
    }
}

fn no_address(text: &str) -> io::Error {
    let message = format!(
        "{text:?} is no socket address: IP:PORT or localhost:PORT is; other names have to be looked \
         up first"
    );
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
            ["example.org:80", "127.0.0.1", "127.0.0.1:", ":80", "", "localhost:99999", "\0:1"]
        {
            let error = text.to_addrs().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
