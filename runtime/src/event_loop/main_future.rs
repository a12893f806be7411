//! The main future: what `block_on` and an async `main` run until it is done.
//!
//! ```text
//!   run_main   future on its stack ─▶ MainFuture { poll, waker } ─▶ dispatcher ─▶ turns of it
//!   first poll: the main script, then a checkpoint        later polls: microtasks
//! ```

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use super::dispatcher::MainFuture;
use super::liveness::Main;
use super::progress::Stage;
use super::run::{Deadlock, Fatal, Until, run_to_the_end};
use super::{Dispatcher, Flow, Loop, State};
use crate::error::{Result, Uncaught};
use crate::task::{ExitPayload, MainWaker};

impl Loop {
    /// Runs until `future` is done, and gives its output. The future need not be `'static`.
    ///
    /// Its first poll is the main script: a callback of its own, followed by a checkpoint. Later polls
    /// are microtasks. Other tasks that are not done stay on the loop, for the next run.
    ///
    /// # Panics
    /// With the panic of `future`; with that of a callback, or with the text of a callback's `Err`,
    /// unless [`on_uncaught`](crate::on_uncaught) takes it; if `future` waits while nothing is left
    /// that could wake it; if [`exit`](crate::exit) or [`stop`](crate::LoopRef::stop) ended the loop first.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut output = None;
        let outcome = self.run_main(
            async { output = Some(catch(pin!(future)).await) },
            |()| Ok(()),
            Until::MainIsDone,
        );
        match outcome {
            Err(Fatal::Uncaught(Uncaught::Panic(payload))) => resume_unwind(payload),
            Err(Fatal::Uncaught(Uncaught::Error(error))) => {
                panic!("a callback failed while `block_on` ran: {error}")
            }
            Err(Fatal::Exit) => resume_unwind(Box::new(ExitPayload)),
            Err(Fatal::Deadlock) => panic!("{Deadlock}"),
            Ok(_) => match output {
                Some(Ok(output)) => output,
                Some(Err(payload)) => resume_unwind(payload),
                None => panic!("the loop was stopped before the future was done"),
            },
        }
    }

    /// Runs with `future` as the main future; `report` says whether its output is an error.
    pub(crate) fn run_main<F: Future>(
        &mut self,
        future: F,
        report: impl FnOnce(F::Output) -> Result,
        until: Until,
    ) -> Result<bool, Fatal> {
        let state = self.state().clone();
        // A future that is not done is dropped at the end of this scope, and its Drop code may call in.
        let _here = self.enter();
        let waker = MainWaker::new(state.id);
        let mut future = pin!(Some(future));
        let mut report = Some(report);
        let _main = MainGuard::new(&state);
        let mut poll_main = || {
            // A panic in it ends it as well: it is never polled again.
            let finished = MainFinished(&state, until);
            let Some(running) = future.as_mut().as_pin_mut() else { return Ok(()) };
            match waker.poll(|cx| running.poll(cx)) {
                Poll::Pending => {
                    std::mem::forget(finished);
                    Ok(())
                }
                Poll::Ready(output) => {
                    future.set(None);
                    report.take().map_or(Ok(()), |report| report(output))
                }
            }
        };
        let mut is_started = false;
        self.drive(Some(MainFuture { poll: &mut poll_main, waker: &waker }), |d| {
            if !std::mem::replace(&mut is_started, true) {
                script(d, |d| d.poll_main())?;
            }
            run_to_the_end(d, until)
        })
    }
}

/// Marks what `run` does as the main script.
fn script(d: &mut Dispatcher<'_>, run: impl FnOnce(&mut Dispatcher<'_>) -> Flow) -> Flow {
    d.state().progress.set_stage(Stage::Script);
    run(d)?;
    d.state().progress.set_stage(Stage::Callback);
    Ok(())
}

/// The loop has a main future, until this is dropped.
struct MainGuard<'a>(&'a State);

impl<'a> MainGuard<'a> {
    fn new(state: &'a State) -> Self {
        state.live.main.set(Main::Unfinished);
        Self(state)
    }
}

impl Drop for MainGuard<'_> {
    fn drop(&mut self) {
        self.0.live.main.set(Main::None);
        self.0.executor.forget_main();
    }
}

/// Dropped when a poll of the main future was its last.
struct MainFinished<'a>(&'a State, Until);

impl Drop for MainFinished<'_> {
    fn drop(&mut self) {
        self.0.live.main.set(match self.1 {
            // What goes on runs as if there had been none: poll may block.
            Until::NotAlive => Main::None,
            Until::MainIsDone => Main::Finished,
        });
    }
}

/// Awaits `future` and catches its panic, but not the unwinding of `exit`.
async fn catch<F: Future>(
    mut future: Pin<&mut F>,
) -> std::result::Result<F::Output, Box<dyn Any + Send>> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) if payload.is::<ExitPayload>() => resume_unwind(payload),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
