//! Handing sockets on: to another loop, another thread, or code of the standard library.
//!
//! ```text
//!   loop of one thread                                loop of another
//!   stream ── into_std ──▶ std's TcpStream: Send ──▶ TcpStream::from_std
//!   listener ── to_std ──▶ std's TcpListener: Send ──▶ TcpListener::from_std: both accept
//! ```
//!
//! There is no `AsFd`: a handle may be closed by any of its clones, and a borrowed descriptor would be
//! another file's then. A socket of the standard library has one, and `to_std` gives it.

use std::io;

use super::{TcpListener, TcpStream};
use crate::error::Closed;

impl TcpListener {
    /// Takes the listener out of the loop: the handle, all clones of it, is closed as by
    /// [`close`](Self::close), and the socket lives on in what is returned. Connections that wait in the
    /// system are not lost.
    ///
    /// That is `Send`: [`from_std`](Self::from_std) on another thread makes it a listener of the loop
    /// there. It stays non-blocking.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed).
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.check_open()?;
        let socket = self.0.take_socket().ok_or(Closed)?;
        self.close();
        Ok(socket.into())
    }

    /// The same socket once more, for another thread: [`from_std`](Self::from_std) makes it a listener
    /// of the loop there, and both loops accept. A connection goes to one of them, whichever is quicker;
    /// both may be woken for it. [`reuse_port`](super::TcpOptions::reuse_port) spreads them evenly.
    ///
    /// The address stays in use until both are closed.
    ///
    /// # Errors
    /// The system's, if no descriptor is left; [`Closed`](crate::Closed).
    pub fn to_std(&self) -> io::Result<std::net::TcpListener> {
        self.check_open()?;
        Ok(self.0.with_socket(|socket| socket.try_clone())?.into())
    }
}

impl TcpStream {
    /// Takes the connection out of the loop: the handle, all clones of it, is closed as by
    /// [`close`](Self::close), and the socket lives on in what is returned. Nothing is lost: a stream
    /// keeps no data that it read, and with writes in its queue it refuses. Who waits for data is told
    /// [`Closed`](crate::Closed); a read callback is dropped.
    ///
    /// That is `Send`: [`from_std`](Self::from_std) on another thread makes it a stream of the loop there.
    /// It stays non-blocking.
    ///
    /// # Errors
    /// `ResourceBusy` while something is queued, or a [`shutdown`](Self::shutdown) waits: await
    /// [`drained`](Self::drained) first. The stream, if there is a clone of it, goes on then.
    /// [`Closed`](crate::Closed), or what closed it.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.0.hand_off()?.into())
    }

    /// The same connection once more, for what this crate has no call for. Both are ends of one socket:
    /// what one of them reads the other can't read any more, and options are those of both.
    ///
    /// # Errors
    /// The system's, if no descriptor is left; [`Closed`](crate::Closed).
    pub fn to_std(&self) -> io::Result<std::net::TcpStream> {
        self.0.check_open()?;
        Ok(self.0.with_socket(|socket| socket.try_clone())?.into())
    }
}
