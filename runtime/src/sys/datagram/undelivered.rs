//! What the network says of a datagram that it could not deliver.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A datagram that came nowhere, as the network told it: to whom it was sent, and who says so.
///
/// It is inside of the errors that receivers get from a socket with
/// [`recv_errors`](crate::net::UdpOptions::recv_errors), whose kind is that of the system's error.
#[derive(Debug)]
#[non_exhaustive]
pub struct Undelivered {
    /// To whom it was sent.
    pub to: SocketAddr,
    /// The host or router that says so, if it is known.
    pub reported_by: Option<IpAddr>,
    error: io::Error,
}

impl Undelivered {
    /// What `error` says of a datagram, if it says that.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The system's code for it.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.error.raw_os_error()
    }

    #[cfg(target_os = "linux")]
    pub(super) fn error(to: SocketAddr, reported_by: Option<IpAddr>, code: i32) -> io::Error {
        let error = io::Error::from_raw_os_error(code);
        io::Error::new(error.kind(), Self { to, reported_by, error })
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a datagram to {} came nowhere: {}", self.to, self.error)
    }
}

impl Error for Undelivered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
