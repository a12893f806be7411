//! Network interfaces by name.

use std::io;

/// The system's number of the interface `name`.
#[cfg(target_os = "linux")]
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    use socket2::{Domain, Socket, Type};
    if name.is_empty() || name.contains('\0') {
        return Err(io::ErrorKind::NotFound.into());
    }
    // Any socket will do: interfaces are asked for by it.
    let any = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    Ok(rustix::net::netdevice::name_to_index(any, name)?)
}

/// The system's number of the interface `name`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn interface_index(_: &str) -> io::Result<u32> {
    let message = "on this system an interface is named by its number";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}
