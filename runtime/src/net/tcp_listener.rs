//! TCP listeners.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::listener::{BACKLOG, Listener, listener};
use super::{TcpStream, ToAddr};
use crate::event_loop::{Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::sys;

handle_type! {
    /// A socket that accepts TCP connections, for callbacks and tasks.
    ///
    /// When no descriptor is left it sheds the connections that wait (they are accepted and closed),
    /// pauses for 100 ms, and tells [`on_error`](Self::on_error), once until a connection is accepted
    /// again. Nothing else is affected, and tasks that accept just wait.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::TcpListener;
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     server.listen(|_, socket| {
    ///         socket.write("hello\n");
    ///     });
    ///     server.close(); // the end of the example; a server would go on
    ///     Ok(())
    /// }
    /// ```
    TcpListener, Listener<TcpListener>
}

listener!(TcpListener, TcpStream, SocketAddr, accept);

/// Making listeners.
impl TcpListener {
    /// Listens at the first of the addresses that can be had. Port 0 is any that is free.
    ///
    /// The address may be in use by connections that are just closing (`SO_REUSEADDR`, except on
    /// Windows, where that means something else).
    ///
    /// # Errors
    /// `AddrInUse`, `PermissionDenied` and others of the system; `InvalidInput` for what is no address.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToAddr) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        let mut failed = None;
        for address in address.to_addrs()? {
            match listen_at(address) {
                Ok(socket) => return Ok(Self::of_socket(&lp, socket)),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(sys::invalid))
    }

    /// Takes a listener of the standard library over.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        listener.set_nonblocking(true)?;
        Ok(Self::of_socket(&lp, listener.into()))
    }

    fn of_socket(lp: &LoopRef, socket: Socket) -> Self {
        Self(Listener::make(lp, Kind::TcpListener, socket))
    }

    /// The address it listens at, with the port that was free.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.local_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }
}

fn listen_at(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(not(windows)) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn accept(listener: &Socket) -> io::Result<(Socket, SocketAddr)> {
    let (socket, address) = sys::accept(listener)?;
    Ok((socket, address.as_socket().ok_or_else(sys::invalid)?))
}
