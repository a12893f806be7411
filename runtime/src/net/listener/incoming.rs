//! Connections for tasks: one, or a stream of them.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Listener, ListenerHandle};
use crate::base::Waiter;
use crate::error::Closed;
use crate::event_loop::Resource;

/// The connections of a listener; see [`TcpListener::incoming`](crate::net::TcpListener::incoming).
///
/// It ends when the listener is closed.
#[must_use = "streams do nothing unless polled"]
#[expect(private_bounds, reason = "the trait names the listeners of this crate")]
pub struct Incoming<L: ListenerHandle> {
    listener: Rc<Listener<L>>,
    /// Registered with the listener while the last poll waits.
    waiter: Option<Waiter>,
}

#[expect(private_bounds, reason = "as above")]
impl<L: ListenerHandle> Incoming<L> {
    pub(crate) fn new(listener: Rc<Listener<L>>) -> Self {
        Self { listener, waiter: None }
    }

    pub(crate) fn poll_connection(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<L::Stream>>> {
        let polled = self.listener.poll_accept(cx, &mut self.waiter);
        if polled.is_ready() {
            self.listener.forget(self.waiter.take());
        }
        polled.map(|accepted| match accepted {
            Ok((socket, _)) => Some(Ok(socket)),
            Err(error) if Closed::is_in(&error) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl<L: ListenerHandle> fmt::Debug for Incoming<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(self.listener.handle()).finish()
    }
}

impl<L: ListenerHandle> Clone for Incoming<L> {
    fn clone(&self) -> Self {
        Self::new(self.listener.clone())
    }
}

impl<L: ListenerHandle> Drop for Incoming<L> {
    fn drop(&mut self) {
        self.listener.forget(self.waiter.take());
    }
}

/// Waits for the next connection.
pub(crate) async fn accept<L: ListenerHandle>(
    listener: &Rc<Listener<L>>,
) -> io::Result<(L::Stream, L::Address)> {
    struct Acceptor<'a, L: ListenerHandle>(&'a Rc<Listener<L>>, Option<Waiter>);
    impl<L: ListenerHandle> Drop for Acceptor<'_, L> {
        fn drop(&mut self) {
            self.0.forget(self.1.take());
        }
    }
    let mut acceptor = Acceptor(listener, None);
    poll_fn(|cx| acceptor.0.poll_accept(cx, &mut acceptor.1)).await
}
