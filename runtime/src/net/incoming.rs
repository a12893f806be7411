//! Connections as a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{TcpListener, TcpStream};
use crate::base::Waiter;
use crate::error::Closed;

/// The connections of a [`TcpListener`]; see [`TcpListener::incoming`].
///
/// It ends when the listener is closed.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming {
    listener: TcpListener,
    /// Registered with the listener while the last poll waits.
    waiter: Option<Waiter>,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, waiter: None }
    }
}

impl Clone for Incoming {
    fn clone(&self) -> Self {
        Self::new(self.listener.clone())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.listener.0.forget(self.waiter.take());
    }
}

impl Stream for Incoming {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let me = self.get_mut();
        let polled = me.listener.0.poll_accept(cx, &mut me.waiter);
        if polled.is_ready() {
            me.listener.0.forget(me.waiter.take());
        }
        polled.map(|accepted| match accepted {
            Ok((socket, _)) => Some(Ok(socket)),
            Err(error) if Closed::is_in(&error) => None,
            Err(error) => Some(Err(error)),
        })
    }
}
