//! The main future as the executor sees it: queued like a task, though it is none.
//!
//! It need not be `'static`, so the loop polls it by reference, and it has no memory of its own in `raw`.

use super::coop::{self, OnePoll, SelfWake, SelfWakes};
use super::executor::{Executor, Microtask, Woken};

/// What a task's flags are, for the main future.
#[derive(Debug, Default)]
pub(super) struct MainState {
    is_queued: bool,
    is_running: bool,
    woken_while_running: Option<SelfWake>,
    self_wakes: SelfWakes,
}

impl Executor {
    /// The main future's waker was called at home.
    pub(crate) fn wake_main(&self) {
        let meaning = coop::this_wake();
        let queue = self.main.with(|main| {
            if main.is_running {
                main.woken_while_running = main.woken_while_running.max_with(meaning);
                false
            } else {
                !std::mem::replace(&mut main.is_queued, true)
            }
        });
        if queue {
            self.push(Microtask::Future(Woken::Main));
        }
    }

    /// Runs `poll`, one poll of the main future, with its budget and its wakes counted.
    pub(crate) fn run_main<R>(&self, poll: impl FnOnce() -> R) -> R {
        struct Finish<'a>(&'a Executor);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.main_returned();
            }
        }
        self.main.with(|main| {
            main.is_queued = false;
            main.is_running = true;
        });
        let _finish = Finish(self);
        let _poll = OnePoll::begin();
        poll()
    }

    fn main_returned(&self) {
        let checkpoint = self.checkpoint.get();
        let is_over = self.main.with(|main| {
            main.is_running = false;
            let meaning = main.woken_while_running.take()?;
            main.is_queued = true;
            Some(main.self_wakes.is_over_limit(meaning, checkpoint))
        });
        match is_over {
            Some(true) => self.defer(Woken::Main),
            Some(false) => self.push(Microtask::Future(Woken::Main)),
            None => {}
        }
    }

    /// The main future is done or dropped: a wake that comes late means nothing.
    pub(crate) fn forget_main(&self) {
        self.main.with(|main| *main = MainState::default());
    }
}

/// Picks the stronger meaning when main woke itself several times in one poll.
trait MaxWith {
    fn max_with(self, meaning: SelfWake) -> Self;
}

impl MaxWith for Option<SelfWake> {
    fn max_with(self, meaning: SelfWake) -> Self {
        match (self, meaning) {
            (Some(SelfWake::Deferred), _) | (_, SelfWake::Deferred) => Some(SelfWake::Deferred),
            // A plain wake beside a yield: it asked for no more than the yield does.
            (Some(SelfWake::Yielding), _) | (_, SelfWake::Yielding) => Some(SelfWake::Yielding),
            _ => Some(SelfWake::Plain),
        }
    }
}
