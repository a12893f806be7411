//! The life of the program: what is told before its end, and what nobody caught.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use super::{Loop, LoopRef, State, current};
use crate::base::{CallbackSlot, Guarded};
use crate::error::{Outcome, Result, Uncaught};
use crate::task::ExitPayload;

pub(super) type OnError = dyn FnMut(Uncaught) -> Result;
type BeforeExit = Box<dyn FnMut() -> Result>;
type OnExit = Box<dyn FnOnce(i32)>;

/// What was installed to be called on such occasions.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) before_exit: Guarded<Vec<BeforeExit>>,
    pub(super) on_exit: Guarded<Vec<OnExit>>,
    pub(super) uncaught: CallbackSlot<OnError>,
    pub(super) unhandled: CallbackSlot<OnError>,
}

/// Calls `f` each time [`Loop::run`](crate::Loop::run) finds that nothing is alive any more. If `f`
/// starts something the loop goes on, and calls `f` again when that is over.
///
/// Not called after [`exit`] or a fatal error, nor by `run_once` and `run_nowait`.
///
/// # Ordering
/// All such callbacks run one after the other, then come ticks and microtasks.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// fn main() {
///     runtime::before_exit(|| println!("nothing is left to do"));
/// }
/// ```
#[track_caller]
pub fn before_exit<R: Outcome>(mut f: impl FnMut() -> R + 'static) {
    let lp = current();
    let state = lp.state();
    if state.is_open() {
        let f: BeforeExit = Box::new(move || f().into_result());
        state.hooks.before_exit.with(|all| all.push(f));
    }
}

/// Calls `f` with the exit code as the very last thing, on every way out but an abort: the end of the
/// loop, [`exit`], an error, a panic.
///
/// What `f` starts or queues never runs.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn on_exit(f: impl FnOnce(i32) + 'static) {
    let lp = current();
    let state = lp.state();
    if state.is_open() {
        state.hooks.on_exit.with(|all| all.push(Box::new(f)));
    }
}

/// Calls `f` with every error that leaves a callback, be it an `Err` or a panic, and the loop goes
/// on. Without it such an error ends [`Loop::run`](crate::Loop::run). A second call replaces `f`.
///
/// # Ordering
/// `f` runs at the point of the error, before anything else. What the failed callback had queued
/// runs after the next callback, as in Node; so that there is one, the loop also gets an empty
/// immediate.
///
/// An error of `f` itself ends the run.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// #[runtime::main]
/// fn main() {
///     runtime::on_uncaught(|error| eprintln!("uncaught: {error}"));
///     runtime::set_timeout(runtime::ms(1), || -> runtime::Result { Err("broken".into()) });
///     runtime::set_timeout(runtime::ms(2), || println!("still here"));
/// }
/// ```
#[track_caller]
pub fn on_uncaught<R: Outcome>(mut f: impl FnMut(Uncaught) -> R + 'static) {
    let lp = current();
    if lp.state().is_open() {
        drop(lp.state().hooks.uncaught.set(Box::new(move |error| f(error).into_result())));
    }
}

/// Calls `f` with every failure of a task or request that nobody can see any more: the panic of a task
/// whose handle was dropped, the error of what was let go by `detach`. Without it such a failure is
/// an uncaught error. A second call replaces `f`.
///
/// # Ordering
/// At the end of the checkpoint in which it happened, when ticks and microtasks are done: where Node
/// reports unhandled rejections.
///
/// # Panics
/// If this thread has no current loop.
#[track_caller]
pub fn on_unhandled<R: Outcome>(mut f: impl FnMut(Uncaught) -> R + 'static) {
    let lp = current();
    if lp.state().is_open() {
        drop(lp.state().hooks.unhandled.set(Box::new(move |error| f(error).into_result())));
    }
}

/// Ends the program: calls what [`on_exit`] installed, at once, and unwinds to the top of
/// [`Loop::run`](crate::Loop::run), which returns. Nothing else runs, queued ticks included.
///
/// `#[runtime::main]` then exits with `code`; an embedder asks
/// [`exit_code`](LoopRef::exit_code). The unwinding is no panic: no message is printed. A
/// `catch_unwind` that swallows it does not save the loop, which ends after that callback.
///
/// Called in a Drop while a panic unwinds, it ends the process at once, since a second unwinding
/// would abort it. Called in a callback of `on_exit` it changes the code, and those after it are not
/// called, as in Node.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```no_run
/// #[runtime::main]
/// fn main() {
///     runtime::on_exit(|code| println!("leaving with {code}"));
///     runtime::set_timeout(runtime::ms(10), || runtime::exit(3));
/// }
/// ```
#[track_caller]
pub fn exit(code: i32) -> ! {
    let lp = current();
    let state = lp.state();
    // Called by what `on_exit` installed it only changes the code.
    if state.begin_exit(code).is_none() {
        state.emit_exit(code);
    }
    if std::thread::panicking() {
        std::process::exit(state.exiting.get().unwrap_or(code));
    }
    drop(lp);
    resume_unwind(Box::new(ExitPayload))
}

impl LoopRef {
    /// The code that [`exit`] was called with, if it was.
    pub fn exit_code(&self) -> Option<i32> {
        self.state().exiting.get()
    }
}

impl Loop {
    /// The program ends with `code`: tells those that asked by `on_exit`, unless they were told.
    pub(crate) fn tell_exit(&self, code: i32) {
        let _here = self.enter();
        if self.exit_code().is_none() {
            self.state().emit_exit(code);
        }
    }

    /// The program ends by itself.
    pub(crate) fn end_with(self, code: ExitCode) -> ExitCode {
        // What an `ExitCode` holds can't be read, only compared.
        let number = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
        self.tell_exit(number.map_or(0, i32::from));
        match self.exit_code() {
            Some(other) if Some(other) != number.map(i32::from) => {
                ExitCode::from((other & 0xff) as u8)
            }
            _ => code,
        }
    }
}

impl State {
    /// Calls what `on_exit` installed, once.
    pub(super) fn emit_exit(&self, code: i32) {
        self.begin_exit(self.exiting.get().unwrap_or(code));
        let mut panic = None;
        for callback in self.hooks.on_exit.take() {
            match catch_unwind(AssertUnwindSafe(|| callback(code))) {
                Ok(()) => {}
                Err(payload) if payload.is::<ExitPayload>() => break,
                // The others are told all the same.
                Err(payload) => panic = panic.or(Some(payload)),
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// The callbacks for one emission; what is installed meanwhile is kept for the next.
    pub(super) fn take_before_exit(&self) -> Vec<BeforeExit> {
        self.hooks.before_exit.take()
    }

    pub(super) fn put_back_before_exit(&self, mut callbacks: Vec<BeforeExit>) {
        self.hooks.before_exit.with(|all| {
            callbacks.append(all);
            *all = callbacks;
        });
    }
}
