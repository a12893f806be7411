//! The resource behind a [`UdpSocket`]: what it has besides what all sockets for datagrams have.

use std::net::SocketAddr;
use std::rc::Rc;

use super::UdpSocket;
use super::batch::Batch;
use crate::base::Guarded;
use crate::event_loop::{Dispatcher, Event, Flow, Kind};
use crate::net::datagram::queue::Line;
use crate::net::datagram::{DatagramHandle, DatagramSocket, FIRST_OWN, RECEIVING};

/// It has one peer.
pub(super) const CONNECTED: u16 = FIRST_OWN;
/// Its addresses are those of IPv6.
pub(super) const V6: u16 = FIRST_OWN << 1;
/// The system told of an error, which may stand in its queue.
pub(super) const FAILED: u16 = FIRST_OWN << 2;
/// What the network says of datagrams is kept in that queue, and not only there.
pub(super) const QUEUES_ERRORS: u16 = FIRST_OWN << 3;

pub(crate) type Inner = DatagramSocket<UdpSocket>;

#[derive(Default)]
pub(crate) struct Own {
    /// Datagrams that were received and are still to be taken. It goes as soon as it is empty and no
    /// callback looks at it.
    pub(super) left: Guarded<Option<Rc<Batch>>>,
}

impl DatagramHandle for UdpSocket {
    const KIND: Kind = Kind::UdpSocket;
    /// It takes one of them, or all: see `recv_start` and `recv_many_start`.
    type Datagram<'a> = &'a Batch;
    type Waiting = Line<Option<SocketAddr>>;
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

    fn heed_error(socket: &Inner) {
        socket.heed_error();
    }

    fn has_left(socket: &Inner) -> bool {
        socket.has_left()
    }

    /// What could not be delivered at its time, since a callback ended the iteration.
    fn dispatch(socket: Rc<Inner>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        let is_due = matches!(event, Event::Pending) && socket.has(RECEIVING) && socket.has_left();
        if is_due && !socket.handle.is_closing() {
            let socket = Self(socket);
            socket.0.deliver_left(&socket, d)?;
        }
        Ok(())
    }

    fn discard(socket: &Inner) {
        drop(socket.own.left.take());
    }
}
