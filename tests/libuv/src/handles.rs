//! Handles, started in one step, and callbacks that note a label: the twin of `c/handles.c`.

use crate::labels::{flag, wait};
use behaviour::EventLog;
use runtime::handle::{
    Async, Check, FsEvent, FsPoll, Handle, Idle, Interest, Poll, Prepare, Signal, Timer,
};
use runtime::net::{Pipe, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use runtime::process::Process;
use runtime::{Loop, LoopRef, Request, ms};
use std::error::Error;
use std::io;
use std::net;
use std::time::Duration;

/// For what is waited for and never comes.
pub const NEVER: Duration = ms(1_000_000);

/// What a call gave that has to succeed.
#[track_caller]
pub fn must<T>(result: Result<T, impl Error>) -> T {
    result.expect("no scenario asks for what may be refused")
}

/// A callback that notes `label`.
pub fn note<H: 'static>(log: &EventLog, label: &'static str) -> impl FnMut(&H) + 'static {
    noting(log, move |log, _| log.push(label))
}

/// A callback that is handed the log as well.
pub fn noting<H: 'static>(
    log: &EventLog,
    mut f: impl FnMut(&EventLog, &H) + 'static,
) -> impl FnMut(&H) + 'static {
    let log = log.clone();
    move |handle| f(&log, handle)
}

/// An idle handle that is started.
pub fn start_idle(f: impl FnMut(&Idle) + 'static) -> Idle {
    let idle = Idle::new();
    must(idle.start(f));
    idle
}

/// A prepare handle that is started.
pub fn start_prepare(f: impl FnMut(&Prepare) + 'static) -> Prepare {
    let prepare = Prepare::new();
    must(prepare.start(f));
    prepare
}

/// A check handle that is started.
pub fn start_check(f: impl FnMut(&Check) + 'static) -> Check {
    let check = Check::new();
    must(check.start(f));
    check
}

/// A timer that is started and does not repeat.
pub fn start_timer(after: Duration, f: impl FnMut(&Timer) + 'static) -> Timer {
    let timer = Timer::new();
    must(timer.start(after, None, f));
    timer
}

/// Polls a socket that can be written to, now and ever after.
pub fn start_poll(mut f: impl FnMut(&Poll) + 'static) -> Poll {
    let socket = must(net::UdpSocket::bind(("127.0.0.1", 0)));
    let poll = must(Poll::new(&socket));
    poll.start(Interest::WRITABLE, move |poll, ready| {
        must(ready);
        f(poll);
    });
    poll
}

/// What can be closed.
pub trait Close {
    /// Closes it.
    fn close(&self);
    /// Its close callback.
    fn closed(&self) -> Request<()>;
}

macro_rules! close {
    ($($handle:ident)*) => {
        $(impl Close for $handle {
            fn close(&self) {
                $handle::close(self);
            }

            fn closed(&self) -> Request<()> {
                $handle::closed(self)
            }
        })*
    };
}

close!(Async Check FsEvent FsPoll Idle Poll Prepare Process Signal Timer);
close!(Pipe TcpListener TcpStream UdpSocket UnixListener UnixStream);

/// Closes the handle; its close callback notes `LABEL-closed`.
pub fn close(handle: &impl Close, log: &EventLog, label: &str) {
    close_then(handle, log.mark(format!("{label}-closed")));
}

/// Closes the handle; `f` is its close callback.
pub fn close_then(handle: &impl Close, f: impl FnOnce() + 'static) {
    handle.close();
    handle.closed().callback(move |closed| {
        must(closed);
        f();
    });
}

/// `active=1` or `active=0`.
pub fn note_active(log: &EventLog, handle: &Handle) {
    log.push(flag("active", handle.is_active()));
}

/// `alive=1` or `alive=0`.
pub fn note_alive(log: &EventLog, lp: &LoopRef) {
    log.push(flag("alive", lp.is_alive()));
}

/// `due_in=` the milliseconds.
pub fn note_due_in(log: &EventLog, timer: &Timer) {
    log.push(format!("due_in={}", timer.due_in().as_millis()));
}

/// Runs a first iteration. libuv registers its own descriptors in it; until then it would not wait.
///
/// # Errors
/// The poller's.
pub fn settle(lp: &mut Loop) -> io::Result<()> {
    Timer::new().close();
    lp.run_nowait().map(drop)
}

/// How long the loop would wait, as `WHAT=0`, `WHAT=some` or `WHAT=forever`.
pub fn note_wait(log: &EventLog, what: &str, lp: &LoopRef) {
    log.push(wait(what, lp.backend_timeout()));
}

/// One of the ways to run a loop.
pub type Mode = fn(&mut Loop) -> io::Result<bool>;

/// All of them, by name.
pub const MODES: [(&str, Mode); 3] =
    [("default", Loop::run), ("once", Loop::run_once), ("nowait", Loop::run_nowait)];

/// Runs the loop and notes `more=` whether it says that it would run on.
///
/// # Errors
/// A callback's.
pub fn run(lp: &mut Loop, log: &EventLog, mode: Mode) -> io::Result<()> {
    log.push(flag("more", mode(lp)?));
    Ok(())
}
