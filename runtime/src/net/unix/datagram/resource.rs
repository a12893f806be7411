//! The resource behind a [`UnixDatagram`]: what it has besides what all sockets for datagrams have.

use std::cell::Cell;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;

use socket2::Socket;

use super::UnixDatagram;
use super::lanes::Lanes;
use crate::base::Key;
use crate::event_loop::{Dispatcher, Event, Flow, Kind};
use crate::net::datagram::{DatagramHandle, DatagramSocket};
use crate::net::unix::ReceivedFds;
use crate::net::unix::bound::BoundFile;

pub(crate) type Inner = DatagramSocket<UnixDatagram>;

pub(crate) struct Own {
    file: Cell<Option<BoundFile>>,
    /// Descriptors that the callback takes.
    pub(super) max_fds: Cell<usize>,
    /// Set while a destination is waited for that the system does not tell of.
    pub(super) retry: Cell<Option<Key>>,
}

impl Own {
    pub(super) fn of(file: Option<BoundFile>) -> Self {
        Self { file: Cell::new(file), max_fds: Cell::new(0), retry: Cell::default() }
    }
}

impl Inner {
    /// Takes the socket out, for who goes on with it elsewhere, and leaves its file to him.
    pub(super) fn take_socket(&self) -> Option<Socket> {
        if let Some(file) = self.own.file.take() {
            file.leave();
        }
        self.socket.take()
    }
}

impl DatagramHandle for UnixDatagram {
    const KIND: Kind = Kind::UnixDatagram;
    type Datagram<'a> = (&'a [u8], SocketAddr, ReceivedFds);
    type Waiting = Lanes;
    type Own = Own;

    fn wrap(socket: Rc<Inner>) -> Self {
        Self(socket)
    }

    fn deliver(&self, d: &mut Dispatcher<'_>) -> Flow {
        self.0.deliver(self, d)
    }

    fn flush(socket: &Inner) {
        socket.flush();
    }

    fn dispatch(socket: Rc<Inner>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if !matches!(event, Event::Timer) {
            return Ok(());
        }
        socket.own.retry.set(None);
        socket.writable(d)
    }

    /// The timer must not meet another resource in this slot, and the file goes before the socket.
    fn let_go(socket: &Inner) {
        if let Some(timer) = socket.own.retry.take() {
            socket.handle.state().disarm(timer);
        }
        drop(socket.own.file.take());
    }
}
