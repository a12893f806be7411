//! A connect to several addresses, or to a name: happy eyeballs, as RFC 8305 has them.
//!
//! ```text
//!   name ── pool: getaddrinfo ──▶ addresses, the families in turn
//!                                    │ first
//!                                    ▼
//!                        ┌──▶ [ stream that connects ] ── connected ──▶ the result; the others close
//!   250 ms since the     │           │ fails
//!   last one began ──────┴───────────┘ next address at once, or if there is none: the error
//! ```
//!
//! The race is a handle of its own while it lasts. Closing it, which cancelling the request and dropping
//! it do, gives the question to the pool up and closes all sockets at once.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::connect::{Attempts, Connect, attempt};
use super::errors::{cannot_resolve, connect_timed_out, none_connected};
use super::stream::Stream;
use super::{Target, TcpOptions, TcpStream};
use crate::base::clock::saturating_ns;
use crate::base::{Guarded, InlineFn, Key};
use crate::dns::Question;
use crate::error::Cancelled;
use crate::event_loop::{
    ActiveKind, Carried, Dispatcher, Event, Flow, Handle, Kind, LoopRef, Pending, Resource, close,
};
use crate::pool::Lane;
use crate::request::Request;
use crate::task::job::{Ended, JobOwner};

/// How long an address is tried before the next one is tried beside it: RFC 8305's, and Node's.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

pub(super) struct Race {
    handle: Handle,
    /// Empty when it is over.
    course: Guarded<Option<Course>>,
}

/// How the race stands.
struct Course {
    request: Rc<Connect<TcpStream>>,
    options: TcpOptions,
    limit: Option<Duration>,
    /// When the time is up.
    ends_at_ns: u64,
    /// When the next address is tried, though the last one has not failed.
    next_at_ns: u64,
    timer: Option<Key>,
    /// What it is about, for errors.
    name: String,
    lookup: Lookup,
    waiting: VecDeque<SocketAddr>,
    attempts: Vec<(SocketAddr, Rc<Stream<TcpStream>>)>,
    failures: Vec<(SocketAddr, io::Error)>,
}

enum Lookup {
    /// There were addresses from the start.
    None,
    UnderWay(Key),
    Done,
    Failed(io::Error),
}

/// What has to be ended when the race is over, with nothing borrowed.
#[derive(Default)]
struct Leftover {
    lookup: Option<Key>,
    timer: Option<Key>,
    attempts: Vec<(SocketAddr, Rc<Stream<TcpStream>>)>,
}

impl Course {
    /// Nothing is under way, and nothing left to try.
    fn is_lost(&self) -> bool {
        let has_lookup = matches!(self.lookup, Lookup::UnderWay(_));
        !has_lookup && self.waiting.is_empty() && self.attempts.is_empty()
    }

    fn next_deadline(&self) -> Option<u64> {
        let next = (!self.waiting.is_empty()).then_some(self.next_at_ns);
        let end = self.limit.map(|_| self.ends_at_ns);
        next.into_iter().chain(end).min()
    }

    fn stop(&mut self) -> Leftover {
        let lookup = match std::mem::replace(&mut self.lookup, Lookup::None) {
            Lookup::UnderWay(key) => Some(key),
            _ => None,
        };
        self.waiting.clear();
        let attempts = std::mem::take(&mut self.attempts);
        Leftover { lookup, timer: self.timer.take(), attempts }
    }

    /// Why it is lost. The only address that somebody gave needs no name.
    fn error(&mut self) -> io::Error {
        let lookup = std::mem::replace(&mut self.lookup, Lookup::None);
        let mut failures = std::mem::take(&mut self.failures);
        match lookup {
            Lookup::Failed(error) => error,
            Lookup::Done | Lookup::UnderWay(_) => none_connected(Some(self.name.clone()), failures),
            Lookup::None if failures.len() == 1 => failures.remove(0).1,
            Lookup::None => none_connected(None, failures),
        }
    }
}

/// Begins to connect to the first address of `target` that takes it.
#[track_caller]
pub(super) fn race(
    lp: &LoopRef,
    target: Target,
    options: TcpOptions,
    limit: Option<Duration>,
) -> Request<TcpStream> {
    if let Err(error) = lp.check_open() {
        return Request::done(Err(error));
    }
    let course = Guarded::default();
    let race = Handle::make(lp, Kind::TcpStream, |handle| Race { handle, course });
    let (request, now_ns) = (Connect::new(&race), lp.state().update_time());
    let course = Course {
        request: request.clone(),
        options,
        limit,
        ends_at_ns: now_ns.saturating_add(saturating_ns(limit.unwrap_or_default())),
        next_at_ns: now_ns,
        timer: None,
        name: name_of(&target),
        lookup: Lookup::None,
        waiting: VecDeque::new(),
        attempts: Vec::new(),
        failures: Vec::new(),
    };
    race.course.with(|slot| *slot = Some(course));
    race.handle.set_active(true);
    race.handle.hold(true);
    match target {
        Target::Addresses(addresses) => race.begin(addresses),
        Target::Name { host, port } => race.look_up(host, port),
    }
    Request::waiting(request)
}

fn name_of(target: &Target) -> String {
    match target {
        Target::Addresses(addresses) => {
            let names: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
            names.join(", ")
        }
        Target::Name { host, port } => format!("\"{host}:{port}\""),
    }
}

/// The families in turn, beginning with that of the first address; else the order stays.
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let begins_with_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == begins_with_v4);
    let mut all = VecDeque::with_capacity(first.len() + second.len());
    while !(first.is_empty() && second.is_empty()) {
        all.extend(first.pop_front().into_iter().chain(second.pop_front()));
    }
    all
}

impl Race {
    fn ask<R: Default>(&self, f: impl FnOnce(&mut Course) -> R) -> R {
        self.course.with(|course| course.as_mut().map(f).unwrap_or_default())
    }

    /// Asks the resolver. It may take seconds, so it has a lane of its own in the pool.
    #[track_caller]
    fn look_up(self: &Rc<Self>, host: String, port: u16) {
        let (state, race) = (self.handle.state(), Rc::downgrade(self));
        let question = Question::for_connect(host, port);
        let key = state.submit(Lane::Slow, Carried::IfWanted, move || question.ask());
        self.ask(|course| course.lookup = Lookup::UnderWay(key));
        let told = move |ended: Ended| {
            if let Some(race) = race.upgrade() {
                race.looked_up(ended);
            }
            Ok(())
        };
        state.on_job_end(key, InlineFn::new(told));
        self.arm();
    }

    fn looked_up(self: &Rc<Self>, ended: Ended) {
        let found = ended.result::<io::Result<Vec<SocketAddr>>>();
        let name = || self.ask(|course| course.name.clone());
        match found.unwrap_or_else(|undone| Err(cannot_resolve(&name(), undone.into()))) {
            Ok(addresses) => {
                self.ask(|course| course.lookup = Lookup::Done);
                self.begin(addresses);
            }
            Err(error) => {
                self.ask(|course| course.lookup = Lookup::Failed(error));
                self.tell_later();
            }
        }
    }

    /// Where no callback may run. What is lost already is told in the pending phase.
    fn begin(self: &Rc<Self>, addresses: Vec<SocketAddr>) {
        self.ask(|course| course.waiting = in_turn(addresses));
        self.try_next();
        if self.ask(|course| course.is_lost()) {
            self.tell_later();
        }
    }

    fn tell_later(self: &Rc<Self>) {
        self.handle.state().pending.push(Pending::Resource(self.clone()));
    }

    /// Begins with the next address that does not fail at once.
    fn try_next(self: &Rc<Self>) {
        let lp = self.handle.loop_ref();
        while let Some((address, options)) =
            self.ask(|course| Some((course.waiting.pop_front()?, course.options)))
        {
            let race: Weak<Self> = Rc::downgrade(self);
            match attempt(&lp, address, &options, race) {
                Ok(stream) => {
                    stream.handle().comes_from(&self.handle);
                    let now_ns = lp.state().update_time();
                    self.ask(|course| {
                        course.attempts.push((address, stream));
                        course.next_at_ns = now_ns.saturating_add(saturating_ns(ATTEMPT_DELAY));
                    });
                    break;
                }
                Err(error) => self.ask(|course| course.failures.push((address, error))),
            }
        }
        self.arm();
    }

    /// Waits for the time that is next.
    fn arm(&self) {
        let state = self.handle.state();
        let (former, deadline) = self.ask(|course| (course.timer.take(), course.next_deadline()));
        if let Some(former) = former {
            state.disarm(former);
        }
        let timer = deadline.map(|deadline| state.arm(deadline, self.handle.slot()));
        self.ask(|course| course.timer = timer);
    }

    fn timer_due(self: &Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let now_ns = self.handle.state().now_ns();
        let (timed_out, is_next) = self.ask(|course| {
            course.timer = None;
            let limit = course.limit.filter(|_| course.ends_at_ns <= now_ns);
            let timed_out = limit.map(|limit| connect_timed_out(&course.name, limit));
            (timed_out, course.next_at_ns <= now_ns)
        });
        if let Some(error) = timed_out {
            return self.finish(Err(error), d);
        }
        if is_next {
            self.try_next();
        } else {
            self.arm();
        }
        self.finish_if_lost(d)
    }

    fn finish_if_lost(self: &Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        match self.ask(|course| course.is_lost().then(|| course.error())) {
            Some(error) => self.finish(Err(error), d),
            None => Ok(()),
        }
    }

    /// The race is over: everything of it ends, then its request is told.
    fn finish(self: &Rc<Self>, result: io::Result<TcpStream>, d: &mut Dispatcher<'_>) -> Flow {
        let resource: Rc<dyn Resource> = self.clone();
        close(&resource);
        match self.course.take() {
            Some(course) => course.request.settle(result, d),
            None => Ok(()),
        }
    }
}

impl Attempts<TcpStream> for Race {
    fn tried(
        self: Rc<Self>,
        stream: &Stream<TcpStream>,
        result: io::Result<TcpStream>,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let tried = self.ask(|course| {
            let is_it = |(_, attempt): &(_, Rc<_>)| std::ptr::eq(Rc::as_ptr(attempt), stream);
            let at = course.attempts.iter().position(is_it)?;
            Some(course.attempts.remove(at).0)
        });
        // One that was closed since the race was over.
        let Some(address) = tried else { return Ok(()) };
        match result {
            Ok(stream) => self.finish(Ok(stream), d),
            Err(error) => {
                self.ask(|course| course.failures.push((address, error)));
                self.try_next();
                self.finish_if_lost(d)
            }
        }
    }
}

impl Resource for Race {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        if self.handle.is_closing() {
            return Ok(());
        }
        match event {
            Event::Timer => self.timer_due(d),
            Event::Pending => self.finish_if_lost(d),
            Event::Turn | Event::Signalled => Ok(()),
        }
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let is_on = self.course.with(|course| course.is_some());
        Vec::from_iter(is_on.then_some((ActiveKind::Connect, 1)))
    }

    fn release(&self) {
        let state = self.handle.state();
        let Leftover { lookup, timer, attempts } = self.ask(Course::stop);
        if let Some(timer) = timer {
            state.disarm(timer);
        }
        for (_, stream) in attempts {
            stream.close();
        }
        if let Some(lookup) = lookup {
            state.refuse_job(lookup);
        }
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let course = self.course.take()?;
        let error = self.handle.ending().unwrap_or_else(|| Cancelled.into());
        Some(course.request.settle(Err(error), d))
    }

    fn discard(&self) {
        if let Some(course) = self.course.take() {
            course.request.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns_beginning_with_the_first() {
        let all = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| format!("{text}:1").parse().unwrap()).collect()
        };
        let given = all(&["[::1]", "[::2]", "[::3]", "1.1.1.1", "[::4]", "2.2.2.2"]);
        let turns = all(&["[::1]", "1.1.1.1", "[::2]", "2.2.2.2", "[::3]", "[::4]"]);
        assert_eq!(in_turn(given), turns);
        let given = all(&["1.1.1.1", "2.2.2.2", "[::1]"]);
        assert_eq!(in_turn(given), all(&["1.1.1.1", "[::1]", "2.2.2.2"]));
        assert!(in_turn(Vec::new()).is_empty());
    }
}
