//! What each kind of socket for datagrams does in its own way.

use std::rc::Rc;

use super::DatagramSocket;
use super::queue::Waiting;
use crate::event_loop::{Dispatcher, Event, Flow, Kind};

/// A handle type over [`DatagramSocket`].
pub(crate) trait DatagramHandle: Sized + 'static {
    const KIND: Kind;
    /// What a callback is lent: the bytes, and what came with them.
    type Datagram<'a>;
    /// What is queued until the system has room.
    type Waiting: Waiting;
    /// What else such a socket has.
    type Own: 'static;

    fn wrap(socket: Rc<DatagramSocket<Self>>) -> Self;

    /// A callback receives: calls it with what the system has, and one event may bring.
    fn deliver(&self, d: &mut Dispatcher<'_>) -> Flow;

    /// There may be room: sends what is queued.
    fn flush(socket: &DatagramSocket<Self>);

    // --- what not all of them need ---

    /// The system reports an error, to whoever receives.
    fn heed_error(_socket: &DatagramSocket<Self>) {}

    /// Whether datagrams were received and not yet taken.
    fn has_left(_socket: &DatagramSocket<Self>) -> bool {
        false
    }

    /// What an event does, besides that requests are told.
    fn dispatch(_socket: Rc<DatagramSocket<Self>>, _event: Event, _d: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    /// Lets go of what must end before the socket does: it is closed, or its last owner is gone.
    fn let_go(_socket: &DatagramSocket<Self>) {}

    /// Drops what nobody can ask for any more.
    fn discard(_socket: &DatagramSocket<Self>) {}
}
