//! Changes as a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{FsChange, FsEvent};
use crate::base::Waiter;
use crate::error::Closed;

/// The changes that an [`FsEvent`] is told; see [`FsEvent::changes`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FsChanges {
    event: FsEvent,
    /// Registered while the last poll waits.
    waiter: Option<Waiter>,
}

impl FsChanges {
    pub(super) fn new(event: FsEvent) -> Self {
        Self { event, waiter: None }
    }
}

impl Drop for FsChanges {
    fn drop(&mut self) {
        self.event.0.forget(self.waiter.take());
    }
}

impl Stream for FsChanges {
    type Item = io::Result<FsChange>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let me = self.get_mut();
        let polled = me.event.0.poll_changed(cx, &mut me.waiter);
        if polled.is_ready() {
            me.event.0.forget(me.waiter.take());
        }
        polled.map(|change| match change {
            Some(Err(error)) if Closed::is_in(&error) => None,
            change => change,
        })
    }
}
