//! The part that all handles have: libuv's `uv_handle_t`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;

use super::answer::{Answer, stand_in_line};
use super::liveness::add;
use super::{Closing, Link, LoopRef, Resource, State};
use crate::error::{self, Closed, LoopGone, outcome_in};
use crate::sys::RawSource;
use crate::task::mail::HandleKey;

/// What a handle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A [`Timer`](crate::handle::Timer).
    Timer,
    /// An [`Idle`](crate::handle::Idle).
    Idle,
    /// A [`Prepare`](crate::handle::Prepare).
    Prepare,
    /// A [`Check`](crate::handle::Check).
    Check,
    /// An [`Async`](crate::handle::Async).
    Async,
    /// A [`Poll`](crate::handle::Poll).
    Poll,
    /// A [`TcpListener`](crate::net::TcpListener).
    TcpListener,
    /// A [`TcpStream`](crate::net::TcpStream).
    TcpStream,
    /// A [`UdpSocket`](crate::net::UdpSocket).
    UdpSocket,
    /// A [`UnixListener`](crate::net::UnixListener).
    UnixListener,
    /// A [`UnixStream`](crate::net::UnixStream), or a connect that waits for room.
    UnixStream,
    /// A [`UnixDatagram`](crate::net::UnixDatagram).
    UnixDatagram,
    /// A [`Pipe`](crate::net::Pipe); on Windows also what listens for them.
    Pipe,
    /// A [`Tty`](crate::io::Tty).
    Tty,
    /// A [`StdStream`](crate::io::StdStream).
    StdStream,
    /// A [`Signal`](crate::handle::Signal).
    Signal,
    /// A [`Process`](crate::process::Process).
    Process,
    /// An [`FsEvent`](crate::handle::FsEvent).
    FsEvent,
    /// An [`FsPoll`](crate::handle::FsPoll).
    FsPoll,
    /// A [`Waiter`](crate::handle::Waiter).
    Waiter,
    /// A [`ReadStream`](crate::fs::ReadStream).
    ReadStream,
    /// A [`WriteStream`](crate::fs::WriteStream).
    WriteStream,
}

impl Kind {
    /// Its name, as the type's: `TcpListener`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timer => "Timer",
            Self::Idle => "Idle",
            Self::Prepare => "Prepare",
            Self::Check => "Check",
            Self::Async => "Async",
            Self::Poll => "Poll",
            Self::TcpListener => "TcpListener",
            Self::TcpStream => "TcpStream",
            Self::UdpSocket => "UdpSocket",
            Self::UnixListener => "UnixListener",
            Self::UnixStream => "UnixStream",
            Self::UnixDatagram => "UnixDatagram",
            Self::Pipe => "Pipe",
            Self::Tty => "Tty",
            Self::StdStream => "StdStream",
            Self::Signal => "Signal",
            Self::Process => "Process",
            Self::FsEvent => "FsEvent",
            Self::FsPoll => "FsPoll",
            Self::Waiter => "Waiter",
            Self::ReadStream => "ReadStream",
            Self::WriteStream => "WriteStream",
        }
    }

    /// Whether the end of a wait can't come from such a handle, unless it is a timer's time.
    fn wakes_nothing(self) -> bool {
        matches!(self, Self::Timer | Self::Idle | Self::Prepare | Self::Check | Self::FsPoll)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

const ACTIVE: u8 = 1;
const REF: u8 = 2;
/// See [`Kind::wakes_nothing`].
const WAKES_NOTHING: u8 = 4;
const CLOSED: u8 = 8;

/// The handle was closed. It lies among the resource's own flags, so that what an event needs to know is
/// one test.
pub(crate) const CLOSING: u16 = 1 << 15;

/// What every handle has; all handle types deref to it, and [`walk`](LoopRef::walk) shows it.
///
/// A handle is *active* while it is started, or waited on by a task. An active handle is held by the
/// loop, and if it is *referenced* (all are, unless `unref` was called) it keeps the loop alive.
pub struct Handle {
    state: Rc<State>,
    /// Who waits for the end, and the error that brought it. Mostly nobody and none.
    closed: Cell<Option<Box<ClosedWaiters>>>,
    slot: u32,
    kind: Kind,
    flags: Cell<u8>,
    /// Flags of the resource's own: there is room for them here. The highest is [`CLOSING`].
    own_flags: Cell<u16>,
}

/// Who waits for a handle's end.
#[derive(Debug, Default)]
pub(crate) struct ClosedWaiters {
    error: Option<io::Error>,
    waiters: VecDeque<ClosedAnswer>,
}

type ClosedAnswer = Rc<Answer<io::Result<()>>>;

impl ClosedWaiters {
    pub(super) fn next(&mut self) -> Option<(ClosedAnswer, io::Result<()>)> {
        let answer = self.waiters.pop_front()?;
        Some((answer, self.error.as_ref().map_or(Ok(()), |error| Err(copy_of(error)))))
    }

    fn abandon(self) {
        for waiter in self.waiters {
            waiter.abandon(Err(LoopGone.into()));
        }
    }
}

/// An error with the same code, or the same outcome of ours in it, or else the same kind and text.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => outcome_in(error).unwrap_or_else(|| error::retold(error)),
    }
}

impl Handle {
    /// Makes a resource and gives it a slot of the loop. `make` is handed the base to build in. The caller
    /// is noted: what users call is `#[track_caller]` all the way down to here.
    #[track_caller]
    pub(crate) fn make<R: Resource>(
        lp: &LoopRef,
        kind: Kind,
        make: impl FnOnce(Handle) -> R,
    ) -> Rc<R> {
        let state = lp.state();
        let slot = state.registry.reserve();
        let handle = Handle {
            state: state.clone(),
            closed: Cell::new(None),
            slot: u32::try_from(slot).expect("fewer than 2^32 handles"),
            kind,
            flags: Cell::new(if kind.wakes_nothing() { REF | WAKES_NOTHING } else { REF }),
            own_flags: Cell::new(0),
        };
        let resource = Rc::new(make(handle));
        let weak: std::rc::Weak<dyn Resource> =
            Rc::downgrade(&(resource.clone() as Rc<dyn Resource>));
        drop(state.registry.set_link(slot, Link::Weak(weak)));
        if state.is_dead() {
            // Made on a loop that is gone: born closed, so that every start says so.
            resource.handle().set_closing();
            resource.handle().flags.set(CLOSED);
        }
        resource
    }

    #[inline]
    fn has(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    fn set(&self, flag: u8, on: bool) {
        let flags = self.flags.get();
        self.flags.set(if on { flags | flag } else { flags & !flag });
    }

    /// Whether it is started or waited on; the loop holds it then.
    pub fn is_active(&self) -> bool {
        self.has(ACTIVE)
    }

    /// Whether it was closed; its close callback may be still to come.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.own_flags.get() & CLOSING != 0
    }

    fn set_closing(&self) {
        self.own_flags.set(self.own_flags.get() | CLOSING);
    }

    /// Lets the handle keep the loop alive while it is active: the default.
    pub fn ref_(&self) {
        self.change_ref(true);
    }

    /// Lets the loop end although this handle is active. Its callbacks run as long as something else
    /// keeps the loop alive.
    pub fn unref(&self) {
        self.change_ref(false);
    }

    fn change_ref(&self, on: bool) {
        if self.has(REF) == on {
            return;
        }
        let counted = self.is_active() && !self.is_closing();
        if counted {
            self.count(-1);
        }
        self.set(REF, on);
        if counted {
            self.count(1);
        }
    }

    /// Whether it would keep the loop alive if it were active; a closed handle would not.
    pub fn has_ref(&self) -> bool {
        self.has(REF)
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it was made: the call in the program, or of a connection that was accepted, the one that made
    /// its listener. `None` once it is closed.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.state.registry.location(self.key())
    }

    /// Says that it comes from another handle, which made it on its own.
    pub(crate) fn comes_from(&self, parent: &Handle) {
        if !parent.is_closed() {
            self.state.registry.copy_location(parent.slot(), self.slot());
        }
    }

    /// The descriptor that the system knows it by (libuv's `uv_fileno`), for calls that this crate has no
    /// name for. `None` if it is closed, or is of a kind that has none of its own: a timer, say, or a
    /// signal, since one pipe serves all those of a loop.
    ///
    /// It stays the handle's own: it must not be closed, and may be another file's as soon as the handle
    /// is closed. What a [`Poll`](crate::handle::Poll) gives is its duplicate. A connect that tries several
    /// addresses changes it. That of a [`Process`](crate::process::Process) is there until the loop knows
    /// that the child has ended.
    ///
    /// # Platform notes
    /// On Windows it is a socket. A process has one on Linux: its pidfd.
    pub fn descriptor(&self) -> Option<RawSource> {
        self.resource()?.descriptor()
    }

    /// The loop it belongs to.
    pub fn loop_ref(&self) -> LoopRef {
        LoopRef::new(self.state.clone())
    }

    /// Closes the handle: see the `close` of the handle types. Here for [`walk`](LoopRef::walk).
    pub fn close(&self) {
        if let Some(resource) = self.resource() {
            close(&resource);
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.state
    }

    #[inline]
    pub(crate) fn slot(&self) -> usize {
        self.slot as usize
    }

    /// Its name for who may outlive it; that of a handle whose slot may be another's by now is nobody's.
    pub(crate) fn key(&self) -> HandleKey {
        let serial = if self.is_closed() { 0 } else { self.state.registry.serial(self.slot()) };
        HandleKey { slot: self.slot(), serial }
    }

    /// The flags that the resource keeps here, and [`CLOSING`], which it leaves as it is.
    #[inline]
    pub(crate) fn own_flags(&self) -> u16 {
        self.own_flags.get()
    }

    #[inline]
    pub(crate) fn set_own_flags(&self, flags: u16) {
        self.own_flags.set(flags);
    }

    fn resource(&self) -> Option<Rc<dyn Resource>> {
        self.state.registry.find(self.key())
    }

    /// Why an operation can't be done: the handle is closed, or even its loop is gone.
    #[inline]
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.is_closing() { Err(self.why_closed()) } else { Ok(()) }
    }

    #[cold]
    fn why_closed(&self) -> io::Error {
        if self.state.is_dead() { LoopGone.into() } else { Closed.into() }
    }

    #[inline]
    fn count(&self, by: isize) {
        if self.flags.get() & (REF | WAKES_NOTHING) == REF {
            add(&self.state.live.handles, by);
        } else {
            self.count_other(by);
        }
    }

    /// The same, of one that is not usual.
    #[cold]
    #[inline(never)]
    fn count_other(&self, by: isize) {
        let live = &self.state.live;
        if self.has(REF) {
            add(&live.handles, by);
            add(&live.waiting_for_nothing, by);
        } else {
            add(&live.unref_handles, by);
        }
    }

    /// Says whether the handle is active.
    #[inline]
    pub(crate) fn set_active(&self, active: bool) {
        // A closed one is not active: only a start has to ask.
        let is_refused = active && self.is_closing();
        if self.is_active() != active && !is_refused {
            self.set(ACTIVE, active);
            self.count(if active { 1 } else { -1 });
        }
    }

    /// The loop becomes an owner, or ceases to be one.
    #[inline]
    pub(crate) fn hold(&self, held: bool) {
        if !self.is_closing() {
            drop(self.state.registry.hold(self.slot(), held));
        }
    }

    /// Its close callback is next: it is not walked any more and, as in libuv, not referenced.
    pub(super) fn set_closed(&self) {
        self.set(CLOSED, true);
        self.set(REF, false);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.has(CLOSED)
    }

    pub(super) fn take_closed_waiters(&self) -> Option<Box<ClosedWaiters>> {
        let waiters = self.closed.take();
        // Who asks later wants to know why as well.
        if let Some(error) = waiters.as_ref().and_then(|waiters| waiters.error.as_ref()) {
            self.ends_with(copy_of(error));
        }
        waiters
    }

    /// Notes the error that ends the handle, for `closed()` to tell.
    pub(crate) fn ends_with(&self, error: io::Error) {
        let mut closed = self.closed.take().unwrap_or_default();
        closed.error.get_or_insert(error);
        self.closed.set(Some(closed));
    }

    /// A copy of that error.
    pub(crate) fn ending(&self) -> Option<io::Error> {
        let closed = self.closed.take();
        let error = closed.as_ref().and_then(|closed| closed.error.as_ref()).map(copy_of);
        self.closed.set(closed);
        error
    }

    /// The answer that comes in the closing phase; `None` if that is past.
    pub(crate) fn on_closed(&self) -> Option<ClosedAnswer> {
        if self.has(CLOSED) {
            return None;
        }
        let answer = ClosedAnswer::default();
        let mut closed = self.closed.take().unwrap_or_default();
        stand_in_line(&mut closed.waiters, answer.clone(), |waiter| waiter.is_wanted());
        self.closed.set(Some(closed));
        Some(answer)
    }
}

/// Closes `resource`: what the system holds goes now, the rest in the closing phase.
pub(crate) fn close(resource: &Rc<dyn Resource>) {
    let handle = resource.handle();
    if handle.is_closing() {
        return;
    }
    handle.set_active(false);
    handle.set_closing();
    handle.state.close_later(Closing::Open(resource.clone()));
    let link = handle.state.registry.set_link(handle.slot(), Link::Strong(resource.clone()));
    // Last, since it wakes who waits, and a foreign waker may panic.
    resource.release();
    drop(link);
}

/// The end of a resource whose loop is dropped: no callbacks, whoever waits is told.
pub(crate) fn abandon(resource: &Rc<dyn Resource>) {
    let handle = resource.handle();
    if !handle.is_closing() {
        handle.set_active(false);
        handle.set_closing();
        resource.release();
    }
    handle.set(CLOSED, true);
    if let Some(waiters) = handle.take_closed_waiters() {
        waiters.abandon();
    }
    resource.discard();
}

impl Drop for Handle {
    /// The last owner is gone: that is a close. The descriptor closes with the resource's fields; the
    /// slot is freed in the closing phase.
    fn drop(&mut self) {
        if self.is_closing() {
            return;
        }
        self.set_active(false);
        let (slot, waiters) = (self.slot(), self.closed.take());
        self.state.close_later(Closing::Ended { slot, resource: None, waiters });
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Handle {}

impl std::hash::Hash for Handle {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        std::ptr::hash(self, hasher);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("kind", &self.kind)
            .field("serial", &self.key().serial)
            .field("is_active", &self.is_active())
            .field("is_closing", &self.is_closing())
            .field("has_ref", &self.has_ref())
            .finish()
    }
}
