//! Connecting to one address, and the request for a connection.
//!
//! ```text
//!   request ◀── Told::Request ── stream that connects            one address
//!   request ◀── race ◀── Told::Race ── streams that connect      several, a name, or a timeout
//! ```

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use super::stream::{CONNECTING, Stream, StreamHandle};
use super::{TcpOptions, TcpStream};
use crate::base::Key;
use crate::error::Cancelled;
use crate::event_loop::{Answer, Dispatcher, Flow, LoopRef, Resource, State, close};
use crate::reactor::Interest;
use crate::request::{Plain, Request, RequestId, Waiting};
use crate::sys::Channel;

/// A connect that is under way, kept in its stream: who is told of its end.
pub(crate) enum Connecting<S: StreamHandle> {
    Request(Rc<Connect<S>>),
    Race(Weak<dyn Attempts<S>>),
}

/// Who has several streams connect.
pub(crate) trait Attempts<S: StreamHandle> {
    /// `stream` is connected, or is not and closes.
    fn tried(
        self: Rc<Self>,
        stream: &Stream<S>,
        result: io::Result<S>,
        d: &mut Dispatcher<'_>,
    ) -> Flow;
}

impl<S: StreamHandle> Connecting<S> {
    /// Whether it is what a request waits for, and not an attempt of somebody who has one.
    pub(super) fn is_request(&self) -> bool {
        matches!(self, Self::Request(_))
    }

    /// The loop goes away.
    pub(super) fn abandon(self) {
        match self {
            Self::Request(request) => request.abandon(),
            // It is told by itself.
            Self::Race(_) => {}
        }
    }

    fn settle(self, stream: &Stream<S>, result: io::Result<S>, d: &mut Dispatcher<'_>) -> Flow {
        match self {
            Self::Request(request) => request.settle(result, d),
            Self::Race(race) => match race.upgrade() {
                Some(race) => race.tried(stream, result, d),
                None => Ok(()),
            },
        }
    }
}

/// The request's end of it.
pub(crate) struct Connect<S: 'static> {
    plain: Rc<Plain<S>>,
    /// What connects: a stream, or a race of several.
    resource: Weak<dyn Resource>,
    /// Its place in the loop's `connects`, if its id was asked for.
    name: Cell<Key>,
}

impl<S: 'static> Connect<S> {
    pub(super) fn new(resource: &Rc<impl Resource>) -> Rc<Self> {
        let plain = Plain::new(resource.handle().state());
        let resource: Rc<dyn Resource> = resource.clone();
        let resource = Rc::downgrade(&resource);
        Rc::new(Self { plain, resource, name: Cell::new(Key::DEAD) })
    }

    /// What connects, while it does and nobody has closed it.
    fn under_way(&self) -> Option<Rc<dyn Resource>> {
        let resource = self.resource.upgrade()?;
        let is_over = self.plain.answer().is_settled() || resource.handle().is_closing();
        (!is_over).then_some(resource)
    }

    pub(super) fn settle(&self, result: io::Result<S>, d: &mut Dispatcher<'_>) -> Flow {
        self.forget_name();
        self.plain.settle(result, d)
    }

    /// The loop goes away.
    pub(super) fn abandon(&self) {
        self.forget_name();
        self.plain.abandon();
    }

    /// There is nothing to cancel any more.
    fn forget_name(&self) {
        let name = self.name.replace(Key::DEAD);
        self.state().connects.with(|connects| connects.remove(name));
    }
}

impl<S: 'static> Waiting<io::Result<S>> for Connect<S> {
    fn answer(&self) -> &Answer<io::Result<S>> {
        self.plain.answer()
    }

    fn state(&self) -> &Rc<State> {
        self.plain.state()
    }

    /// Named when first asked: who awaits a connect needs no entry.
    fn id(&self) -> RequestId {
        let Some(resource) = self.under_way() else { return RequestId::DEAD };
        let state = self.state();
        if self.name.get() == Key::DEAD {
            let handle = resource.handle().key();
            self.name.set(state.connects.with(|connects| connects.insert(handle)));
        }
        RequestId::of_connect(state.id, self.name.get())
    }

    /// Gives the attempt up. The peer may have seen it already; nobody else has.
    fn cancel(&self) -> bool {
        let Some(resource) = self.under_way() else { return false };
        close(&resource);
        true
    }

    fn refuse(&self) {
        self.plain.refuse();
        self.cancel();
    }
}

/// Begins to connect to `address`.
#[track_caller]
pub(super) fn connect(
    lp: &LoopRef,
    address: SocketAddr,
    options: &TcpOptions,
) -> Request<TcpStream> {
    match begin(lp, address, options) {
        Ok(stream) => {
            let request = Connect::new(&stream);
            wait(&stream, Connecting::Request(request.clone()));
            Request::waiting(request)
        }
        Err(error) => Request::done(Err(error)),
    }
}

/// The same for a race, which is told how it ends.
#[track_caller]
pub(super) fn attempt(
    lp: &LoopRef,
    address: SocketAddr,
    options: &TcpOptions,
    race: Weak<dyn Attempts<TcpStream>>,
) -> io::Result<Rc<Stream<TcpStream>>> {
    let stream = begin(lp, address, options)?;
    wait(&stream, Connecting::Race(race));
    Ok(stream)
}

#[track_caller]
fn begin(
    lp: &LoopRef,
    address: SocketAddr,
    options: &TcpOptions,
) -> io::Result<Rc<Stream<TcpStream>>> {
    lp.check_open()?;
    let TcpStream(stream) = TcpStream::of_socket(lp, options.connect_to(address)?);
    stream.ask_for(Interest::WRITABLE)?;
    Ok(stream)
}

/// The request for `stream`, whose socket connects, or has.
#[cfg(unix)]
pub(super) fn follow<S: StreamHandle>(stream: &Rc<Stream<S>>) -> io::Result<Request<S>> {
    stream.ask_for(Interest::WRITABLE)?;
    let request = Connect::new(stream);
    wait(stream, Connecting::Request(request.clone()));
    Ok(Request::waiting(request))
}

fn wait<S: StreamHandle>(stream: &Rc<Stream<S>>, connecting: Connecting<S>) {
    stream.with_rare(|rare| rare.set_connecting(connecting));
    stream.set(CONNECTING, true);
    stream.update();
}

/// The system has an answer.
pub(super) fn advance<S: StreamHandle>(stream: Rc<Stream<S>>, d: &mut Dispatcher<'_>) -> Flow {
    let Some(connecting) = stream.ask_rare(|rare| rare.take_connecting()) else {
        return Ok(());
    };
    let failed = stream.with_channel(Channel::take_error).unwrap_or_else(Some);
    stream.set(CONNECTING, false);
    stream.update();
    let result = match failed {
        None => Ok(S::wrap(stream.clone())),
        Some(error) => {
            stream.close();
            Err(error)
        }
    };
    let flow = connecting.settle(&stream, result, d);
    // Not before: what is read from at once stays registered, with its place among what is ready.
    if !stream.wants_to_write() {
        stream.ask_no_more_for(Interest::WRITABLE);
    }
    flow
}

impl<S: StreamHandle> Stream<S> {
    /// In the closing phase: a connect that was under way ends as cancelled.
    pub(super) fn cancel_connect(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let connecting = self.ask_rare(|rare| rare.take_connecting())?;
        let error = self.handle().ending().unwrap_or_else(|| Cancelled.into());
        Some(connecting.settle(self, Err(error), d))
    }
}
