//! Names of local sockets.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::sys::{self, PATH_LIMIT};

/// What names a local socket: a path, an abstract name, or an address of the standard library.
///
/// A text that begins with NUL is an abstract name: `"\0name"`. It is a name of Linux without a file, which
/// ends with its socket, and which any user may take or connect to. Any other path is one of the file
/// system; it has at most 107 bytes on Linux, elsewhere 103. Nothing is cut off.
///
/// The trait is sealed.
pub trait ToUnixAddr: sealed::Sealed {
    /// The address.
    ///
    /// # Errors
    /// `InvalidInput`, naming the path that is empty, too long, or has a NUL in it; `Unsupported` for an
    /// abstract name elsewhere than on Linux.
    fn to_unix_addr(&self) -> io::Result<SocketAddr>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for SocketAddr {}

impl ToUnixAddr for SocketAddr {
    fn to_unix_addr(&self) -> io::Result<SocketAddr> {
        if self.is_unnamed() {
            return Err(invalid("an unnamed socket can't be found".into()));
        }
        Ok(self.clone())
    }
}

impl sealed::Sealed for Path {}

impl ToUnixAddr for Path {
    fn to_unix_addr(&self) -> io::Result<SocketAddr> {
        let bytes = self.as_os_str().as_bytes();
        if let Some(name) = bytes.strip_prefix(&[0]) {
            check_length(self, name.len(), "abstract name")?;
            return sys::abstract_address(name);
        }
        if bytes.is_empty() {
            return Err(invalid("an empty path names no local socket".into()));
        }
        if bytes.contains(&0) {
            return Err(invalid(format!("{self:?}: there is a NUL within the path")));
        }
        check_length(self, bytes.len(), "path")?;
        SocketAddr::from_pathname(self)
    }
}

macro_rules! paths {
    ($($text:ty),*) => {$(
        impl sealed::Sealed for $text {}

        impl ToUnixAddr for $text {
            fn to_unix_addr(&self) -> io::Result<SocketAddr> {
                Path::new(self).to_unix_addr()
            }
        }
    )*};
}

paths!(str, String, OsStr, OsString, PathBuf);

impl<T: ToUnixAddr + ?Sized> sealed::Sealed for &T {}

impl<T: ToUnixAddr + ?Sized> ToUnixAddr for &T {
    fn to_unix_addr(&self) -> io::Result<SocketAddr> {
        (**self).to_unix_addr()
    }
}

fn check_length(path: &Path, len: usize, what: &str) -> io::Result<()> {
    if len <= PATH_LIMIT {
        return Ok(());
    }
    let message = format!(
        "{path:?}: the {what} has {len} bytes, and that of a local socket at most {PATH_LIMIT}"
    );
    Err(invalid(message))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// How an error tells of an address.
pub(super) fn shown(address: &SocketAddr) -> String {
    match address.as_pathname() {
        Some(path) => format!("{path:?}"),
        None => format!("{address:?}"),
    }
}
