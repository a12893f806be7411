//! Sockets and servers with the events of Node's `net`.
//!
//! ```text
//!  [ connecting ] ──▶ [ open ] ──▶ [ one side ended ] ──▶ [ destroyed ] ──▶ `close`, in the closing phase
//!        what is written waits        the peer's FIN ends our side too           │
//!                                                                                ▼ the last one of a closed server
//!                                                                           tick: the server's `close`
//! ```
//!
//! Errors of sockets only end them.

use crate::{
    machine::Scope,
    program::{Body, Label, Name, SocketEvent},
    thrown::{Completion, Thrown},
};
use runtime::{
    RequestId,
    net::{TcpListener, TcpStream},
    next_tick, set_immediate,
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    io, mem,
    net::SocketAddr,
    rc::Rc,
};

#[derive(Clone)]
pub(crate) struct Server(Rc<ServerState>);

struct ServerState {
    listener: TcpListener,
    address: SocketAddr,
    accepted: Cell<usize>,
    open: Cell<usize>,
    is_closing: Cell<bool>,
    on_close: RefCell<Vec<Box<dyn FnOnce() -> Completion>>>,
}

impl Server {
    /// Binds to a free port; the n-th connection is the socket `name#n`.
    pub(crate) fn listen(scope: &Scope, name: Name, on_connection: Body) -> Result<Server, Thrown> {
        let bind = || {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            io::Result::Ok((listener, address))
        };
        let (listener, address) = bind()?;
        let server = Server(Rc::new(ServerState {
            listener,
            address,
            accepted: Cell::new(0),
            open: Cell::new(0),
            is_closing: Cell::new(false),
            on_close: RefCell::default(),
        }));
        let (this, scope) = (server.clone(), scope.clone());
        server.0.listener.listen(move |_, stream| {
            let state = &this.0;
            state.accepted.set(state.accepted.get() + 1);
            state.open.set(state.open.get() + 1);
            let socket = Socket::new(Some(this.clone()));
            socket.open(stream);
            scope.define_socket(&format!("{name}#{}", state.accepted.get()).into(), socket);
            scope.call(&on_connection)
        });
        Ok(server)
    }

    /// Stops listening; `on_close` runs as a tick once no connection is open.
    pub(crate) fn close(&self, on_close: impl FnOnce() -> Completion + 'static) {
        self.0.on_close.borrow_mut().push(Box::new(on_close));
        self.0.is_closing.set(true);
        self.0.listener.close();
        self.emit_close_if_drained();
    }

    fn connection_is_gone(&self) {
        self.0.open.set(self.0.open.get() - 1);
        self.emit_close_if_drained();
    }

    fn emit_close_if_drained(&self) {
        if self.0.is_closing.get() && self.0.open.get() == 0 {
            let this = self.clone();
            next_tick(move || {
                let listeners = this.0.on_close.take();
                Ok(listeners.into_iter().try_for_each(|listener| listener())?)
            });
        }
    }
}

#[derive(Clone)]
pub(crate) struct Socket(Rc<SocketState>);

struct SocketState {
    /// Empty while connecting.
    stream: OnceCell<TcpStream>,
    connecting: Cell<Option<RequestId>>,
    /// What was asked for while connecting.
    waiting: RefCell<Vec<Wanted>>,
    listeners: RefCell<Vec<Listener>>,
    /// The server that counts this connection.
    server: Option<Server>,
    /// `end` was asked for; by the program, or by the end of the other side.
    is_ending: Cell<bool>,
    /// The FIN is sent.
    is_ended: Cell<bool>,
    peer_has_ended: Cell<bool>,
    /// A listener of its end failed.
    is_stuck: Cell<bool>,
    is_destroyed: Cell<bool>,
}

type Wanted = Box<dyn FnOnce(&Socket)>;

#[derive(Clone)]
struct Listener {
    event: SocketEvent,
    once: bool,
    /// Shared by the copies of it that an event in progress has made.
    is_removed: Rc<Cell<bool>>,
    scope: Scope,
    label: Option<Label>,
    body: Body,
}

impl Socket {
    fn new(server: Option<Server>) -> Socket {
        Socket(Rc::new(SocketState {
            stream: OnceCell::new(),
            connecting: Cell::default(),
            waiting: RefCell::default(),
            listeners: RefCell::default(),
            server,
            is_ending: Cell::new(false),
            is_ended: Cell::new(false),
            peer_has_ended: Cell::new(false),
            is_stuck: Cell::new(false),
            is_destroyed: Cell::new(false),
        }))
    }

    pub(crate) fn connect(
        scope: &Scope,
        server: &Server,
        label: Option<Label>,
        body: Body,
    ) -> Socket {
        let socket = Socket::new(None);
        let (this, scope, address) = (socket.clone(), scope.clone(), server.0.address);
        // Node connects in a tick: a socket destroyed before that is never seen by the server.
        next_tick(move || {
            if this.0.is_destroyed.get() {
                this.emit_close_later();
                return;
            }
            let socket = this.clone();
            let request = TcpStream::connect(address).callback(move |result| match result {
                Ok(stream) => {
                    this.open(stream);
                    scope.labelled(label.as_ref()).call(&body)
                }
                // Cancelled by that: it is the closing phase.
                Err(_) if this.0.is_destroyed.get() => Ok(this.emit(SocketEvent::Close, None)?),
                Err(_) => {
                    this.destroy();
                    this.emit_close_later();
                    Ok(())
                }
            });
            socket.0.connecting.set(Some(request));
        });
        socket
    }

    /// For a socket that has no stream, whose closing phase it could wait for.
    fn emit_close_later(&self) {
        let this = self.clone();
        set_immediate(move || Ok(this.emit(SocketEvent::Close, None)?));
    }

    fn open(&self, stream: TcpStream) {
        let this = self.clone();
        stream.closed().callback(move |_| {
            if this.0.is_stuck.get() && !this.0.is_destroyed.get() {
                return Ok(());
            }
            // The loop may have closed it before we knew, after an error.
            this.destroy();
            Ok(this.emit(SocketEvent::Close, None)?)
        });
        let this = self.clone();
        stream.read_start(move |_, bytes| this.read(bytes));
        let unset = self.0.stream.set(stream).is_ok();
        assert!(unset, "a socket is opened once");
        for wanted in self.0.waiting.take() {
            wanted(self);
        }
    }

    fn read(&self, bytes: io::Result<&[u8]>) -> runtime::Result {
        match bytes {
            Ok([]) => {
                let this = self.clone();
                next_tick(move || this.peer_ended());
            }
            Ok(bytes) => self.emit(SocketEvent::Data, Some(bytes.len()))?,
            Err(_) => self.destroy(),
        }
        Ok(())
    }

    fn peer_ended(&self) -> runtime::Result {
        if self.0.is_destroyed.get() {
            return Ok(());
        }
        self.0.peer_has_ended.set(true);
        if let Err(error) = self.emit(SocketEvent::End, None) {
            // In Node the rest of the tick is lost, and the socket is never ended or destroyed by it.
            self.0.is_stuck.set(true);
            return Err(error.into());
        }
        if self.0.is_ended.get() {
            self.destroy();
        } else {
            let this = self.clone();
            next_tick(move || this.end());
        }
        Ok(())
    }

    pub(crate) fn on(
        &self,
        scope: &Scope,
        event: SocketEvent,
        once: bool,
        label: Option<Label>,
        body: Body,
    ) {
        let is_removed = Rc::default();
        let scope = scope.clone();
        self.0.listeners.borrow_mut().push(Listener {
            event,
            once,
            is_removed,
            scope,
            label,
            body,
        });
    }

    /// Runs the listeners that there are now, one after the other; an error keeps the rest from
    /// running.
    fn emit(&self, event: SocketEvent, len_bytes: Option<usize>) -> Completion {
        let listeners = self.0.listeners.borrow().clone();
        for listener in listeners.into_iter().filter(|listener| listener.event == event) {
            if listener.is_removed.get() {
                continue;
            }
            if listener.once {
                listener.is_removed.set(true);
                self.0.listeners.borrow_mut().retain(|listener| !listener.is_removed.get());
            }
            match (&listener.label, len_bytes) {
                (Some(label), Some(len_bytes)) => {
                    listener.scope.log(&format!("{label}:{len_bytes}"))
                }
                (label, _) => drop(listener.scope.labelled(label.as_ref())),
            }
            listener.scope.run(&listener.body)?;
        }
        Ok(())
    }

    /// `written` is called when the kernel has the bytes: by a tick if it takes them at once.
    pub(crate) fn write(
        &self,
        len_bytes: usize,
        written: Option<impl FnOnce() -> runtime::Result + 'static>,
    ) {
        self.when_open(move |socket, stream| {
            let bytes = vec![0; len_bytes];
            let Some(written) = written else {
                stream.write(bytes);
                return;
            };
            let taken = match stream.try_write(&bytes) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => return socket.destroy(),
            };
            if taken == bytes.len() {
                next_tick(written);
            } else {
                stream
                    .write(&bytes[taken..])
                    .callback(|result| if result.is_ok() { written() } else { Ok(()) });
            }
        });
    }

    pub(crate) fn end(&self) {
        if self.0.is_ending.replace(true) {
            return;
        }
        self.when_open(|socket, stream| {
            let this = socket.clone();
            stream.shutdown().callback(move |_| {
                this.0.is_ended.set(true);
                next_tick(move || {
                    if this.0.peer_has_ended.get() && !this.0.is_stuck.get() {
                        this.destroy();
                    }
                });
            });
        });
    }

    pub(crate) fn destroy(&self) {
        if self.0.is_destroyed.replace(true) {
            return;
        }
        if let Some(stream) = self.0.stream.get() {
            stream.close();
        } else if let Some(request) = self.0.connecting.get() {
            request.cancel();
        }
        drop(mem::take(&mut *self.0.waiting.borrow_mut()));
        if let Some(server) = &self.0.server {
            server.connection_is_gone();
        }
    }

    /// Does `wanted` now, or as soon as the socket is connected; never on a destroyed one.
    fn when_open(&self, wanted: impl FnOnce(&Socket, &TcpStream) + 'static) {
        if self.0.is_destroyed.get() {
            return;
        }
        match self.0.stream.get() {
            Some(stream) => wanted(self, stream),
            None => self.0.waiting.borrow_mut().push(Box::new(|socket| {
                if let Some(stream) = socket.0.stream.get() {
                    wanted(socket, stream);
                }
            })),
        }
    }
}
