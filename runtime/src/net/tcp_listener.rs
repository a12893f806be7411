//! TCP listeners.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

use super::listener::{Listener, listener};
use super::{TcpOptions, TcpStream, ToAddr};
use crate::error::Outcome;
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

listener!(
    TcpListener,
    TcpStream,
    SocketAddr,
    sys::accept,
    sys::accept_nameless,
    (),
    Socket,
    TcpStream::of_socket
);

/// Making listeners.
impl TcpListener {
    /// Listens at the first of the addresses that can be had. Port 0 is any that is free. `[::]` takes
    /// connections of IPv4 too; with [`only_v6`](TcpOptions::only_v6) it does not.
    ///
    /// The address may be in use by connections that are just closing (`SO_REUSEADDR`, except on
    /// Windows, where that means something else).
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` and others of the system that the address is to
    /// blame for, with the address, of several the last one; the system's as they are if no descriptor is
    /// left, say; `InvalidInput` for what is no address. A name is none: `bind` does not wait for a
    /// resolver.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToAddr) -> io::Result<Self> {
        Self::options().bind(address)
    }

    /// Options that are to be set before it listens.
    pub fn options() -> TcpOptions {
        TcpOptions::default()
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

    #[track_caller]
    pub(super) fn of_socket(lp: &LoopRef, socket: Socket) -> Self {
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

/// Limiting.
impl TcpListener {
    /// Lets at most `most` connections live at a time; `None`, the default, is any number. More are
    /// accepted and closed at once, and told to [`on_drop`](Self::on_drop), as Node does it.
    ///
    /// What counts is what this listener accepted since it first had a limit. A connection ceases to
    /// count in the closing phase after it was closed, however that came.
    pub fn set_max_connections(&self, most: impl Into<Option<usize>>) {
        self.0.set_max_connections(most.into());
    }

    /// How many connections may live at a time.
    pub fn max_connections(&self) -> Option<usize> {
        self.0.max_connections()
    }

    /// How many connections count for [`max_connections`](Self::max_connections).
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Calls `f` with each connection that is closed since there are too many: Node's `'drop'`. A second
    /// call replaces `f`.
    ///
    /// # Ordering
    /// In the poll phase; in the pending phase for what a task's [`accept`](Self::accept) met.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::{TcpListener, TcpStream};
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     server.set_max_connections(1);
    ///     server.on_drop(|server, dropped| {
    ///         println!("no room for {}", dropped.peer_addr);
    ///         server.close();
    ///     });
    ///     let address = server.local_addr()?;
    ///     let _clients = (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    ///     let _only = server.accept().await?;
    ///     assert!(server.accept().await.is_err(), "it was closed meanwhile");
    ///     Ok(())
    /// }
    /// ```
    pub fn on_drop<R: Outcome>(&self, mut f: impl FnMut(&Self, Dropped) -> R + 'static) {
        self.0.on_drop(move |listener, (local, peer_addr)| match local.as_socket() {
            Some(local_addr) => f(listener, Dropped { local_addr, peer_addr }).into_result(),
            None => Ok(()),
        });
    }
}

/// A connection that was closed at once, since there were too many: see [`TcpListener::on_drop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Dropped {
    /// The listener's end of it.
    pub local_addr: SocketAddr,
    /// Who it was.
    pub peer_addr: SocketAddr,
}
