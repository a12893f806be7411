//! The dispatcher: who holds it may run a user's callback.
//!
//! `run` makes it and lends it down, phase by phase, to the resources. API functions have none, so
//! no call of the API can call back: that is how "a `RefCell` borrowed in a callback can't be
//! borrowed twice" is a type and not a promise.
//!
//! ```text
//!   resource                          dispatcher
//!   take the callback out of its slot
//!   call it where it lies
//!   put it back
//!   done(result)?  ─────────────────▶ Err: out, up to `run`
//!   look at the own state again       Ok: the checkpoint
//! ```
//!
//! The checkpoint: all ticks, then all microtasks, until both are empty; then what waits for its
//! end, as one batch; again if that queued anything.

use std::fmt;
use std::rc::Rc;

use super::builder::Microtasks;
use super::liveness::Main;
use super::progress::Stage;
use super::state::{Callback, State};
use crate::error::{Result, Uncaught};
use crate::task::{Executor, MainWaker, Microtask, Woken};

/// Bytes of what streams read into, as libuv.
const BUFFER_SIZE: usize = 64 * 1024;

/// What a step of the loop gives: an error on its way up to `run`. A panic takes the same way, and
/// so does `exit`.
pub(crate) type Flow = Result;

/// The loop was told to exit: travels up as an error, so that nothing else runs on the way.
#[derive(Debug)]
pub(super) struct Exiting;

impl fmt::Display for Exiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop is exiting")
    }
}

impl std::error::Error for Exiting {}

/// The future given to `block_on` or `main`. It need not be `'static`, so the dispatcher carries it.
pub(super) struct MainFuture<'a> {
    /// Polls it once; nothing if it is done.
    pub(super) poll: &'a mut dyn FnMut() -> Result,
    pub(super) waker: &'a MainWaker,
}

/// The right to run callbacks, and what they are lent.
pub(crate) struct Dispatcher<'a> {
    state: &'a Rc<State>,
    /// That of the loop, which every checkpoint asks: two look-ups nearer than by `state`.
    executor: &'a Executor,
    main: Option<MainFuture<'a>>,
    /// What streams read into: one buffer for the whole loop. It is there when an event is delivered.
    pub(crate) buffer: &'a mut [u8],
    /// Where the loop keeps the buffer, if it has none yet.
    unmade: Option<&'a mut Box<[u8]>>,
}

impl<'a> Dispatcher<'a> {
    pub(super) fn new(
        state: &'a Rc<State>,
        main: Option<MainFuture<'a>>,
        buffer: &'a mut Box<[u8]>,
    ) -> Self {
        let executor = &*state.executor;
        if buffer.is_empty() {
            Self { state, executor, main, buffer: &mut [], unmade: Some(buffer) }
        } else {
            Self { state, executor, main, buffer, unmade: None }
        }
    }

    /// Makes the buffer, unless it is there: most of what a new loop would cost is to fill it, and a
    /// loop that nothing happens to needs none.
    #[inline]
    pub(super) fn prepare_buffer(&mut self) {
        if let Some(kept) = self.unmade.take() {
            *kept = vec![0; BUFFER_SIZE].into_boxed_slice();
            self.buffer = kept;
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> &'a Rc<State> {
        self.state
    }

    /// To be called after every callback, with its result: the checkpoint.
    #[inline]
    pub(crate) fn done(&mut self, result: Result) -> Flow {
        result?;
        self.checkpoint()
    }

    /// The checkpoint after something that is no callback of the user's, such as a wake.
    #[inline]
    pub(crate) fn checkpoint(&mut self) -> Flow {
        if !self.executor.is_owed() {
            return Ok(());
        }
        match self.state.config.microtasks {
            Microtasks::AfterEachCallback => self.drain_from(Stage::Tick),
            Microtasks::BetweenPhases => self.state.check_exit(),
        }
    }

    /// Drains ticks and microtasks, whatever the policy.
    #[inline]
    pub(super) fn drain(&mut self) -> Flow {
        if self.executor.is_owed() { self.drain_from(Stage::Tick) } else { Ok(()) }
    }

    /// Goes on with a drain in which a microtask threw.
    pub(super) fn drain_rest(&mut self) -> Flow {
        self.drain_from(Stage::Microtask)
    }

    #[inline(never)]
    fn drain_from(&mut self, from: Stage) -> Flow {
        let state = self.state;
        let (progress, executor) = (&state.progress, self.executor);
        executor.begin_checkpoint();
        let mut next = from;
        loop {
            if executor.owes_more() {
                state.check_exit()?;
                if next == Stage::Tick {
                    self.run_ticks()?;
                }
            }
            progress.set_stage(Stage::Microtask);
            while let Some(microtask) = executor.next() {
                match microtask {
                    Microtask::Future(Woken::Task(task)) => executor.run(task)?,
                    Microtask::Callback(callback) => callback.call(())?,
                    Microtask::Future(Woken::Main) => self.poll_main()?,
                }
                state.check_exit()?;
            }
            // Mostly there were microtasks and nothing else.
            if !executor.owes_more() {
                break;
            }
            if state.ticks.is_empty() {
                if state.checkpoint_ends.is_empty() && !executor.has_unobserved() {
                    break;
                }
                progress.set_stage(Stage::Tick);
                self.end_of_checkpoint()?;
            }
            next = Stage::Tick;
        }
        progress.set_stage(Stage::Callback);
        executor.owe_nothing();
        Ok(())
    }

    #[inline]
    fn run_ticks(&self) -> Flow {
        let state = self.state;
        state.progress.set_stage(Stage::Tick);
        while let Some(tick) = state.ticks.pop() {
            tick.call(())?;
            state.check_exit()?;
        }
        Ok(())
    }

    #[inline(never)] // rare beside the polls of tasks, which would save registers for it
    pub(super) fn poll_main(&mut self) -> Flow {
        let Some(main) = &mut self.main else { return Ok(()) };
        self.executor.run_main(&mut main.poll)
    }

    /// Whether the main future waits for what nothing can bring: no handle, timer or request is left,
    /// and nobody holds a waker of it. Wakers are asked first: who wakes, then drops its waker, has
    /// sent mail before.
    #[inline]
    pub(super) fn is_deadlocked(&self) -> bool {
        self.main.as_ref().is_some_and(|main| self.is_stuck(main))
    }

    #[inline(never)]
    fn is_stuck(&self, main: &MainFuture<'_>) -> bool {
        let state = self.state;
        state.live.main.get() == Main::Unfinished
            && !state.progress.is_inside()
            && !main.waker.is_held()
            && !state.has_queued()
            && !state.is_waiting()
    }

    /// Ticks and microtasks are empty: what waited for that, as one batch.
    #[inline(never)]
    fn end_of_checkpoint(&mut self) -> Flow {
        let state = self.state;
        let (ends, errors) = (state.checkpoint_ends.len(), state.executor.unobserved());
        for _ in 0..ends {
            // Fewer are left if one of them ended the loop.
            let Some(end) = state.checkpoint_ends.pop() else { break };
            end.call(())?;
            state.check_exit()?;
        }
        for _ in 0..errors {
            let Some(error) = state.executor.next_unobserved() else { break };
            self.report_unhandled(error)?;
            state.check_exit()?;
        }
        Ok(())
    }

    fn report_unhandled(&mut self, error: Uncaught) -> Flow {
        let Some(mut handler) = self.state.hooks.unhandled.take() else {
            return match error {
                Uncaught::Error(error) => Err(error),
                Uncaught::Panic(payload) => std::panic::resume_unwind(payload),
            };
        };
        handler(error)
    }

    /// Runs the pending part of a callback that is called once.
    pub(crate) fn call_once(&mut self, callback: Callback) -> Flow {
        let result = callback.call(());
        self.done(result)
    }
}
