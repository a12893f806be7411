//! Two sockets that are connected with each other, over loopback.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use socket2::Socket;

/// Two connected sockets that don't block; the first is the accepted end. No other process can be at either
/// end.
pub(crate) fn loopback_pair() -> io::Result<(Socket, Socket)> {
    let pair = pair_at((Ipv4Addr::LOCALHOST, 0).into());
    let (one, other) = pair.or_else(|error| {
        // A machine without IPv4.
        pair_at((Ipv6Addr::LOCALHOST, 0).into()).map_err(|_| error)
    })?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one.into(), other.into()))
}

fn pair_at(address: SocketAddr) -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(address)?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let local = client.local_addr()?;
    loop {
        let (accepted, peer) = listener.accept()?;
        // Anybody on this machine may have been quicker.
        if peer == local {
            return Ok((accepted, client));
        }
    }
}
