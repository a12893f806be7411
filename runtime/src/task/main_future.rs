//! The main future as the executor sees it: queued like a task, though it is none.
//!
//! It need not be `'static`, so the loop polls it by reference, and it has no memory of its own in `raw`.

use super::coop::{OnePoll, SelfWake, SelfWakes};
use super::executor::{Executor, Microtask, Woken};

/// What a task's flags are, for the main future.
#[derive(Debug, Default)]
pub(super) struct MainState {
    is_queued: bool,
    is_running: bool,
    was_woken: bool,
    self_wakes: SelfWakes,
}

impl Executor {
    /// The main future's waker was called at home.
    pub(crate) fn wake_main(&self) {
        let queue = self.main.with(|main| {
            main.was_woken |= main.is_running;
            !main.is_running && !std::mem::replace(&mut main.is_queued, true)
        });
        if queue {
            self.push(Microtask::Future(Woken::Main));
        }
    }

    /// Runs `poll`, one poll of the main future, with its budget and its wakes counted.
    pub(crate) fn run_main<R>(&self, poll: impl FnOnce() -> R) -> R {
        struct Finish<'a>(&'a Executor, OnePoll);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.main_returned(self.1.said());
            }
        }
        self.main.with(|main| {
            main.is_queued = false;
            main.is_running = true;
        });
        let _finish = Finish(self, OnePoll::begin());
        poll()
    }

    fn main_returned(&self, said: SelfWake) {
        let checkpoint = self.checkpoint.get();
        let is_over = self.main.with(|main| {
            main.is_running = false;
            main.is_queued = std::mem::take(&mut main.was_woken);
            main.is_queued.then(|| main.self_wakes.is_over_limit(said, checkpoint))
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
