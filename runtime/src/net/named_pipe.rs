//! Windows' named pipes: their clients, and what listens for them.

use std::ffi::{OsStr, OsString};
use std::io;

use super::Pipe;
use super::listener::{Listener, listener};
use super::stream::{Stream, StreamHandle};
use crate::error::failed;
use crate::event_loop::{Carried, Kind, LoopRef, current};
use crate::handle::handle_type;
use crate::pool::Lane;
use crate::request::{Request, Unwanted, by_task, on_pool};
use crate::sys::{self, PipeAcceptor, PipeEnd};

/// Connecting, on Windows only.
impl Pipe {
    /// Connects to a named pipe, such as `\\.\pipe\name`: for both directions, or for the one that its server
    /// allows. While all ends of the server are taken it waits, for 30 seconds at most.
    ///
    /// The server learns who we are, and can't act in our name.
    ///
    /// # Ordering
    /// Done in the pending phase.
    ///
    /// # Errors
    /// `NotFound` if nobody listens there, `PermissionDenied`, `TimedOut` and others of the system, with
    /// the name; `InvalidInput` for what is no name of a pipe; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request gives the attempt up. The server may have seen it already.
    #[track_caller]
    pub fn connect(name: impl AsRef<OsStr>) -> Request<Self> {
        let lp = current();
        if let Err(error) = lp.check_open() {
            return Request::done(Err(error));
        }
        let name = name.as_ref().to_owned();
        let wanted = name.clone();
        let opened = on_pool(Lane::Slow, Carried::IfWanted, move || sys::open_pipe(&wanted));
        let target = lp.clone();
        by_task(&lp, Unwanted::Ends, async move {
            let connected = match opened.await {
                Ok(handle) => Self::of_end(&target, PipeEnd::new(handle)?),
                Err(error) => Err(error),
            };
            connected.map_err(|error| failed(format!("cannot connect to {name:?}"), error))
        })
    }
}

impl Pipe {
    /// A client, whom the listener lets read and write.
    fn of_accepted(lp: &LoopRef, end: PipeEnd) -> Self {
        Self::wrap(Stream::make(lp, Kind::Pipe, end))
    }
}

handle_type! {
    /// A named pipe that clients connect to, for callbacks and tasks. On Windows only; Unix has
    /// `UnixListener`.
    ///
    /// Clients may come from this machine only, and have to be allowed by the system's default for named
    /// pipes: the same user, administrators, the system itself; anybody may read.
    ///
    /// # Examples
    /// ```no_run
    /// use runtime::net::PipeListener;
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     let server = PipeListener::bind(r"\\.\pipe\greeter")?;
    ///     server.listen(|_, client| {
    ///         client.write("hello\n");
    ///     });
    ///     Ok(())
    /// }
    /// ```
    PipeListener, Listener<PipeListener>
}

listener!(PipeListener, Pipe, u32, PipeAcceptor::accept, (), PipeAcceptor, Pipe::of_accepted);

/// Making listeners. The number beside a connection that [`accept`](Self::accept) gives is that of the
/// client's process; 0 if the system does not tell.
impl PipeListener {
    /// Listens at a name, such as `\\.\pipe\name`.
    ///
    /// Clients are connected from now on, 128 before they are accepted; more have to wait.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there, and others of the system, with the name; `InvalidInput` for
    /// what is no name of a pipe; [`LoopGone`](crate::LoopGone).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn bind(name: impl AsRef<OsStr>) -> io::Result<Self> {
        let lp = current();
        lp.check_open()?;
        let name = name.as_ref();
        let acceptor = PipeAcceptor::new(name)
            .map_err(|error| failed(format!("cannot listen at {name:?}"), error))?;
        Ok(Self(Listener::make(&lp, Kind::Pipe, acceptor)))
    }

    /// The name it listens at.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed).
    pub fn name(&self) -> io::Result<OsString> {
        self.0.with_source(|acceptor| Ok(acceptor.name().to_owned()))
    }
}
