//! The state of a loop: what `LoopRef` points to.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use super::builder::{Config, PoolChoice};
use super::dispatcher::Exiting;
use super::jobs::Jobs;
use super::life::Hooks;
use super::liveness::{Liveness, Main};
use super::naps::Naps;
use super::progress::Progress;
use super::resource::Registry;
use super::signals::Signals;
use super::{Closing, Flow, Resource};
use crate::base::clock::NS_PER_MS;
use crate::base::{
    Arena, Clock, Guarded, Heap, InlineFn, Instant, LocalQueue, Rank, Ring, WatchList,
};
use crate::error::Result;
use crate::pool::Pool;
use crate::reactor::Poller;
use crate::task::mail::{self, HandleKey, Mailbox, Sending};
use crate::task::{Executor, Limits, Microtask};
use crate::timers::{Fired, Immediates, TimerId, TimerLists};

/// A callback that is called once, such as a tick.
pub(crate) type Callback = InlineFn<(), Result>;

/// What waits for the pending phase.
pub(crate) enum Pending {
    /// A resource that has something to report.
    Resource(Rc<dyn Resource>),
    /// The callback of a request that was done at once.
    Callback(Callback),
}

/// Counts of one loop, since it was made. Those of its pool are told by
/// `current().pool().`[`metrics()`](crate::Pool::metrics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Iterations that reached the poll phase.
    pub iterations: u64,
    /// Events that the system reported.
    pub events: u64,
    /// How often a task was over a limit and had to wait for the end of the next poll phase.
    pub deferrals: u64,
    /// Tasks that are not done.
    pub tasks: usize,
    /// Handles that are open, internal ones not counted.
    pub handles: usize,
    /// Jobs of this loop that wait in a pool or run there, files and names among them.
    pub jobs: usize,
}

/// Everything a loop has.
pub(crate) struct State {
    pub(crate) id: u64,
    pub(crate) config: Config,
    clock: Clock,
    now_ns: Cell<u64>,
    pub(crate) poller: Rc<Poller>,
    pub(crate) registry: Registry,
    pub(crate) live: Liveness,
    pub(super) progress: Progress,
    pub(crate) executor: Rc<Executor>,
    pub(super) mailbox: Mailbox,
    pub(crate) sending: Arc<Sending>,
    /// Signalled handles of this poll phase, in the order they were made.
    pub(super) signalled: LocalQueue<Rc<dyn Resource>>,
    /// Children that may have ended: told last in a poll phase.
    pub(crate) exited: LocalQueue<Rc<dyn Resource>>,
    pub(crate) signals: Signals,
    pub(super) ticks: Ring<Callback>,
    pub(super) checkpoint_ends: LocalQueue<Callback>,
    /// The deadlines of resources, by their slots. A resource takes its own out when it is released, which
    /// is before its slot can be another's.
    pub(super) heap: Guarded<Heap<usize>>,
    pub(crate) lists: Guarded<TimerLists<Fired<TimerId>>>,
    /// Where a pass over Node's lists stands among the deadlines of the heap.
    pub(super) lists_due: Cell<Option<Rank>>,
    pub(crate) immediates: Guarded<Immediates>,
    pub(crate) idle: WatchList<Rc<dyn Resource>>,
    pub(crate) prepare: WatchList<Rc<dyn Resource>>,
    pub(crate) check: WatchList<Rc<dyn Resource>>,
    watch_serial: Cell<u64>,
    pub(crate) pending: LocalQueue<Pending>,
    pub(super) closing: LocalQueue<Closing>,
    pub(super) closing_now: LocalQueue<Closing>,
    pub(super) jobs: Jobs,
    pub(super) naps: Naps,
    /// The handles that connect, of those connects whose id was asked for. An entry ends with its
    /// request. A loop that ends does not wait for these.
    pub(crate) connects: Guarded<Arena<HandleKey>>,
    pub(super) hooks: Hooks,
    pub(super) stop: Cell<bool>,
    pub(super) exiting: Cell<Option<i32>>,
    is_dead: Cell<bool>,
    pool: OnceCell<Pool>,
    /// Lent to a task that reads; empty while it is.
    pub(crate) spare_buffer: Cell<Vec<u8>>,
    /// The loop's streams over standard input, output and error, while they are in use.
    pub(crate) standard_streams: Guarded<[Option<Weak<dyn Any>>; 3]>,
    /// Given up when no descriptor is left, so that waiting connections can be shed.
    pub(crate) spare_descriptor: Cell<Option<crate::sys::OwnedSource>>,
    /// What the watchers of files share, while there is one: a thing of their own.
    pub(crate) file_watching: Guarded<Weak<dyn Any>>,
    pub(crate) iterations: Cell<u64>,
    pub(super) events: Cell<u64>,
}

impl State {
    pub(super) fn new(config: Config, clock: Clock) -> io::Result<Rc<Self>> {
        let poller = Poller::new()?;
        let executor = Executor::new(Limits { task_polls: config.task_polls });
        let id = executor.loop_id();
        let sending = Sending::new(poller.wakeup().clone());
        mail::publish(id, sending.clone());
        let now_ns = Cell::new(clock.now_ns());
        Ok(Rc::new(Self {
            id,
            config,
            clock,
            now_ns,
            poller,
            registry: Registry::default(),
            live: Liveness::default(),
            progress: Progress::default(),
            executor,
            mailbox: Mailbox::default(),
            sending,
            signalled: LocalQueue::default(),
            exited: LocalQueue::default(),
            signals: Signals::default(),
            ticks: Ring::default(),
            checkpoint_ends: LocalQueue::default(),
            heap: Guarded::default(),
            lists: Guarded::default(),
            lists_due: Cell::new(None),
            immediates: Guarded::default(),
            idle: WatchList::default(),
            prepare: WatchList::default(),
            check: WatchList::default(),
            watch_serial: Cell::new(0),
            pending: LocalQueue::default(),
            closing: LocalQueue::default(),
            closing_now: LocalQueue::default(),
            jobs: Jobs::default(),
            naps: Naps::default(),
            connects: Guarded::default(),
            hooks: Hooks::default(),
            stop: Cell::new(false),
            exiting: Cell::new(None),
            is_dead: Cell::new(false),
            pool: OnceCell::new(),
            spare_buffer: Cell::default(),
            standard_streams: Guarded::default(),
            spare_descriptor: Cell::default(),
            file_watching: Guarded::new(Weak::<()>::new()),
            iterations: Cell::new(0),
            events: Cell::new(0),
        }))
    }

    // --- time ---

    /// The cached time of this iteration, in nanoseconds.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    /// Reads the clock, and moves the cached time.
    #[inline]
    pub(crate) fn update_time(&self) -> u64 {
        let now = self.clock.now_ns();
        self.now_ns.set(now);
        now
    }

    /// What Node's timers count from: the time of the call, in whole milliseconds, rounded up, so
    /// that none is early.
    pub(crate) fn timer_start(&self) -> u64 {
        self.update_time().div_ceil(NS_PER_MS)
    }

    pub(crate) fn fresh_now(&self) -> Instant {
        Instant::from_ns(self.clock.now_ns())
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The order in which idle, prepare and check handles were started.
    pub(crate) fn next_watch_serial(&self) -> u64 {
        let serial = self.watch_serial.get() + 1;
        self.watch_serial.set(serial);
        serial
    }

    // --- liveness ---

    /// Whether there is a reason to run on: libuv's `uv_loop_alive`, and an unfinished main future.
    pub(crate) fn is_alive(&self) -> bool {
        self.live.main.get() == Main::Unfinished || self.is_alive_without_main()
    }

    pub(super) fn is_alive_without_main(&self) -> bool {
        self.live.handles.get() > 0
            || self.live.requests.get() > 0
            || self.immediates.with(|immediates| immediates.refs()) > 0
            || self.lists.with(|lists| lists.refs()) > 0
            || !self.pending.is_empty()
            || self.has_closing()
            || self.executor.has_deferred()
            || self.poller.wakeup().has_mail()
    }

    /// Whether anything at all could call back, be it referenced or not. An unreferenced immediate
    /// alone could not: poll blocks as if it were not there.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_alive_without_main()
            || self.live.unref_handles.get() > 0
            || self.next_deadline().is_some()
    }

    /// Whether the phases before poll call nobody.
    #[inline]
    pub(super) fn is_quiet_before_poll(&self) -> bool {
        let queued = self.pending.len() | self.idle.len() | self.prepare.len();
        queued == 0 && !self.executor.is_owed()
    }

    /// Whether those behind poll call nobody.
    #[inline]
    pub(super) fn is_quiet_behind_poll(&self) -> bool {
        let queued = self.pending.len()
            | self.check.len()
            | self.immediates.with(|immediates| immediates.len())
            | self.closing.len()
            | self.closing_now.len();
        queued == 0 && !self.executor.is_owed() && !self.may_have_timers()
    }

    /// Whether ticks, microtasks or what waits for the end of a checkpoint are queued.
    #[inline]
    pub(crate) fn has_queued(&self) -> bool {
        !self.ticks.is_empty()
            || self.executor.has_microtasks()
            || !self.checkpoint_ends.is_empty()
            || self.executor.has_unobserved()
    }

    /// How long the poll phase may block; `None`: for ever.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let queued = self.immediates.with(|immediates| immediates.refs())
            | self.pending.len()
            | self.closing.len()
            | self.idle.len();
        let must_not_block = queued > 0
            || self.stop.get()
            || self.live.main.get() == Main::Finished
            || !self.is_alive()
            || self.executor.has_deferred()
            || self.has_queued()
            || self.poller.wakeup().has_mail();
        if must_not_block {
            return Some(Duration::ZERO);
        }
        let deadline = self.next_deadline()?;
        // From a fresh clock: with a cached one, callbacks that took long would delay the next
        // timer by as much. Rounded up: a timer is never early.
        let left = deadline.saturating_sub(self.clock.now_ns());
        Some(Duration::from_millis(left.div_ceil(NS_PER_MS)))
    }

    // --- life ---

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.get()
    }

    pub(super) fn die(&self) {
        self.is_dead.set(true);
        self.sending.close(&self.mailbox);
        mail::withdraw(self.id);
    }

    /// The program exits with `code`, unless it does so already: gives the code it exits with then.
    pub(super) fn begin_exit(&self, code: i32) -> Option<i32> {
        // The next checkpoint is the place where that is noticed.
        self.executor.owe_more();
        self.exiting.replace(Some(code))
    }

    /// An error on its way up if the program is exiting. Asked after every callback, tick and turn,
    /// since a user's `catch_unwind` may have swallowed the payload.
    #[inline]
    pub(super) fn check_exit(&self) -> Flow {
        if self.exiting.get().is_some() { Err(Box::new(Exiting)) } else { Ok(()) }
    }

    /// Whether new work is accepted. What cannot fail by signature is dropped where it is not.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        !self.is_dead.get() && self.exiting.get().is_none()
    }

    pub(crate) fn next_tick(&self, callback: Callback) {
        if self.is_open() {
            self.ticks.push(callback);
            self.executor.owe_more();
        }
    }

    pub(crate) fn queue_microtask(&self, callback: Callback) {
        if self.is_open() {
            self.executor.push(Microtask::Callback(callback));
        }
    }

    /// Lets `callback` run in the pending phase.
    pub(crate) fn call_later(&self, callback: impl FnOnce() -> Result + 'static) {
        if self.is_open() {
            self.pending.push(Pending::Callback(InlineFn::new(|()| callback())));
        }
    }

    pub(crate) fn at_checkpoint_end(&self, callback: Callback) {
        if self.is_open() {
            self.checkpoint_ends.push(callback);
            self.executor.owe_more();
        }
    }

    /// The pool that this loop's jobs go to.
    pub(crate) fn pool(&self) -> &Pool {
        self.pool.get_or_init(|| match &self.config.pool {
            PoolChoice::Shared => Pool::shared(),
            PoolChoice::Own(threads) => Pool::new(*threads),
            PoolChoice::Given(pool) => pool.clone(),
        })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("id", &self.id)
            .field("progress", &self.progress)
            .field("live", &self.live)
            .field("executor", &self.executor)
            .finish_non_exhaustive()
    }
}
