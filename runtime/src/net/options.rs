//! How TCP connects and listens.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::buffers::capped;
use super::connect::connect;
use super::errors::{cannot_connect_from, cannot_listen, other_family};
use super::listener::BACKLOG;
use super::race::race;
use super::settings::set_ttl;
use super::{Target, TcpListener, TcpStream, ToAddr};
use crate::event_loop::current;
use crate::request::Request;
use crate::sys;

/// Options that are to be set before a socket connects or listens; see [`TcpStream::options`] and
/// [`TcpListener::options`]. None is set at first.
///
/// # Examples
/// ```
/// use runtime::net::{TcpListener, TcpStream};
/// use runtime::secs;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let server = TcpListener::options().backlog(128).bind("127.0.0.1:0")?;
///     let options = TcpStream::options().nodelay(true).connect_timeout(secs(5));
///     let client = options.connect(server.local_addr()?).await?;
///     assert!(client.nodelay()?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is done before `connect` or `bind`"]
pub struct TcpOptions {
    local_addr: Option<SocketAddr>,
    connect_timeout: Option<Duration>,
    backlog: Option<u32>,
    only_v6: bool,
    reuse_port: bool,
    nodelay: bool,
    ttl: Option<u32>,
    recv_buffer_size: Option<usize>,
    send_buffer_size: Option<usize>,
}

/// For [`connect`](Self::connect).
impl TcpOptions {
    /// The own end of the connection: an address of this machine, and a port, or 0 for any that is free.
    /// Addresses of the other family fail.
    pub fn local_addr(mut self, address: impl Into<SocketAddr>) -> Self {
        self.local_addr = Some(address.into());
        self
    }

    /// How long the whole may take, from the call on: looking the name up, and all addresses. The
    /// default is as long as the system takes, minutes mostly.
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = limit.into();
        self
    }
}

/// For [`bind`](Self::bind).
impl TcpOptions {
    /// How many connections may wait to be accepted; default 4096. The system may allow fewer (Linux:
    /// `net.core.somaxconn`), and counts in its own way.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = Some(connections);
        self
    }

    /// Lets a listener at an address of IPv6 take no connections of IPv4. Without it `[::]` takes both.
    ///
    /// # Platform notes
    /// OpenBSD knows no other listeners.
    pub fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = on;
        self
    }
}

/// For both.
impl TcpOptions {
    /// Lets several sockets have one address and port, if all of them say so, and the system spread the
    /// connections that come over the listeners: one of each of several loops, say.
    ///
    /// # Platform notes
    /// On Linux, FreeBSD and DragonFly; elsewhere `Unsupported`: macOS would give one listener all, and
    /// Windows has nothing of the kind.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Sends small writes at once. A listener's connections begin with that setting.
    pub fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// How many hops a packet may take, 1 to 255. A listener's connections begin with that setting.
    pub fn ttl(mut self, hops: u32) -> Self {
        self.ttl = Some(hops);
        self
    }

    /// As [`TcpStream::set_recv_buffer_size`]. Set before there is a connection it also bounds the window
    /// that TCP agrees upon. A listener's connections begin with that setting.
    pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.recv_buffer_size = Some(bytes);
        self
    }

    /// As [`TcpStream::set_send_buffer_size`]. A listener's connections begin with that setting.
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes);
        self
    }
}

/// What they are for.
impl TcpOptions {
    /// As [`TcpStream::connect`].
    ///
    /// # Ordering
    /// As there; in the timers phase if the time is up.
    ///
    /// # Errors
    /// As there; `TimedOut`, with the name or the addresses, if the time is up; that of an option that
    /// can't be had.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request gives the attempt up.
    #[track_caller]
    pub fn connect(self, address: impl ToAddr) -> Request<TcpStream> {
        let lp = current();
        if let (Some(address), None) = (address.sole(), self.connect_timeout) {
            return connect(&lp, address, &self);
        }
        match address.target() {
            Ok(Target::Addresses(all)) if all.len() == 1 && self.connect_timeout.is_none() => {
                connect(&lp, all[0], &self)
            }
            Ok(target) => race(&lp, target, self, self.connect_timeout),
            Err(error) => Request::done(Err(error)),
        }
    }

    /// As [`TcpListener::bind`].
    ///
    /// # Errors
    /// As there; `InvalidInput` for [`only_v6`](Self::only_v6) at an address of IPv4; that of an option
    /// that can't be had.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(self, address: impl ToAddr) -> io::Result<TcpListener> {
        let lp = current();
        lp.check_open()?;
        let mut failed = None;
        for address in address.to_addrs()? {
            match self.listen_at(address) {
                Ok(socket) => return Ok(TcpListener::of_socket(&lp, socket)),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(sys::invalid))
    }

    fn listen_at(&self, address: SocketAddr) -> io::Result<Socket> {
        if self.only_v6 && address.is_ipv4() {
            let message = "IPv6 only is not for an address of IPv4";
            let error = io::Error::new(io::ErrorKind::InvalidInput, message);
            return Err(cannot_listen(address, error));
        }
        let socket = self.socket(address)?;
        if address.is_ipv6() {
            match socket.set_only_v6(self.only_v6) {
                Err(error) if self.only_v6 => return Err(error),
                // A system without the other kind refuses to turn it off.
                _ => {}
            }
        }
        reuse_address(&socket)?;
        let backlog = self.backlog.map_or(BACKLOG, |most| most.try_into().unwrap_or(i32::MAX));
        let listens = socket.bind(&address.into()).and_then(|()| socket.listen(backlog));
        // What came before has nothing to do with the address: no descriptor was left, say.
        listens.map_err(|error| cannot_listen(address, error))?;
        Ok(socket)
    }

    /// A socket that connects to `address`.
    pub(super) fn connect_to(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = self.socket(address)?;
        if let Some(local) = self.local_addr {
            if local.is_ipv4() != address.is_ipv4() {
                return Err(other_family(local, address));
            }
            let bound = reuse_address(&socket).and_then(|()| socket.bind(&local.into()));
            bound.map_err(|error| cannot_connect_from(local, error))?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !sys::is_in_progress(&error) => Err(error),
            // Connected or not, the poller says when.
            _ => Ok(socket),
        }
    }

    /// A socket for `address` that does not block, with what is set before all else.
    fn socket(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if self.reuse_port {
            sys::reuse_port(&socket)?;
        }
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(hops) = self.ttl {
            set_ttl(&socket, address.is_ipv6(), hops)?;
            if address.is_ipv6() {
                // For connections of IPv4 to `[::]`; there are systems on which it takes none.
                let _ = socket.set_ttl_v4(hops);
            }
        }
        if let Some(bytes) = self.recv_buffer_size {
            socket.set_recv_buffer_size(capped(bytes))?;
        }
        if let Some(bytes) = self.send_buffer_size {
            socket.set_send_buffer_size(capped(bytes))?;
        }
        Ok(socket)
    }
}

/// Lets connections that are just closing have the address still. On Windows that means something else.
fn reuse_address(socket: &Socket) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { socket.set_reuse_address(true) }
}
