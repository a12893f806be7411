//! Errors that say at which address, or by which name, something failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::failed;

/// A listener can't be had at `address`.
pub(super) fn cannot_listen(address: SocketAddr, error: io::Error) -> io::Error {
    failed(format!("cannot listen at {address}"), error)
}

/// A socket can't have `address`.
pub(super) fn cannot_bind(address: SocketAddr, error: io::Error) -> io::Error {
    failed(format!("cannot bind to {address}"), error)
}

/// A connection can't come from `local`.
pub(super) fn cannot_connect_from(local: SocketAddr, error: io::Error) -> io::Error {
    failed(format!("cannot connect from {local}"), error)
}

/// The two ends of a connection would be of different families.
pub(super) fn other_family(local: SocketAddr, peer: SocketAddr) -> io::Error {
    let message = format!("{peer} can't be reached from {local}: the families differ");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// The name was not found, or nobody could be asked.
pub(super) fn cannot_resolve(name: &str, error: io::Error) -> io::Error {
    failed(format!("cannot resolve {name}"), error)
}

/// The time for a connect was up.
pub(super) fn connect_timed_out(name: &str, limit: Duration) -> io::Error {
    let message = format!("connecting to {name} took longer than {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// None of several addresses took the connection.
#[derive(Debug)]
struct NoneConnected {
    name: Option<String>,
    failures: Vec<(SocketAddr, io::Error)>,
}

impl fmt::Display for NoneConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")?;
        if let Some(name) = &self.name {
            write!(f, " to {name}")?;
        }
        if self.failures.is_empty() {
            f.write_str(": it has no address")?;
        }
        for (at, (address, error)) in self.failures.iter().enumerate() {
            let separator = if at == 0 { ": " } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

impl Error for NoneConnected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failures.last().map(|(_, error)| error as _)
    }
}

/// The error of the last address that failed, and the text of all.
pub(super) fn none_connected(
    name: Option<String>,
    failures: Vec<(SocketAddr, io::Error)>,
) -> io::Error {
    let kind = failures.last().map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
    io::Error::new(kind, NoneConnected { name, failures })
}
