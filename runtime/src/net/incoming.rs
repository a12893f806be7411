//! Connections as a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{TcpListener, TcpStream};
use crate::error::Closed;

/// The connections of a [`TcpListener`]; see [`TcpListener::incoming`].
///
/// It ends when the listener is closed.
#[derive(Debug, Clone)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming {
    listener: TcpListener,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl Stream for Incoming {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.listener.0.poll_accept(cx, &mut None);
        polled.map(|accepted| match accepted {
            Ok((socket, _)) => Some(Ok(socket)),
            Err(error) if Closed::is_in(&error) => None,
            Err(error) => Some(Err(error)),
        })
    }
}
