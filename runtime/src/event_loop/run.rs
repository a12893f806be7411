//! Running a loop: the modes, and what an error does.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::dispatcher::MainFuture;
use super::liveness::Main;
use super::phases::iteration;
use super::progress::{Phase, Stage};
use super::{Builder, Dispatcher, Flow, LoopRef, State, context};
use crate::base::InlineFn;
use crate::error::{Result, Uncaught};
use crate::timers::Immediate;

/// libuv's run modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Default,
    Once,
    NoWait,
}

/// How long a run in the default mode goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nothing is alive.
    NotAlive,
    /// The main future is done.
    MainIsDone,
}

/// Why a run ended before its time.
pub(crate) enum Fatal {
    /// An error that no handler took.
    Uncaught(Uncaught),
    /// `exit` was called.
    Exit,
    /// The main future waits for something that nothing can bring.
    Deadlock,
}

/// Travels up like an error.
#[derive(Debug)]
pub(super) struct Deadlock;

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the main future waits, but nothing is left that could wake it")
    }
}

impl Error for Deadlock {}

/// An event loop, owned by the thread that runs it.
///
/// It derefs to [`LoopRef`], which has everything that does not need the owner. Dropping it drops its
/// tasks, closes what is open, without close callbacks, and drops what is queued; the first panic met
/// on the way is raised at the end.
///
/// # Examples
/// ```
/// use runtime::{Loop, ms};
///
/// let mut lp = Loop::new()?;
/// lp.set_timeout(ms(1), || println!("a millisecond later"));
/// lp.run()?;
/// # std::io::Result::Ok(())
/// ```
pub struct Loop {
    lp: LoopRef,
    /// Lent to whatever reads, through the dispatcher, which makes it before the first event.
    buffer: Box<[u8]>,
}

impl Deref for Loop {
    type Target = LoopRef;

    fn deref(&self) -> &LoopRef {
        &self.lp
    }
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loop").field(&self.lp).finish()
    }
}

impl Loop {
    /// Makes a loop with the defaults of [`Builder`].
    ///
    /// # Errors
    /// Those of the system's poller: no descriptors are left, for one.
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Sets up a loop that differs from the default.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn of(state: Rc<State>) -> Self {
        context::announce(&state);
        Self { lp: LoopRef::new(state), buffer: Box::default() }
    }

    /// Runs until nothing is alive, then calls [`before_exit`](crate::before_exit) callbacks, and goes
    /// on if these started something; or until [`stop`](LoopRef::stop). True if something is still
    /// alive.
    ///
    /// It begins with a checkpoint: ticks and microtasks queued before count as the main script's.
    ///
    /// # Errors
    /// A callback's `Err`, unless [`on_uncaught`](crate::on_uncaught) takes it; one that is no
    /// `io::Error` comes inside of one. Nothing that was queued is lost: the next run resumes in the
    /// interrupted phase, with the rest of it.
    ///
    /// # Panics
    /// With a callback's panic, likewise.
    pub fn run(&mut self) -> io::Result<bool> {
        let outcome = self.drive(None, |d| run_to_the_end(d, Until::NotAlive));
        returned(outcome)
    }

    /// Runs one iteration; blocks in poll if there is nothing to do. True if something is still alive.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_once(&mut self) -> io::Result<bool> {
        let outcome = self.drive(None, |d| run_mode(d, Mode::Once, Until::NotAlive));
        returned(outcome)
    }

    /// Runs one iteration and does not block. True if something is still alive.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_nowait(&mut self) -> io::Result<bool> {
        let outcome = self.drive(None, |d| run_mode(d, Mode::NoWait, Until::NotAlive));
        returned(outcome)
    }

    /// Lets `body` run with a dispatcher, again and again while `on_uncaught` takes its errors.
    pub(super) fn drive<R>(
        &mut self,
        main: Option<MainFuture<'_>>,
        body: impl FnMut(&mut Dispatcher<'_>) -> Result<R>,
    ) -> Result<R, Fatal> {
        let _here = self.lp.enter();
        let state = self.lp.state();
        let _awake = Awake::new(state);
        // Reborrowed, to live no longer than the rest of the dispatcher; `map` can't shorten a `dyn`.
        #[expect(clippy::manual_map, reason = "see above")]
        let main = match main {
            Some(MainFuture { poll, waker }) => Some(MainFuture { poll: &mut *poll, waker }),
            None => None,
        };
        drive(state, &mut Dispatcher::new(state, main, &mut self.buffer), body)
    }
}

#[inline]
fn drive<R>(
    state: &Rc<State>,
    d: &mut Dispatcher<'_>,
    mut body: impl FnMut(&mut Dispatcher<'_>) -> Result<R>,
) -> Result<R, Fatal> {
    loop {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            state.check_exit()?;
            body(d)
        }));
        match attempt {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => failed(state, Uncaught::Error(error))?,
            Err(payload) => failed(state, Uncaught::Panic(payload))?,
        }
    }
}

/// An attempt was ended by an error: says whether there is another one.
#[cold]
fn failed(state: &State, error: Uncaught) -> Result<(), Fatal> {
    if matches!(&error, Uncaught::Error(error) if error.is::<Deadlock>()) {
        return Err(Fatal::Deadlock);
    }
    state.progress.interrupt();
    if state.exiting.get().is_some() {
        return Err(Fatal::Exit);
    }
    handle_uncaught(state, error)
}

/// Gives an error to the handler, at once.
fn handle_uncaught(state: &State, error: Uncaught) -> Result<(), Fatal> {
    let Some(mut handler) = state.hooks.uncaught.take() else {
        return Err(Fatal::Uncaught(error));
    };
    match catch_unwind(AssertUnwindSafe(|| handler(error))) {
        _ if state.exiting.get().is_some() => Err(Fatal::Exit),
        Ok(Ok(())) => {
            // So that there is a next callback, after which what is left over runs: as in Node
            // behind the immediates that the handler queued.
            state.immediates.with(|all| all.push(Immediate::Callback(InlineFn::new(|()| Ok(())))));
            Ok(())
        }
        Ok(Err(error)) => Err(Fatal::Uncaught(Uncaught::Error(error))),
        Err(payload) => Err(Fatal::Uncaught(Uncaught::Panic(payload))),
    }
}

/// What `run` gives for the outcome of a drive.
#[inline]
fn returned(outcome: Result<bool, Fatal>) -> io::Result<bool> {
    outcome.or_else(ended)
}

#[cold]
fn ended(fatal: Fatal) -> io::Result<bool> {
    match fatal {
        Fatal::Exit => Ok(false),
        Fatal::Uncaught(Uncaught::Panic(payload)) => resume_unwind(payload),
        Fatal::Uncaught(Uncaught::Error(error)) => Err(into_io(error)),
        Fatal::Deadlock => unreachable!("there is no main future"),
    }
}

/// The error itself if it is an `io::Error`, otherwise one that carries its text.
fn into_io(error: Box<dyn Error>) -> io::Error {
    match error.downcast::<io::Error>() {
        Ok(error) => *error,
        // `io::Error` can own what is Send and Sync only, which a callback's error need not be.
        Err(error) => io::Error::other(error.to_string()),
    }
}

/// Runs in the default mode, with `before_exit` each time nothing is alive.
pub(super) fn run_to_the_end(d: &mut Dispatcher<'_>, until: Until) -> Result<bool> {
    let state = d.state();
    loop {
        if run_mode(d, Mode::Default, until)? || until == Until::MainIsDone {
            return Ok(state.is_alive());
        }
        emit_before_exit(d)?;
        if !state.is_alive() {
            return Ok(false);
        }
    }
}

/// One emission: all callbacks, then one drain.
fn emit_before_exit(d: &mut Dispatcher<'_>) -> Flow {
    struct PutBack<'a>(&'a State, Vec<Box<dyn FnMut() -> Result>>);
    impl Drop for PutBack<'_> {
        fn drop(&mut self) {
            self.0.put_back_before_exit(std::mem::take(&mut self.1));
        }
    }
    let state = d.state();
    let mut callbacks = PutBack(state, state.take_before_exit());
    for callback in &mut callbacks.1 {
        callback()?;
        state.check_exit()?;
    }
    drop(callbacks);
    // Whatever the policy: the loop may end here, and no phase would drain.
    d.drain()
}

/// libuv's `uv_run`. Entered again after an error it goes on where that was thrown.
#[inline(always)] // see `poll::run`
fn run_mode(d: &mut Dispatcher<'_>, mode: Mode, until: Until) -> Result<bool> {
    let state: &State = d.state();
    let progress = &state.progress;
    let go_on = || match until {
        Until::NotAlive => state.is_alive(),
        Until::MainIsDone => state.live.main.get() == Main::Unfinished,
    };
    if !progress.is_inside() {
        match progress.take_thrown_outside() {
            None => d.drain()?,
            Some(stage) => drain_behind(d, stage)?,
        }
        let goes_on = go_on();
        // The wait reads the clock; until then nobody looks at the time but for these.
        if mode == Mode::Default || !goes_on || !state.is_quiet_before_poll() {
            state.update_time();
        }
        if mode == Mode::Default && goes_on && !state.stop.get() {
            progress.begin(Phase::Timers);
            // As in libuv, which asks before these timers and not again behind them: an iteration
            // follows, though they were all that kept the loop alive.
            progress.owes_iteration.set(until == Until::NotAlive);
        }
    }
    while progress.is_inside() || ((progress.owes_iteration.get() || go_on()) && !state.stop.get())
    {
        if d.is_deadlocked() {
            return Err(Box::new(Deadlock));
        }
        iteration(d, mode)?;
        if mode != Mode::Default {
            break;
        }
    }
    progress.owes_iteration.set(false);
    state.stop.set(false);
    Ok(state.is_alive())
}

/// The drain of a run before which an error was thrown outside of any iteration.
#[cold]
fn drain_behind(d: &mut Dispatcher<'_>, stage: Stage) -> Flow {
    match stage {
        Stage::Script => d.drain(),
        Stage::Microtask => d.drain_rest(),
        Stage::Callback | Stage::Tick => Ok(()),
    }
}

/// While a run is on the stack the loop is awake, but for its waits.
struct Awake<'a>(&'a State);

impl<'a> Awake<'a> {
    fn new(state: &'a State) -> Self {
        state.poller.wakeup().set_awake();
        Self(state)
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.poller.wakeup().set_idle();
    }
}
