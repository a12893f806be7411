//! What a host is, as far as that can be told without asking.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::sys;

/// The longest name that DNS has, without the dot at its end.
const MAX_NAME_BYTES: usize = 253;

/// What stands in URLs and socket addresses, and in no name.
const NEVER_IN_A_NAME: &str = "[]/:@?#\\%";

/// The address that `host` spells.
pub(super) fn literal(host: &str) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some((ip, 0).into());
    }
    let (ip, zone) = split_zone(host)?;
    let scope = zone.parse().ok().or_else(|| sys::interface_index(zone).ok())?;
    Some(SocketAddrV6::new(ip, 0, 0, scope).into())
}

/// An address that is valid on one link, and what names the link.
fn split_zone(host: &str) -> Option<(Ipv6Addr, &str)> {
    let (ip, zone) = host.split_once('%')?;
    Some((ip.parse().ok()?, zone))
}

/// Refuses what no resolver can know.
pub(super) fn check(host: &str) -> io::Result<()> {
    match fault(host) {
        Some(why) => Err(invalid(host, "host name", &why)),
        None => Ok(()),
    }
}

fn fault(host: &str) -> Option<String> {
    // A zone that is not known here, or is known by name on some other systems only.
    let (what, host) = split_zone(host).map_or(("it", host), |(_, zone)| ("its zone", zone));
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() {
        return Some(format!("{what} is empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Some(format!("{} bytes are more than {MAX_NAME_BYTES}", name.len()));
    }
    let is_wrong = |c: &char| c.is_control() || c.is_whitespace() || NEVER_IN_A_NAME.contains(*c);
    if let Some(wrong) = name.chars().find(is_wrong) {
        return Some(format!("{wrong:?} is in it"));
    }
    name.split('.').any(str::is_empty).then(|| "a part between dots is empty".into())
}

/// The port, if `service` is one. Refuses what is neither a port nor a name.
pub(super) fn port(service: &str) -> io::Result<Option<u16>> {
    if service.bytes().all(|byte| byte.is_ascii_digit()) && !service.is_empty() {
        let port = service
            .parse()
            .map_err(|_| invalid(service, "service", &format!("ports go up to {}", u16::MAX)))?;
        return Ok(Some(port));
    }
    let wrong = service.chars().find(|c| c.is_control() || c.is_whitespace());
    match wrong {
        Some(wrong) => Err(invalid(service, "service", &format!("{wrong:?} is in it"))),
        None if service.is_empty() => Err(invalid(service, "service", "it is empty")),
        None => Ok(None),
    }
}

fn invalid(text: &str, what: &str, why: &str) -> io::Error {
    /// As much of it as a person reads.
    const SHOWN: usize = 80;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { ".." } else { "" };
    let message = format!("{shown:?}{more} is no {what}: {why}");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_without_asking() {
        for text in ["127.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1"] {
            assert_eq!(literal(text).unwrap().ip().to_string(), text);
        }
        for text in ["127.1", "1", "0x7f.0.0.1", "[::1]", "localhost", "", " ::1", "127.0.0.1."] {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_is_a_number_or_an_interface() {
        let scope = |text| match literal(text) {
            Some(SocketAddr::V6(address)) => Some(address.scope_id()),
            _ => None,
        };
        assert_eq!(scope("fe80::1%3"), Some(3));
        assert_eq!(scope("fe80::1%no-such-interface"), None);
        assert_eq!(scope("fe80::1%"), None);
        assert_eq!(scope("127.0.0.1%1"), None);
        if cfg!(target_os = "linux") {
            assert_eq!(scope("fe80::1%lo"), Some(1));
        }
        assert!(check("fe80::1%no-such-interface").is_ok(), "the system says what it is");
        let error = check("fe80::1%").unwrap_err().to_string();
        assert_eq!(error, "\"fe80::1%\" is no host name: its zone is empty");
        assert!(check("127.0.0.1%1").is_err());
    }

    #[test]
    fn what_can_be_no_name_is_refused_with_the_reason() {
        let long = "a.".repeat(127);
        for name in ["a", "a.b.", "_x._tcp.a-b", "127.1", "b\u{fc}cher", &long[..253], &long] {
            assert!(check(name).is_ok(), "{name:?}: {:?}", check(name));
        }
        for (name, why) in [
            ("", "is empty"),
            (".", "is empty"),
            ("a\0b", r"'\0' is in it"),
            ("a b", "' ' is in it"),
            ("a\u{a0}b", "is in it"),
            ("a\n", r"'\n' is in it"),
            ("[::1]", "'[' is in it"),
            ("a:80", "':' is in it"),
            ("http://a", "':' is in it"),
            ("a..b", "between dots"),
            (".a", "between dots"),
            ("a..", "between dots"),
            (&"a.".repeat(128), "255 bytes are more than 253"),
        ] {
            let error = check(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = check(&"a".repeat(100_000)).unwrap_err().to_string();
        assert!(error.len() < 200, "{error}");
    }

    #[test]
    fn a_service_is_a_port_or_a_name() {
        assert_eq!(port("80").unwrap(), Some(80));
        assert_eq!(port("0").unwrap(), Some(0));
        assert_eq!(port("http").unwrap(), None);
        for service in ["", "65536", "99999999999", "a b", "a\0", "\n"] {
            let error = port(service).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{service:?} is no service")), "{error}");
        }
    }
}
