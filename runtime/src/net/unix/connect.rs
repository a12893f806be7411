//! Connecting to a local socket: at once, or not before the listener's queue has room.
//!
//! ```text
//!   connect ── taken ──▶ a stream that connects: done in the poll phase, as over TCP
//!      │ ▲
//!      │ └─ timer ─┐
//!      └── full ──▶ Knock ── taken or refused ──▶ done in the timers phase
//! ```

use std::cell::Cell;
use std::io;
use std::os::unix::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Socket, Type};

use super::UnixStream;
use super::address::shown;
use crate::base::Key;
use crate::base::clock::saturating_ns;
use crate::error::Cancelled;
use crate::error::failed;
use crate::event_loop::{
    ActiveKind, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Resource, close,
};
use crate::net::connect::{Connect, follow};
use crate::request::Request;
use crate::sys;

/// How long the first wait is; each is twice the one before it.
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// And the longest.
const LONGEST_WAIT: Duration = Duration::from_millis(32);

/// Begins to connect to `address`.
#[track_caller]
pub(super) fn connect(lp: &LoopRef, address: io::Result<SocketAddr>) -> Request<UnixStream> {
    begin(lp, address).unwrap_or_else(|error| Request::done(Err(error)))
}

#[track_caller]
fn begin(lp: &LoopRef, address: io::Result<SocketAddr>) -> io::Result<Request<UnixStream>> {
    lp.check_open()?;
    let address = address?;
    let socket = sys::local_socket(Type::STREAM)?;
    match try_connect(&socket, &address) {
        Ok(()) => follow(&UnixStream::of_socket(lp, socket).0),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Ok(Knock::begin(lp, socket, address))
        }
        Err(error) => Err(error),
    }
}

/// One attempt: connected, or about to be.
fn try_connect(socket: &Socket, address: &SocketAddr) -> io::Result<()> {
    match sys::connect_local(socket, address) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        Err(error) if !sys::is_in_progress(&error) => {
            Err(failed(format!("cannot connect to {}", shown(address)), error))
        }
        _ => Ok(()),
    }
}

/// A connect that tries until the listener's queue has room.
struct Knock {
    handle: Handle,
    socket: Cell<Option<Socket>>,
    address: SocketAddr,
    request: Cell<Option<Rc<Connect<UnixStream>>>>,
    wait: Cell<Duration>,
    timer: Cell<Option<Key>>,
}

impl Knock {
    #[track_caller]
    fn begin(lp: &LoopRef, socket: Socket, address: SocketAddr) -> Request<UnixStream> {
        let knock = Handle::make(lp, Kind::UnixStream, |handle| Self {
            handle,
            socket: Cell::new(Some(socket)),
            address,
            request: Cell::default(),
            wait: Cell::new(FIRST_WAIT),
            timer: Cell::default(),
        });
        let request = Connect::new(&knock);
        knock.request.set(Some(request.clone()));
        knock.handle.set_active(true);
        knock.handle.hold(true);
        knock.wait_a_bit();
        Request::waiting(request)
    }

    fn wait_a_bit(&self) {
        let wait = self.wait.get();
        self.wait.set((wait * 2).min(LONGEST_WAIT));
        let state = self.handle.state();
        let deadline = state.update_time().saturating_add(saturating_ns(wait));
        self.timer.set(Some(state.arm(deadline, self.handle.slot())));
    }

    fn disarm(&self) {
        if let Some(timer) = self.timer.take() {
            self.handle.state().disarm(timer);
        }
    }

    fn again(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let Some(socket) = self.socket.take() else { return Ok(()) };
        let result = match try_connect(&socket, &self.address) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.set(Some(socket));
                self.wait_a_bit();
                return Ok(());
            }
            Ok(()) => Ok(UnixStream::of_socket(&self.handle.loop_ref(), socket)),
            Err(error) => Err(error),
        };
        let request = self.request.take();
        let knock: Rc<dyn Resource> = self;
        close(&knock);
        match request {
            Some(request) => request.settle(result, d),
            None => Ok(()),
        }
    }
}

impl Resource for Knock {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() || !matches!(event, Event::Timer) {
            return Ok(());
        }
        self.timer.set(None);
        self.again(d)
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        vec![(ActiveKind::Connect, 1)]
    }

    fn descriptor(&self) -> Option<sys::RawSource> {
        let socket = self.socket.take();
        let descriptor = socket.as_ref().map(sys::raw);
        self.socket.set(socket);
        descriptor
    }

    fn release(&self) {
        self.disarm();
        drop(self.socket.take());
    }

    /// A connect that was given up ends as cancelled.
    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let request = self.request.take()?;
        Some(request.settle(Err(Cancelled.into()), d))
    }

    fn discard(&self) {
        if let Some(request) = self.request.take() {
            request.abandon();
        }
    }
}
