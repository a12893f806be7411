//! Connecting: one address after the other, until one takes it.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use socket2::{Domain, Protocol, Socket, Type};

use super::TcpStream;
use super::stream::{CONNECTING, Stream, StreamHandle};
use crate::base::Key;
use crate::error::Cancelled;
use crate::event_loop::{Answer, Dispatcher, Flow, LoopRef, Resource, State};
use crate::reactor::Interest;
use crate::request::{Plain, Request, RequestId, Waiting};
use crate::sys;

/// A connect that is under way, kept in its stream.
pub(crate) struct Connecting<S: StreamHandle> {
    request: Rc<Connect<S>>,
    /// What is still to be tried, the last one first.
    rest: Vec<SocketAddr>,
}

impl<S: StreamHandle> Connecting<S> {
    pub(super) fn abandon(self) {
        self.request.forget_name();
        self.request.plain.abandon();
    }
}

/// The request's end of it.
pub(crate) struct Connect<S: StreamHandle> {
    plain: Rc<Plain<S>>,
    stream: Weak<Stream<S>>,
    /// Its place in the loop's `connects`, if its id was asked for.
    name: Cell<Key>,
}

impl<S: StreamHandle> Connect<S> {
    fn new(stream: &Rc<Stream<S>>) -> Rc<Self> {
        let (plain, stream) = (Plain::new(stream.state()), Rc::downgrade(stream));
        Rc::new(Self { plain, stream, name: Cell::new(Key::DEAD) })
    }

    /// The stream, while it connects and nobody has closed it.
    fn under_way(&self) -> Option<Rc<Stream<S>>> {
        let stream = self.stream.upgrade()?;
        (stream.has(CONNECTING) && !stream.handle().is_closing()).then_some(stream)
    }

    fn settle(&self, result: io::Result<S>, d: &mut Dispatcher<'_>) -> Flow {
        self.forget_name();
        self.plain.settle(result, d)
    }

    /// There is nothing to cancel any more.
    fn forget_name(&self) {
        let name = self.name.replace(Key::DEAD);
        self.state().connects.with(|connects| connects.remove(name));
    }
}

impl<S: StreamHandle> Waiting<io::Result<S>> for Connect<S> {
    fn answer(&self) -> &Answer<io::Result<S>> {
        self.plain.answer()
    }

    fn state(&self) -> &Rc<State> {
        self.plain.state()
    }

    /// Named when first asked: who awaits a connect needs no entry.
    fn id(&self) -> RequestId {
        let Some(stream) = self.under_way() else { return RequestId::DEAD };
        let state = self.state();
        if self.name.get() == Key::DEAD {
            let handle = stream.handle().key();
            self.name.set(state.connects.with(|connects| connects.insert(handle)));
        }
        RequestId::of_connect(state.id, self.name.get())
    }

    /// Gives the attempt up. The peer may have seen it already; nobody else has.
    fn cancel(&self) -> bool {
        let Some(stream) = self.under_way() else { return false };
        stream.close();
        true
    }

    fn refuse(&self) {
        self.plain.refuse();
        self.cancel();
    }
}

/// Begins to connect to the first of `addresses`.
pub(super) fn connect(lp: &LoopRef, addresses: io::Result<Vec<SocketAddr>>) -> Request<TcpStream> {
    match begin(lp, addresses) {
        Ok((stream, connecting)) => {
            let request = connecting.request.clone();
            stream.with_rare(|rare| rare.connecting = Some(Box::new(connecting)));
            stream.set(CONNECTING, true);
            stream.update();
            Request::waiting(request)
        }
        Err(error) => Request::done(Err(error)),
    }
}

type Begun = (Rc<Stream<TcpStream>>, Connecting<TcpStream>);

fn begin(lp: &LoopRef, addresses: io::Result<Vec<SocketAddr>>) -> io::Result<Begun> {
    lp.check_open()?;
    let mut rest = addresses?;
    rest.reverse();
    let socket = next_socket(&mut rest)?;
    let TcpStream(stream) = TcpStream::of_socket(lp, socket);
    stream.ask_for(Interest::WRITABLE)?;
    let request = Connect::new(&stream);
    Ok((stream, Connecting { request, rest }))
}

/// A socket that connects to the next address which does not fail at once.
pub(super) fn next_socket(rest: &mut Vec<SocketAddr>) -> io::Result<Socket> {
    let mut failed = None;
    while let Some(address) = rest.pop() {
        match start(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(sys::invalid))
}

fn start(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if !sys::is_in_progress(&error) => Err(error),
        // Connected or not, the poller says when.
        _ => Ok(socket),
    }
}

/// The system has an answer.
pub(super) fn advance<S: StreamHandle>(stream: Rc<Stream<S>>, d: &mut Dispatcher<'_>) -> Flow {
    let Some(mut connecting) = stream.ask_rare(|rare| rare.connecting.take()) else {
        return Ok(());
    };
    let failed = stream.with_channel(sys::Channel::take_error).unwrap_or_else(Some);
    let result = match failed {
        None => Ok(()),
        // Of no more addresses nothing is to be told.
        Some(error) if connecting.rest.is_empty() => Err(error),
        Some(_) => match S::connect_next(&mut connecting.rest) {
            Ok(channel) => {
                stream.replace_channel(channel);
                let asked = stream.ask_for(Interest::WRITABLE);
                if asked.is_ok() {
                    stream.with_rare(|rare| rare.connecting = Some(connecting));
                    return Ok(());
                }
                asked
            }
            Err(last) => Err(last),
        },
    };
    stream.set(CONNECTING, false);
    stream.update();
    let result = match result {
        Ok(()) => Ok(S::wrap(stream.clone())),
        Err(error) => {
            stream.close();
            Err(error)
        }
    };
    let flow = connecting.request.settle(result, d);
    // Not before: what is read from at once stays registered, with its place among what is ready.
    if !stream.wants_to_write() {
        stream.ask_no_more_for(Interest::WRITABLE);
    }
    flow
}

impl<S: StreamHandle> Stream<S> {
    /// In the closing phase: a connect that was under way ends as cancelled.
    pub(super) fn cancel_connect(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let connecting = self.ask_rare(|rare| rare.connecting.take())?;
        let error = self.handle().ending().unwrap_or_else(|| Cancelled.into());
        Some(connecting.request.settle(Err(error), d))
    }
}
