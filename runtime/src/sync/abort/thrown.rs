//! What listeners throw.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Result, Uncaught};
use crate::event_loop::try_current;
use crate::task::ExitPayload;

/// What listeners threw and no loop could be told: the first of it.
#[derive(Default)]
pub(super) struct Thrown(Option<Uncaught>);

impl Thrown {
    pub(super) fn guard(&mut self, f: impl FnOnce() -> Result) {
        let thrown = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Uncaught::Error(error),
            Err(payload) if payload.is::<ExitPayload>() => resume_unwind(payload),
            Err(payload) => Uncaught::Panic(payload),
        };
        match try_current().filter(|lp| lp.state().is_open()) {
            // From a tick, as Node does: the next listener is called first.
            Some(lp) => lp.next_tick(move || throw(thrown)),
            None if self.0.is_none() => self.0 = Some(thrown),
            // A panic carries one.
            None => {}
        }
    }

    /// All were told.
    pub(super) fn raise(self) {
        match self.0 {
            // A second panic while one unwinds would abort the process.
            Some(thrown) if !std::thread::panicking() => {
                if let Err(error) = throw(thrown) {
                    panic!("an abort listener failed where there is no loop to tell: {error}");
                }
            }
            _ => {}
        }
    }
}

fn throw(thrown: Uncaught) -> Result {
    match thrown {
        Uncaught::Error(error) => Err(error),
        Uncaught::Panic(payload) => resume_unwind(payload),
    }
}
