//! `queue`: ticks and microtasks, so many queued at a time.
//!
//! The last of each batch queues the next, so that nothing else runs between them.

use std::cell::Cell;
use std::io::Result;
use std::rc::Rc;
use std::time::Instant;

use runtime::{Loop, next_tick, queue_microtask};

use crate::args::Args;
use crate::report::{check_done, each};

pub(super) fn queue(args: &Args) -> Result<()> {
    let (count, length) = (args.value("n")?, args.value("length")?);
    measure("queue_tick", "tick", count, length, tick_batch)?;
    measure("queue_microtask", "microtask", count, length, microtask_batch)
}

/// What there is to do.
struct Batches {
    count: u64,
    length: u64,
    done: Cell<u64>,
}

fn measure(
    name: &str,
    unit: &str,
    count: u64,
    length: u64,
    queue_batch: fn(&Rc<Batches>),
) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let batches = Rc::new(Batches { count, length, done: Cell::new(0) });
    let start = Instant::now();
    queue_batch(&batches);
    lp.run()?;
    each(name, start, count, unit);
    check_done(batches.done.get(), count)
}

fn tick_batch(batches: &Rc<Batches>) {
    for _ in 0..batches.next_length() {
        let batches = batches.clone();
        next_tick(move || {
            if batches.count_one() {
                tick_batch(&batches);
            }
        });
    }
}

fn microtask_batch(batches: &Rc<Batches>) {
    for _ in 0..batches.next_length() {
        let batches = batches.clone();
        queue_microtask(move || {
            if batches.count_one() {
                microtask_batch(&batches);
            }
        });
    }
}

impl Batches {
    fn next_length(&self) -> u64 {
        self.length.min(self.count - self.done.get())
    }

    /// Says whether that was the last of its batch.
    fn count_one(&self) -> bool {
        self.done.set(self.done.get() + 1);
        self.done.get().is_multiple_of(self.length)
    }
}
