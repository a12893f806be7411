//! What all listeners share: their methods.

use std::io;
use std::ops::Deref;
use std::rc::Rc;

use super::Listener;
use crate::event_loop::{Handle, LoopRef};
use crate::net::stream::StreamHandle;
use crate::reactor::Source;

/// A handle type over [`Listener`].
pub(crate) trait ListenerHandle: Sized + 'static {
    /// What a connection is.
    type Stream: StreamHandle + Deref<Target = Handle>;
    /// Where it comes from.
    type Address: 'static;
    /// What ends with the listener, just before its socket closes.
    type Guard: 'static;
    /// What tells that one waits.
    type Source: Source + 'static;

    fn wrap(listener: Rc<Listener<Self>>) -> Self;
    fn listener(&self) -> &Rc<Listener<Self>>;
    fn accept(source: &Self::Source) -> io::Result<(Accepted<Self>, Self::Address)>;
    /// The same where nobody asks for the address, which the system need not look up then.
    fn accept_nameless(source: &Self::Source) -> io::Result<Accepted<Self>>;
    fn stream_of(lp: &LoopRef, accepted: Accepted<Self>) -> Self::Stream;
}

/// A connection as the system gives it.
pub(crate) type Accepted<L> = <<L as ListenerHandle>::Stream as StreamHandle>::Channel;

/// Gives a handle type over [`Listener`] the methods of a listener. `$accept` is the system's call, on
/// `$source`, a socket if nothing else is said, and `$accept_nameless` the one without the address, if there
/// is one; `$stream_of` makes a stream of what it gives.
macro_rules! listener {
    ($name:ident, $stream:ident, $address:ty, $accept:path, $guard:ty) => {
        crate::net::listener::listener!(
            $name,
            $stream,
            $address,
            $accept,
            $guard,
            socket2::Socket,
            $stream::of_socket
        );
    };
    (
        $name:ident, $stream:ident, $address:ty, $accept:path, $guard:ty, $source:ty,
        $stream_of:path
    ) => {
        crate::net::listener::listener!(
            $name,
            $stream,
            $address,
            $accept,
            |source| $accept(source).map(|(accepted, _address)| accepted),
            $guard,
            $source,
            $stream_of
        );
    };
    (
        $name:ident, $stream:ident, $address:ty, $accept:path, $accept_nameless:expr, $guard:ty,
        $source:ty, $stream_of:path
    ) => {
        impl crate::net::listener::ListenerHandle for $name {
            type Stream = $stream;
            type Address = $address;
            type Guard = $guard;
            type Source = $source;

            fn wrap(listener: std::rc::Rc<crate::net::listener::Listener<Self>>) -> Self {
                Self(listener)
            }

            fn listener(&self) -> &std::rc::Rc<crate::net::listener::Listener<Self>> {
                &self.0
            }

            fn accept(
                source: &$source,
            ) -> std::io::Result<(crate::net::listener::Accepted<Self>, $address)> {
                $accept(source)
            }

            fn accept_nameless(
                source: &$source,
            ) -> std::io::Result<crate::net::listener::Accepted<Self>> {
                let accept: fn(&$source) -> _ = $accept_nameless;
                accept(source)
            }

            fn stream_of(
                lp: &crate::event_loop::LoopRef,
                accepted: crate::net::listener::Accepted<Self>,
            ) -> $stream {
                $stream_of(lp, accepted)
            }
        }

        /// Taking connections.
        impl $name {
            /// Calls `f` with each connection from now on. A second call replaces `f`.
            ///
            /// The listener is active, so the loop holds it, until it is closed. An error, even that of
            /// the registration, is told to [`on_error`](Self::on_error). A socket whose peer is gone
            /// already is a connection too, as in libuv: who reads is told.
            ///
            /// # Ordering
            /// In the poll phase; one connection of a listener in each iteration, as in libuv.
            pub fn listen<R: crate::Outcome>(&self, f: impl FnMut(&Self, $stream) -> R + 'static) {
                self.0.listen(f);
            }

            /// Calls `f` with errors of accepting, once until a connection is accepted again: one that goes
            /// on is met every 100 ms, and not told each time. A second call replaces `f`; without one
            /// they are dropped.
            ///
            /// # Ordering
            /// In the poll phase; in the pending phase for what a task met.
            pub fn on_error<R: crate::Outcome>(
                &self,
                f: impl FnMut(&Self, std::io::Error) -> R + 'static,
            ) {
                self.0.on_error(f);
            }

            /// Waits for the next connection.
            ///
            /// # Ordering
            /// A task that goes on accepting takes those that wait together in one iteration, unless they
            /// came one by one lately: then it waits for each, as a callback does.
            ///
            /// # Errors
            /// `EALREADY` while, and as soon as, a callback listens; [`Closed`](crate::Closed), also if
            /// it is closed meanwhile.
            ///
            /// # Cancel safety
            /// No connection is lost.
            pub async fn accept(&self) -> std::io::Result<($stream, $address)> {
                crate::net::listener::accept(&self.0).await
            }

            /// The connections as a stream, which does not end before the listener is closed.
            pub fn incoming(&self) -> crate::net::Incoming<Self> {
                crate::net::Incoming::new(self.0.clone())
            }
        }

        impl futures_core::Stream for crate::net::Incoming<$name> {
            type Item = std::io::Result<$stream>;

            fn poll_next(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                self.get_mut().poll_connection(cx)
            }
        }
    };
}
pub(crate) use listener;
