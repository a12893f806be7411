//! TCP listeners.
//!
//! ```text
//!   connection waits ─▶ accept ─▶ callback, or a task      one an event for callbacks, as libuv
//!                         │ no descriptor is left
//!                         ▼
//!              give the spare one up, accept and close what waits, take it back,
//!              tell on_error once, ask for no connections for 100 ms
//! ```

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Incoming, TcpStream, ToAddr};
use crate::base::clock::saturating_ns;
use crate::base::{CallbackSlot, Key, Waiter, Wakers};
use crate::error::{Outcome, Result};
use crate::event_loop::{
    Dispatcher, Event, Flow, Handle, Kind, LoopRef, Pending, Resource, State, current,
};
use crate::handle::handle_type;
use crate::reactor::{Interest, Ready, Watched};
use crate::sys;
use crate::task::{coop, keep};

/// Connections that the system lets wait; it may allow fewer.
const BACKLOG: i32 = 4096;
/// How long a listener pauses when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);
/// Waiting connections that are shed at once, so that shedding ends although more come.
const SHED_AT_ONCE: usize = 1024;

handle_type! {
    /// A socket that accepts TCP connections, for callbacks and tasks.
    ///
    /// When no descriptor is left it sheds the connections that wait (they are accepted and closed),
    /// pauses for 100 ms, and tells [`on_error`](Self::on_error), once until a connection is accepted
    /// again. Nothing else is affected, and tasks that accept just wait.
    ///
    /// # Examples
    /// ```
    /// use runtime::net::TcpListener;
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let server = TcpListener::bind("127.0.0.1:0")?;
    ///     server.listen(|_, socket| {
    ///         socket.write("hello\n");
    ///     });
    ///     server.close(); // the end of the example; a server would go on
    ///     Ok(())
    /// }
    /// ```
    TcpListener, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    socket: Watched<Socket>,
    on_connection: CallbackSlot<OnConnection>,
    on_error: CallbackSlot<OnError>,
    is_listening: Cell<bool>,
    acceptors: Wakers,
    /// Set while it pauses since no descriptor is left.
    paused: Cell<Option<Key>>,
    /// No connection was accepted since that was told.
    is_starved: Cell<bool>,
    /// An error that a task's accept met, to be told in the pending phase.
    untold: Cell<Option<io::Error>>,
}

type OnConnection = dyn FnMut(&TcpListener, TcpStream) -> Result;
type OnError = dyn FnMut(&TcpListener, io::Error) -> Result;

impl TcpListener {
    /// Listens at the first of the addresses that can be had. Port 0 is any that is free.
    ///
    /// The address may be in use by connections that are just closing (`SO_REUSEADDR`, except on
    /// Windows, where that means something else).
    ///
    /// # Errors
    /// `AddrInUse`, `PermissionDenied` and others of the system; `InvalidInput` for what is no address.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(address: impl ToAddr) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        let mut failed = None;
        for address in address.to_addrs()? {
            match listen_at(address) {
                Ok(socket) => return Ok(Self::of_socket(&lp, socket)),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(sys::invalid))
    }

    /// Takes a listener of the standard library over.
    ///
    /// # Errors
    /// If it can't be made non-blocking; if the loop is gone.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        listener.set_nonblocking(true)?;
        Ok(Self::of_socket(&lp, listener.into()))
    }

    fn of_socket(lp: &LoopRef, socket: Socket) -> Self {
        // Taken now, while there are some. Without a spare one connections wait instead of being shed.
        keep_spare(lp.state());
        Self(Handle::make(lp, Kind::TcpListener, |handle| Inner {
            socket: Watched::new(&handle.state().poller, socket),
            handle,
            on_connection: CallbackSlot::default(),
            on_error: CallbackSlot::default(),
            is_listening: Cell::new(false),
            acceptors: Wakers::default(),
            paused: Cell::new(None),
            is_starved: Cell::new(false),
            untold: Cell::new(None),
        }))
    }

    /// The address it listens at, with the port that was free.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed), or the system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.with_socket(|socket| socket.local_addr())?;
        address.as_socket().ok_or_else(sys::invalid)
    }

    /// Calls `f` with each connection from now on. A second call replaces `f`.
    ///
    /// The listener is active, so the loop holds it, until it is closed. An error, even that of the
    /// registration, is told to [`on_error`](Self::on_error).
    ///
    /// # Ordering
    /// In the poll phase; one connection of a listener in each iteration, as in libuv.
    pub fn listen<R: Outcome>(&self, mut f: impl FnMut(&TcpListener, TcpStream) -> R + 'static) {
        if self.is_closing() {
            return;
        }
        let f = Box::new(move |listener: &TcpListener, socket| f(listener, socket).into_result());
        drop(self.0.on_connection.set(f));
        self.0.is_listening.set(true);
        // Tasks that wait are told: EALREADY.
        self.0.acceptors.wake();
        self.0.update();
    }

    /// Calls `f` with errors of accepting. A second call replaces `f`; without one they are dropped.
    ///
    /// # Ordering
    /// In the poll phase; in the pending phase for what a task met.
    pub fn on_error<R: Outcome>(&self, mut f: impl FnMut(&TcpListener, io::Error) -> R + 'static) {
        if self.is_closing() {
            return;
        }
        drop(
            self.0.on_error.set(Box::new(move |listener, error| f(listener, error).into_result())),
        );
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// `EALREADY` while, and as soon as, a callback listens; [`Closed`](crate::Closed), also if it is closed meanwhile.
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        struct Acceptor<'a>(&'a Rc<Inner>, Option<Waiter>);
        impl Drop for Acceptor<'_> {
            fn drop(&mut self) {
                self.0.forget(self.1.take());
            }
        }
        let mut acceptor = Acceptor(&self.0, None);
        poll_fn(|cx| acceptor.0.poll_accept(cx, &mut acceptor.1)).await
    }

    /// The connections as a stream, which does not end before the listener is closed.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(self.clone())
    }
}

fn keep_spare(state: &State) {
    let spare = state.spare_descriptor.take().or_else(|| sys::spare().ok());
    state.spare_descriptor.set(spare);
}

fn listen_at(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(not(windows)) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl Inner {
    fn with_socket<R>(&self, f: impl FnOnce(&Socket) -> io::Result<R>) -> io::Result<R> {
        self.socket.with(f)
    }

    fn is_wanted(&self) -> bool {
        self.is_listening.get() || !self.acceptors.is_empty()
    }

    fn is_paused(&self) -> bool {
        self.paused.get().is_some()
    }

    /// Brings interest, liveness and ownership in line with what is wanted.
    fn update(self: &Rc<Self>) {
        if self.handle.is_closing() {
            return;
        }
        let is_wanted = self.is_wanted();
        if is_wanted
            && !self.is_paused()
            && let Err(error) = self.socket.ask_for(self.handle.slot(), Interest::READABLE)
        {
            self.tell_later(error);
        }
        self.handle.set_active(is_wanted);
        self.handle.hold(self.is_listening.get());
    }

    fn ask_for_nothing(&self) {
        self.socket.ask_no_more_for(self.handle.slot(), Interest::READABLE);
    }

    /// Accepts the next connection that is worth the name: one that was gone before it was accepted
    /// is skipped.
    fn accept(self: &Rc<Self>) -> io::Result<(TcpStream, SockAddr)> {
        loop {
            match self.with_socket(sys::accept) {
                Ok((socket, address)) => {
                    if self.is_starved.replace(false) {
                        keep_spare(self.handle.state());
                    }
                    return Ok((TcpStream::of_socket(&self.handle.loop_ref(), socket), address));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// No descriptor is left: sheds what waits, and pauses. True if that is news.
    fn shed(self: &Rc<Self>) -> bool {
        let state = self.handle.state();
        if let Some(spare) = state.spare_descriptor.take() {
            drop(spare);
            for _ in 0..SHED_AT_ONCE {
                if self.with_socket(sys::accept).is_err() {
                    break;
                }
            }
            // Another thread may have been quicker: then what comes waits.
            state.spare_descriptor.set(sys::spare().ok());
        }
        self.ask_for_nothing();
        let deadline = state.update_time().saturating_add(saturating_ns(PAUSE));
        let timer = state.arm(deadline, self.handle.slot());
        if let Some(former) = self.paused.replace(Some(timer)) {
            state.disarm(former);
        }
        !self.is_starved.replace(true)
    }

    /// A connection waits, as the system says.
    fn readable(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        if !self.is_listening.get() {
            if self.acceptors.is_empty() {
                self.ask_for_nothing();
                return Ok(());
            }
            self.acceptors.wake();
            self.update();
            return d.checkpoint();
        }
        match self.accept() {
            Ok((socket, _)) => {
                let listener = TcpListener(self);
                let Some(mut callback) = listener.0.on_connection.take() else { return Ok(()) };
                let result = callback(&listener, socket);
                drop(callback);
                d.done(result)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) if sys::is_exhausted(&error) => {
                if self.shed() {
                    self.tell(error, d)
                } else {
                    Ok(())
                }
            }
            Err(error) => self.tell(error, d),
        }
    }

    fn tell(self: Rc<Self>, error: io::Error, d: &mut Dispatcher<'_>) -> Flow {
        let listener = TcpListener(self);
        let Some(mut callback) = listener.0.on_error.take() else { return Ok(()) };
        let result = callback(&listener, error);
        drop(callback);
        d.done(result)
    }

    fn tell_later(self: &Rc<Self>, error: io::Error) {
        self.untold.set(Some(error));
        self.handle.state().pending.push(Pending::Resource(self.clone()));
    }

    /// Whoever waited waits no longer.
    pub(super) fn forget(self: &Rc<Self>, waiter: Option<Waiter>) {
        if waiter.is_some_and(|waiter| self.acceptors.unregister(waiter)) {
            self.update();
        }
    }

    pub(super) fn poll_accept(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.handle.check_open()?;
        if self.is_listening.get() {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        if !self.is_paused() {
            match self.accept() {
                Ok((socket, address)) => {
                    let address = address.as_socket().ok_or_else(sys::invalid)?;
                    return Poll::Ready(Ok((socket, address)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if sys::is_exhausted(&error) => {
                    if self.shed() {
                        self.tell_later(error);
                    }
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        coop::made_no_progress();
        self.acceptors.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn ready(self: Rc<Self>, _ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one.
        if self.handle.is_closing() { Ok(()) } else { self.readable(d) }
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Timer => {
                self.paused.set(None);
                self.update();
                Ok(())
            }
            Event::Pending => match self.untold.take() {
                Some(error) => self.tell(error, d),
                None => Ok(()),
            },
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn release(&self) {
        if let Some(timer) = self.paused.take() {
            self.handle.state().disarm(timer);
        }
        self.socket.close();
        self.acceptors.wake();
    }

    fn discard(&self) {
        drop(self.on_connection.clear());
        drop(self.on_error.clear());
    }
}

impl Drop for Inner {
    /// Its last owner is gone. The timer must not meet another resource in this slot.
    fn drop(&mut self) {
        if let Some(timer) = self.paused.take() {
            self.handle.state().disarm(timer);
        }
    }
}
