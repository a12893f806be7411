//! What keeps a loop alive, told to whoever asks why it does not end: `process.getActiveResourcesInfo()`.
//!
//! [`Liveness`](super::liveness::Liveness) counts; here each count is taken apart. What is counted
//! and has nobody who could tell what it is comes out as [`ActiveKind::Request`] or
//! [`ActiveKind::Queued`], so that the list is empty only if the loop may end.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::liveness::Main;
use super::{Handle, Kind, LoopRef, State};
use crate::pool::Lane;
use crate::timers::TimerKind;

/// One reason why a loop goes on: see [`LoopRef::active_resources`].
///
/// It is printed as one line, such as `TcpListener created at src/main.rs:10:5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveResource {
    kind: ActiveKind,
    handle: Option<Kind>,
    count: usize,
    duration: Option<Duration>,
    location: Option<&'static Location<'static>>,
}

/// What keeps a loop alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActiveKind {
    /// A handle that is active and referenced.
    Handle(Kind),
    /// Handles that were closed; their close callbacks are still to come.
    Closing,
    /// A connect that is under way.
    Connect,
    /// Writes that the system has not taken yet.
    Write,
    /// A shutdown that waits for the writes before it.
    Shutdown,
    /// Somebody waits for a stream to have nothing queued.
    Drained,
    /// Datagrams that the system has not taken yet.
    Send,
    /// A file operation in the pool.
    Fs,
    /// The look-up of a name, in the pool.
    Lookup,
    /// A job of [`spawn_blocking`](crate::spawn_blocking).
    Blocking,
    /// Requests of other kinds.
    Request,
    /// A timer of [`set_timeout`](crate::set_timeout) or [`set_timeout_mut`](crate::set_timeout_mut).
    Timeout,
    /// A timer of [`set_interval`](crate::set_interval).
    Interval,
    /// A task in [`time::sleep`](crate::time::sleep), or in another future that ends with the time.
    Sleep,
    /// Immediates.
    Immediate,
    /// The future given to `block_on`, or the async `main`.
    Main,
    /// What runs in the next iteration in any case: callbacks that are pending, tasks over their limit,
    /// what other threads have sent, the rest of a phase that an error interrupted.
    Queued,
}

impl ActiveKind {
    /// The name of the variant; that of a handle's [`Kind`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Handle(kind) => kind.name(),
            Self::Closing => "Closing",
            Self::Connect => "Connect",
            Self::Write => "Write",
            Self::Shutdown => "Shutdown",
            Self::Drained => "Drained",
            Self::Send => "Send",
            Self::Fs => "Fs",
            Self::Lookup => "Lookup",
            Self::Blocking => "Blocking",
            Self::Request => "Request",
            Self::Timeout => "Timeout",
            Self::Interval => "Interval",
            Self::Sleep => "Sleep",
            Self::Immediate => "Immediate",
            Self::Main => "Main",
            Self::Queued => "Queued",
        }
    }

    /// The word between the name and the place.
    fn verb(self) -> &'static str {
        match self {
            Self::Fs | Self::Lookup | Self::Blocking => "begun",
            Self::Timeout | Self::Interval | Self::Sleep => "set",
            _ => "created",
        }
    }
}

impl fmt::Display for ActiveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl ActiveResource {
    fn of(kind: ActiveKind, count: usize) -> Self {
        Self { kind, handle: None, count, duration: None, location: None }
    }

    fn on_handle(kind: ActiveKind, count: usize, handle: &Handle) -> Self {
        let location = handle.created_at();
        Self { handle: Some(handle.kind()), location, ..Self::of(kind, count) }
    }

    /// What it is.
    pub fn kind(&self) -> ActiveKind {
        self.kind
    }

    /// The kind of the handle that it is, or that it belongs to.
    pub fn handle(&self) -> Option<Kind> {
        self.handle
    }

    /// How many there are: writes of one stream, say. One of what has a place of its own.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Where it was made: the call in the program, or of a connection that was accepted, the one that
    /// made its listener. Requests of a handle have the handle's.
    ///
    /// Of a timer it is known in builds with debug assertions only; the delay is known always.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// The delay of a timer.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }
}

impl fmt::Display for ActiveResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.count > 1 {
            write!(f, " x {}", self.count)?;
        }
        if let Some(duration) = self.duration {
            write!(f, " of {duration:?}")?;
        }
        let is_request = !matches!(self.kind, ActiveKind::Handle(_));
        if let Some(handle) = self.handle.filter(|_| is_request) {
            write!(f, " of a {handle}")?;
        }
        match self.location {
            Some(location) => write!(f, " {} at {location}", self.kind.verb()),
            None => Ok(()),
        }
    }
}

impl LoopRef {
    /// Everything that keeps the loop alive now: why [`run`](crate::Loop::run) does not return.
    ///
    /// It is empty if and only if the loop is not [alive](Self::is_alive). What is unreferenced is not
    /// in it. Nor are tasks: what they wait for is. First comes the main future, then handles in the order
    /// they were made, each with its requests, then jobs of the pool, timers, and the rest. The call goes
    /// through all handles and timers of the loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::{ActiveKind, Loop, net::TcpListener};
    ///
    /// let mut lp = Loop::new()?;
    /// let _here = lp.enter();
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// server.listen(|_, _| ());
    /// let active = lp.active_resources();
    /// assert!(active[0].to_string().starts_with("TcpListener created at "));
    /// server.close();
    /// assert_eq!(lp.active_resources()[0].kind(), ActiveKind::Closing);
    /// assert!(!lp.run()?);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn active_resources(&self) -> Vec<ActiveResource> {
        let state = self.state();
        let mut active = Vec::new();
        if !state.is_open() {
            return active;
        }
        if state.live.main.get() == Main::Unfinished {
            active.push(ActiveResource::of(ActiveKind::Main, 1));
        }
        let on_handles = state.add_handles(&mut active);
        let jobs = state.add_jobs(&mut active);
        let others = state.live.requests.get().saturating_sub(on_handles + jobs);
        state.add_timers(&mut active);
        let immediates = state.immediates.with(|immediates| immediates.refs());
        let counts = [
            (ActiveKind::Request, others),
            (ActiveKind::Immediate, immediates),
            (ActiveKind::Closing, state.closing.len()),
            (ActiveKind::Queued, usize::from(state.has_leftovers())),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        active.extend(counts.map(|(kind, count)| ActiveResource::of(kind, count)));
        active
    }

    /// Prints [`active_resources`](Self::active_resources) to standard error, one line each, equal ones
    /// as one: for a program that does not end.
    ///
    /// # Examples
    /// ```
    /// use runtime::{current, secs, set_timeout};
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     // Should have ended by then. Not referenced: it is no reason itself.
    ///     set_timeout(secs(5), || current().print_active_resources()).unref();
    /// }
    /// ```
    pub fn print_active_resources(&self) {
        let active = self.active_resources();
        if active.is_empty() {
            return eprintln!("runtime: nothing keeps the loop alive");
        }
        eprintln!("runtime: the loop is kept alive by");
        let (mut lines, mut counts) = (Vec::new(), HashMap::<String, usize>::new());
        for line in active.iter().map(ActiveResource::to_string) {
            let count = counts.entry(line.clone()).or_default();
            *count += 1;
            if *count == 1 {
                lines.push(line);
            }
        }
        for line in lines {
            match counts[&line] {
                1 => eprintln!("  {line}"),
                count => eprintln!("  {line} ({count} times)"),
            }
        }
    }
}

impl State {
    /// Handles that are active and referenced, and the requests of all; gives the number of these.
    fn add_handles(&self, active: &mut Vec<ActiveResource>) -> usize {
        let mut requests = 0;
        for resource in self.registry.all() {
            let handle = resource.handle();
            if handle.is_active() && handle.has_ref() {
                let kind = ActiveKind::Handle(handle.kind());
                active.push(ActiveResource::on_handle(kind, 1, handle));
            }
            for (kind, count) in resource.requests() {
                requests += count;
                active.push(ActiveResource::on_handle(kind, count, handle));
            }
        }
        requests
    }

    /// Jobs that somebody waits for, or that have an effect; gives their number.
    fn add_jobs(&self, active: &mut Vec<ActiveResource>) -> usize {
        let jobs = self.jobs.that_count();
        active.extend(jobs.iter().map(|(lane, location)| {
            let kind = match lane {
                Lane::Fast => ActiveKind::Fs,
                Lane::Slow => ActiveKind::Lookup,
                Lane::Cpu => ActiveKind::Blocking,
            };
            ActiveResource { location: Some(location), ..ActiveResource::of(kind, 1) }
        }));
        jobs.len()
    }

    fn add_timers(&self, active: &mut Vec<ActiveResource>) {
        let timers = self.lists.with(|lists| lists.that_count());
        active.extend(timers.into_iter().map(|(kind, ms, origin)| {
            let kind = match kind {
                TimerKind::Timeout => ActiveKind::Timeout,
                TimerKind::Interval => ActiveKind::Interval,
                TimerKind::Sleep => ActiveKind::Sleep,
            };
            ActiveResource {
                duration: Some(Duration::from_millis(ms)),
                location: origin.location(),
                ..ActiveResource::of(kind, 1)
            }
        }));
    }

    fn has_leftovers(&self) -> bool {
        !self.pending.is_empty()
            || self.executor.has_deferred()
            || self.poller.wakeup().has_mail()
            || self.progress.is_interrupted()
    }
}
