//! What `#[runtime::main]` and `#[runtime::test]` expand to. Not for use by hand.

use std::error::Error;
use std::future::Future;
use std::panic::resume_unwind;
use std::process::ExitCode;

use crate::base::Clock;
use crate::error::{Never, Result, Uncaught};
use crate::event_loop::{Builder, Fatal, Loop, Until};

/// What a main may return.
#[diagnostic::on_unimplemented(
    message = "`main` returns `()`, a `Result` or an `ExitCode`, not `{Self}`",
    label = "`main` returns `{Self}`",
    note = "the error of a `Result` must convert into `Box<dyn std::error::Error>`",
    note = "a main that returns a future is written as `async fn main`"
)]
pub trait Report {
    #[doc(hidden)]
    fn report(self) -> Result<ExitCode>;
}

impl Report for () {
    fn report(self) -> Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}

impl Report for ExitCode {
    fn report(self) -> Result<ExitCode> {
        Ok(self)
    }
}

impl Report for Never {
    fn report(self) -> Result<ExitCode> {
        self
    }
}

impl<T: Report, E: Into<Box<dyn Error>>> Report for Result<T, E> {
    fn report(self) -> Result<ExitCode> {
        self.map_err(Into::into)?.report()
    }
}

/// Node's exit code for a main that can never be done.
const UNSETTLED_MAIN: u8 = 13;
/// Rust's exit code for a panic.
const PANICKED: i32 = 101;

/// Runs a program's main.
#[derive(Debug)]
pub struct Main {
    builder: Builder,
    until: Until,
}

impl Main {
    #[expect(clippy::new_without_default, reason = "called by a macro only")]
    /// On a loop with the defaults.
    pub fn new() -> Self {
        Self::with_builder(Builder::new())
    }

    /// On the loop that `builder` makes.
    pub fn with_builder(builder: Builder) -> Self {
        Self { builder, until: Until::NotAlive }
    }

    /// Ends the program with `main`, whatever is alive.
    pub fn exit_with_main(self) -> Self {
        Self { until: Until::MainIsDone, ..self }
    }

    /// Runs a plain `main` as the main script, then the loop: a future that is done at its first poll.
    pub fn run<R: Report>(self, main: impl FnOnce() -> R) -> ExitCode {
        self.run_async(|| async { main() })
    }

    /// Runs with the future that `main` makes as the main future.
    pub fn run_async<F: Future<Output: Report>>(self, main: impl FnOnce() -> F) -> ExitCode {
        let until = self.until;
        self.drive(|lp, code| {
            let main = async { main().await.report() };
            let report = |output: Result<ExitCode>| {
                *code = output?;
                Ok(())
            };
            lp.run_main(main, report, until)
        })
    }

    fn drive(self, run: impl FnOnce(&mut Loop, &mut ExitCode) -> Result<bool, Fatal>) -> ExitCode {
        let mut lp = match self.builder.build() {
            Ok(lp) => lp,
            Err(error) => {
                eprintln!("runtime: no loop can be made: {error}");
                return ExitCode::FAILURE;
            }
        };
        let mut code = ExitCode::SUCCESS;
        let outcome = run(&mut lp, &mut code);
        let code = match outcome {
            Ok(_) => return lp.end_with(code),
            Err(Fatal::Exit) => return low_byte(lp.exit_code().unwrap_or_default()),
            Err(Fatal::Uncaught(Uncaught::Error(error))) => {
                eprintln!("Error: {error:?}");
                1
            }
            Err(Fatal::Uncaught(Uncaught::Panic(payload))) => {
                lp.tell_exit(PANICKED);
                drop(lp);
                resume_unwind(payload)
            }
            Err(Fatal::Deadlock) => {
                eprintln!(
                    "runtime: `main` waits, but nothing is left that could wake it: no handle, \
                     timer or request, and nobody holds a waker of it"
                );
                UNSETTLED_MAIN
            }
        };
        lp.tell_exit(code.into());
        ExitCode::from(code)
    }
}

/// What the system keeps of an exit code.
fn low_byte(code: i32) -> ExitCode {
    ExitCode::from((code & 0xff) as u8)
}

/// Runs a test on a loop of its own.
#[derive(Debug)]
pub struct Test {
    builder: Builder,
}

impl Test {
    #[expect(clippy::new_without_default, reason = "called by a macro only")]
    /// On a loop with the defaults.
    pub fn new() -> Self {
        Self::with_builder(Builder::new())
    }

    /// On the loop that `builder` makes.
    pub fn with_builder(builder: Builder) -> Self {
        Self { builder }
    }

    /// With a clock that jumps to the next timer.
    pub fn manual_clock(self) -> Self {
        Self { builder: self.builder.clock(Clock::manual()) }
    }

    /// Runs `test`, then the loop until nothing is alive.
    pub fn run<R>(self, test: impl FnOnce() -> R) -> R {
        let mut lp = self.builder.build().expect("a loop for the test");
        let result = {
            let _here = lp.enter();
            test()
        };
        if let Err(error) = lp.run() {
            panic!("a callback of the test failed: {error}");
        }
        result
    }

    /// Runs until `test` is done.
    pub fn run_async<F: Future>(self, test: impl FnOnce() -> F) -> F::Output {
        let mut lp = self.builder.build().expect("a loop for the test");
        lp.block_on(async { test().await })
    }
}
