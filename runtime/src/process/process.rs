//! A child process as a handle.

use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::io;
use std::process::{Child, ExitStatus};
use std::rc::Rc;

use crate::base::Guarded;
use crate::error::{Cancelled, failed};
use crate::event_loop::{
    Answer, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Resource, copy_of, stand_in_line,
};
use crate::handle::handle_type;
use crate::net::Pipe;
use crate::reactor::{Interest, Ready, Watched};
use crate::request::{Plain, Request};
use crate::sync::{AbortListener, AbortSignal};
use crate::sys::{self, OwnedSource, PipeHandle};

handle_type! {
    /// A child process, made by [`Command::spawn`](super::Command::spawn).
    ///
    /// It is active, so the loop holds it and is kept alive, until the child has ended. Whoever drops it
    /// lets the child go on, as with the standard library's; `close` does too, and drops the ends of
    /// the pipes that were not taken. With [`kill_on_drop`](super::Command::kill_on_drop) the child is
    /// killed by both. It leaves no zombie in any case.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(unix)]
    /// use runtime::process::{Command, Stdio};
    ///
    /// # #[cfg(unix)]
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let (input, output) = (child.take_stdin().unwrap(), child.take_stdout().unwrap());
    ///     input.write("hello").await?;
    ///     input.shutdown().await?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(output.read(&mut buffer).await?, 5);
    ///     assert!(child.wait().await?.success());
    ///     Ok(())
    /// }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    Process, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    id: u32,
    /// Out once it has ended, or nobody waits for it any more.
    child: Guarded<Option<Child>>,
    /// What reports its end, unless a thread does.
    source: OnceCell<Watched<OwnedSource>>,
    /// How it has ended, once that is known.
    ended: Guarded<Option<io::Result<ExitStatus>>>,
    waiters: Guarded<VecDeque<Waiter>>,
    stdin: Cell<Option<Pipe>>,
    stdout: Cell<Option<Pipe>>,
    stderr: Cell<Option<Pipe>>,
    kill_on_drop: bool,
    /// Its place in the line of the signal that kills it, while it can.
    aborted_by: Cell<Option<AbortListener>>,
}

type Waiter = Rc<Answer<io::Result<ExitStatus>>>;

impl Process {
    /// Takes a child over that was just spawned.
    #[track_caller]
    pub(super) fn of_child(lp: &LoopRef, mut child: Child, kill_on_drop: bool) -> io::Result<Self> {
        let streams = Streams::of(lp, &mut child);
        let inner = Handle::make(lp, Kind::Process, |handle| Inner {
            handle,
            id: child.id(),
            child: Guarded::new(Some(child)),
            source: OnceCell::new(),
            ended: Guarded::default(),
            waiters: Guarded::default(),
            stdin: Cell::default(),
            stdout: Cell::default(),
            stderr: Cell::default(),
            kill_on_drop,
            aborted_by: Cell::default(),
        });
        let Streams { stdin, stdout, stderr } = match streams.and_then(|streams| {
            inner.watch()?;
            Ok(streams)
        }) {
            Ok(streams) => streams,
            Err(error) => {
                // Nobody will ever know of it.
                let _ = inner.kill(sys::SIGKILL);
                return Err(error);
            }
        };
        inner.stdin.set(stdin);
        inner.stdout.set(stdout);
        inner.stderr.set(stderr);
        inner.handle.set_active(true);
        inner.handle.hold(!kill_on_drop);
        Ok(Self(inner))
    }

    /// Lets it be sent `signum` when `signal` is aborted.
    pub(super) fn kill_on_abort(&self, signal: &AbortSignal, signum: i32) {
        let child = Rc::downgrade(&self.0);
        let listener = signal.on_abort(move || match child.upgrade() {
            Some(child) => child.kill_by_abort(signum),
            None => Ok(()),
        });
        self.0.aborted_by.set(Some(listener));
    }

    /// The number that the system knows it by. After its end it may be another's.
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Done when the child has ended; at once if it has by now. Any number may wait, by callback or task.
    ///
    /// It closes the end of the child's stdin that was not taken: a child that waits for its input
    /// would never end. It does not keep the loop alive by itself: the handle does, unless it is
    /// [`unref`](crate::handle::Handle::unref)'d.
    ///
    /// # Ordering
    /// In the poll phase, after the other events of the batch and after signals, in the order in which
    /// children ended; what the child wrote may still be to be read.
    ///
    /// # Errors
    /// [`Cancelled`](crate::Cancelled) if the handle is closed first, [`Closed`](crate::Closed) if it was
    /// before; `ECHILD` if another part of the program took the status, or `SIGCHLD` is ignored.
    ///
    /// # Cancel safety
    /// Nothing is lost: who asks again is told.
    pub fn wait(&self) -> Request<ExitStatus> {
        drop(self.take_stdin());
        if let Some(ended) = self.0.ended() {
            return Request::done(ended);
        }
        if let Err(error) = self.check_open() {
            return Request::done(Err(error));
        }
        let waiter = Waiter::default();
        self.0.waiters.with(|waiters| {
            stand_in_line(waiters, waiter.clone(), |waiter| waiter.is_wanted());
        });
        Request::waiting(Plain::of_answer(self.state(), waiter))
    }

    /// How the child has ended, if the loop knows that by now.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.0.ended().and_then(Result::ok)
    }

    /// Sends a signal to the child; 0 sends none, and tells whether it could be sent.
    ///
    /// # Errors
    /// `ESRCH` once its end is known: no other process that has its number by then is hit. `EINVAL` for
    /// what is no signal; `PermissionDenied`; [`Closed`](crate::Closed).
    ///
    /// # Platform notes
    /// Where the system has pidfds the signal goes by that: the child alone is hit, also if another part of the
    /// program took its status, which this handle has not learned of yet. Elsewhere its number may be another
    /// process's by then.
    ///
    /// Windows has no signals. `SIGINT`, `SIGQUIT`, `SIGKILL` and `SIGTERM` (2, 3, 9, 15) end the child at
    /// once, with exit code 1; the others are `Unsupported`. The error once its end is known is
    /// `NotFound` there.
    pub fn kill(&self, signum: i32) -> io::Result<()> {
        self.0.kill(signum)
    }

    /// The end to write of its standard input, once, if it is [piped](super::Stdio::piped).
    pub fn take_stdin(&self) -> Option<Pipe> {
        self.0.stdin.take()
    }

    /// The end to read of its standard output, once, if it is piped.
    pub fn take_stdout(&self) -> Option<Pipe> {
        self.0.stdout.take()
    }

    /// The end to read of its standard error, once, if it is piped.
    pub fn take_stderr(&self) -> Option<Pipe> {
        self.0.stderr.take()
    }
}

/// Our ends of a child's standard streams.
#[derive(Default)]
struct Streams {
    stdin: Option<Pipe>,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
}

impl Streams {
    #[track_caller]
    fn of(lp: &LoopRef, child: &mut Child) -> io::Result<Self> {
        #[track_caller]
        fn piped(lp: &LoopRef, end: Option<impl Into<PipeHandle>>) -> io::Result<Option<Pipe>> {
            let Some(end) = end else { return Ok(None) };
            Pipe::of_end(lp, sys::PipeEnd::new(end.into())?).map(Some)
        }
        Ok(Self {
            stdin: piped(lp, child.stdin.take())?,
            stdout: piped(lp, child.stdout.take())?,
            stderr: piped(lp, child.stderr.take())?,
        })
    }
}

impl Inner {
    fn ended(&self) -> Option<io::Result<ExitStatus>> {
        self.ended.with(|ended| {
            ended.as_ref().map(|result| result.as_ref().map(|status| *status).map_err(copy_of))
        })
    }

    fn kill(&self, signum: i32) -> io::Result<()> {
        if self.ended().is_some() {
            return Err(sys::no_such_process());
        }
        self.handle.check_open()?;
        self.child.with(|child| match child {
            Some(child) => self.send(child, signum),
            None => Err(sys::no_such_process()),
        })
    }

    /// The signal that it was spawned with is aborted.
    fn kill_by_abort(&self, signum: i32) -> crate::Result {
        match self.kill(signum) {
            // It has ended, which is all that was wanted.
            Err(error) if sys::is_no_such_process(&error) => Ok(()),
            Err(error) => {
                Err(failed(format!("cannot send signal {signum} to a child"), error).into())
            }
            Ok(()) => Ok(()),
        }
    }

    fn leave_signal(&self) {
        if let Some(listener) = self.aborted_by.take() {
            listener.remove();
        }
    }

    fn send(&self, child: &mut Child, signum: i32) -> io::Result<()> {
        match self.source.get() {
            Some(source) => source.with(|source| sys::kill(child, Some(source), signum)),
            None => sys::kill(child, None, signum),
        }
    }

    /// Lets the loop learn of its end.
    fn watch(&self) -> io::Result<()> {
        self.child.with(|child| {
            let child = child.as_ref().expect("it was just spawned");
            match sys::exit_source(child) {
                Ok(source) => self.watch_by(source),
                Err(_) => self.watch_by_thread(child),
            }
        })
    }

    fn watch_by(&self, source: OwnedSource) -> io::Result<()> {
        let source = self.source.get_or_init(|| Watched::new(&self.handle.state().poller, source));
        source.set_interest(self.handle.slot(), Interest::READABLE)
    }

    /// Without a descriptor to poll a thread waits.
    fn watch_by_thread(&self, child: &Child) -> io::Result<()> {
        let wait = sys::exit_waiter(child)?;
        let (sending, key) = (self.handle.state().sending.clone(), self.handle.key());
        let waiter = std::thread::Builder::new().name("runtime-child".into());
        waiter.stack_size(64 * 1024).spawn(move || {
            wait();
            // A loop that is gone does not ask any more.
            sending.signalled(key);
        })?;
        Ok(())
    }

    /// The child has ended, or so it is said.
    fn reap(&self) {
        let ended = self.child.with(|child| {
            let result = child.as_mut()?.try_wait().transpose()?;
            child.take().map(|_| result)
        });
        if let Some(ended) = ended {
            self.ended.with(|known| *known = Some(ended));
            self.leave_signal();
            if let Some(source) = self.source.get() {
                source.close();
            }
            self.handle.set_active(false);
            self.handle.hold(false);
        }
    }

    /// Tells all who wait. If the callback of one fails the others are told in the pending phase.
    fn tell(&self, d: &mut Dispatcher<'_>) -> Flow {
        struct Others<'a>(&'a Inner);
        impl Drop for Others<'_> {
            fn drop(&mut self) {
                while let Some((waiter, ended)) = self.0.next_waiter() {
                    waiter.settle_later(ended, self.0.handle.state());
                }
            }
        }
        let others = Others(self);
        while let Some((waiter, ended)) = others.0.next_waiter() {
            waiter.settle(ended, d)?;
        }
        Ok(())
    }

    fn next_waiter(&self) -> Option<(Waiter, io::Result<ExitStatus>)> {
        let ended = self.ended()?;
        let waiter = self.waiters.with(VecDeque::pop_front)?;
        Some((waiter, ended))
    }

    /// The handle goes before the child does.
    fn let_go(&self) {
        self.leave_signal();
        if let Some(mut child) = self.child.take() {
            if self.kill_on_drop {
                // It may have ended just now.
                let _ = self.send(&mut child, sys::SIGKILL);
            }
            sys::adopt_orphan(child);
        }
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Exits come last in a batch.
    fn ready(self: Rc<Self>, _ready: Ready, d: &mut Dispatcher<'_>) -> Flow {
        d.state().exited.push(self);
        Ok(())
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        match event {
            Event::Signalled => d.state().exited.push(self),
            Event::Turn if !self.handle.is_closing() => {
                self.reap();
                return self.tell(d);
            }
            _ => {}
        }
        Ok(())
    }

    /// The one that tells its end, where the system has such a thing.
    fn descriptor(&self) -> Option<sys::RawSource> {
        self.source.get()?.with(|source| Ok(sys::raw(source))).ok()
    }

    fn release(&self) {
        // First: it may send a signal by the source.
        self.let_go();
        if let Some(source) = self.source.get() {
            source.close();
        }
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let waiter = self.waiters.with(VecDeque::pop_front)?;
        Some(waiter.settle(Err(Cancelled.into()), d))
    }

    fn discard(&self) {
        drop((self.stdin.take(), self.stdout.take(), self.stderr.take()));
        for waiter in self.waiters.take() {
            waiter.abandon(Err(crate::LoopGone.into()));
        }
    }
}

impl Drop for Inner {
    /// Its last owner is gone, which the loop is not while the child may go on without one.
    fn drop(&mut self) {
        self.let_go();
        for waiter in self.waiters.take() {
            waiter.settle_later(Err(Cancelled.into()), self.handle.state());
        }
    }
}
