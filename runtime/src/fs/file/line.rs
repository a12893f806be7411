//! The line of a file: what uses its position is done one by one, in the order of the calls.
//!
//! ```text
//!   calls, on the loop             jobs, in the pool
//!   read ──▶ [ step 1 ] ◀───────── job 1: does step 1
//!   write ─▶ [ step 2 ] ◀───────── job 2: waits for who is at work; then step 2, if it is not done yet
//! ```
//!
//! A job does whatever stands before its own step as well. So none waits for a job that has not begun: it may
//! be behind others in another pool.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::open_file::OpenFile;

type Step = Box<dyn FnOnce(&OpenFile) + Send>;

#[derive(Default)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    /// Held while steps are done.
    at_work: Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    steps: VecDeque<(u64, Step)>,
    last_serial: u64,
}

/// A place in the line of a file. It is given up by dropping it.
pub(super) struct Place<T> {
    open: Arc<OpenFile>,
    serial: u64,
    result: Arc<Mutex<Option<T>>>,
}

impl<T: Send + 'static> Place<T> {
    pub(super) fn new(
        open: &Arc<OpenFile>,
        step: impl FnOnce(&OpenFile) -> T + Send + 'static,
    ) -> Self {
        let result = Arc::<Mutex<Option<T>>>::default();
        let to = result.clone();
        let step = move |open: &OpenFile| {
            let done = step(open);
            *to.lock() = Some(done);
        };
        let serial = open.line.waiting.lock().push(Box::new(step));
        Self { open: open.clone(), serial, result }
    }

    /// In the pool: does what stands before, and the step itself.
    pub(super) fn come_up(self) -> T {
        let done = self.result.lock().take();
        let done = done.or_else(|| {
            self.open.line.work(&self.open, self.serial);
            self.result.lock().take()
        });
        done.expect("the step was in the line until somebody did it")
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let step = self.open.line.waiting.lock().remove(self.serial);
        // What it holds may be large, and nothing is locked.
        drop(step);
    }
}

impl Line {
    fn work(&self, open: &OpenFile, serial: u64) {
        let _at_work = self.at_work.lock();
        loop {
            let step = self.waiting.lock().next_up_to(serial);
            let Some(step) = step else { return };
            step(open);
        }
    }
}

impl Waiting {
    fn push(&mut self, step: Step) -> u64 {
        self.last_serial += 1;
        self.steps.push_back((self.last_serial, step));
        self.last_serial
    }

    fn next_up_to(&mut self, serial: u64) -> Option<Step> {
        self.steps.front().filter(|(first, _)| *first <= serial)?;
        self.steps.pop_front().map(|(_, step)| step)
    }

    fn remove(&mut self, serial: u64) -> Option<Step> {
        let at = self.steps.binary_search_by_key(&serial, |(serial, _)| *serial).ok()?;
        self.steps.remove(at).map(|(_, step)| step)
    }
}
