//! UDP sockets.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

use super::UdpOptions;
use super::resource::{CONNECTED, Inner, Own, QUEUES_ERRORS, V6};
use crate::event_loop::{LoopRef, current};
use crate::handle::handle_type;
use crate::net::ToAddr;
use crate::net::buffers::buffer_sizes;
use crate::sys;

handle_type! {
    /// A UDP socket, for callbacks and tasks.
    ///
    /// It closes by [`close`](Self::close), or when its last holder goes. The loop is a holder while a
    /// callback receives or datagrams are queued.
    ///
    /// # Examples
    /// By callback:
    /// ```
    /// use runtime::net::UdpSocket;
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let server = UdpSocket::bind("127.0.0.1:0")?;
    ///     server.recv_start(|server, datagram| -> runtime::Result {
    ///         let (data, from) = datagram?;
    ///         println!("{data:?} from {from}");
    ///         server.close();
    ///         Ok(())
    ///     });
    ///     UdpSocket::bind("127.0.0.1:0")?.send_to("hello", server.local_addr()?);
    ///     Ok(())
    /// }
    /// ```
    /// By await:
    /// ```
    /// use runtime::net::UdpSocket;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let server = UdpSocket::bind("127.0.0.1:0")?;
    ///     let client = UdpSocket::bind("127.0.0.1:0")?;
    ///     client.send_to("hello", server.local_addr()?).await?;
    ///     let mut buffer = [0; 16];
    ///     let (len, from) = server.recv_from(&mut buffer).await?;
    ///     assert_eq!((&buffer[..len], from), (&b"hello"[..], client.local_addr()?));
    ///     Ok(())
    /// }
    /// ```
    UdpSocket, Inner
}

buffer_sizes!(UdpSocket);

impl UdpSocket {
    /// A socket at the first of the addresses that can be had. Port 0 is any that is free;
    /// `"0.0.0.0:0"` is for who only sends.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` and others of the system that the address is to
    /// blame for, with the address, of several the last one; the system's as they are if no descriptor is
    /// left, say; `InvalidInput` for what is no address.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToAddr) -> io::Result<Self> {
        Self::options().bind(address)
    }

    /// Options that are to be set before a socket is bound.
    pub fn options() -> UdpOptions {
        UdpOptions::default()
    }

    /// Takes a socket of the standard library over.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        socket.set_nonblocking(true)?;
        let (is_v6, is_connected) = (socket.local_addr()?.is_ipv6(), socket.peer_addr().is_ok());
        let socket = Socket::from(socket);
        let known =
            [(V6, is_v6), (CONNECTED, is_connected), (QUEUES_ERRORS, sys::queues_errors(&socket))];
        let flags = known.into_iter().filter(|(_, on)| *on).fold(0, |all, (flag, _)| all | flag);
        Ok(Self::of_socket(&lp, socket, flags))
    }

    #[track_caller]
    pub(super) fn of_socket(lp: &LoopRef, socket: Socket, flags: u16) -> Self {
        Self(Inner::make(lp, socket, flags, Own::default()))
    }

    /// Its address, with the port that was free.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.local_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }

    /// The peer of [`connect`](Self::connect).
    ///
    /// # Errors
    /// `ENOTCONN` if there is none; [`Closed`](crate::Closed).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.peer_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }

    /// Gives the socket one peer, the first of the addresses that is possible (those of the socket's
    /// family are tried first): [`send`](Self::send) sends to it, datagrams of others are dropped by the
    /// system, and what the network says of it is told (`ECONNREFUSED` if nobody is at its port).
    /// Nothing is sent, so this does not wait.
    ///
    /// Datagrams of others that came before are still received.
    ///
    /// # Errors
    /// `EISCONN` if it has one; the system's, with the last address; `InvalidInput` for what is no
    /// address; [`Closed`](crate::Closed).
    pub fn connect(&self, address: impl ToAddr) -> io::Result<()> {
        self.check_open()?;
        if self.0.has(CONNECTED) {
            return Err(sys::is_connected());
        }
        let mut failed = None;
        for address in self.0.addresses(address)? {
            match self.0.with_socket(|socket| socket.connect(&address.into())) {
                Ok(()) => {
                    self.0.set(CONNECTED, true);
                    return Ok(());
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(sys::invalid))
    }

    /// Undoes [`connect`](Self::connect). The port stays.
    ///
    /// # Errors
    /// `ENOTCONN` if it has no peer; [`Closed`](crate::Closed), or the system's: `AddrInUse` if Linux
    /// gave a port that it had chosen to another socket just then.
    pub fn disconnect(&self) -> io::Result<()> {
        self.check_open()?;
        if !self.0.has(CONNECTED) {
            return Err(sys::not_connected());
        }
        let local = self.local_addr()?;
        self.0.with_socket(|socket| sys::disconnect(socket, local))?;
        self.0.set(CONNECTED, false);
        Ok(())
    }
}
