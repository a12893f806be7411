//! `ticks`, the first half: ticks and microtasks, each queued by the one before or many at once.

use std::cell::Cell;
use std::io::Result;
use std::rc::Rc;
use std::time::Instant;

use runtime::{Loop, next_tick, queue_microtask};

use crate::args::Args;
use crate::report::{check_done, each};

pub(super) const BATCH: u64 = 1000;

pub(super) fn ticks(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    if args.wants("nexttick_chain") {
        chain("nexttick_chain", count, tick_after_tick)?;
    }
    if args.wants("nexttick_batch") {
        batch("nexttick_batch", count)?;
    }
    if args.wants("microtask_chain") {
        chain("microtask_chain", count, microtask_after_microtask)?;
    }
    Ok(())
}

fn chain(name: &str, count: u64, start_chain: fn(Rc<Cell<u64>>)) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let left = Rc::new(Cell::new(count));
    let start = Instant::now();
    start_chain(left.clone());
    lp.run()?;
    each(name, start, count, "tick");
    check_done(count - left.get(), count)
}

fn tick_after_tick(left: Rc<Cell<u64>>) {
    next_tick(move || {
        left.set(left.get() - 1);
        if left.get() > 0 {
            tick_after_tick(left);
        }
    });
}

fn microtask_after_microtask(left: Rc<Cell<u64>>) {
    queue_microtask(move || {
        left.set(left.get() - 1);
        if left.get() > 0 {
            microtask_after_microtask(left);
        }
    });
}

fn batch(name: &str, count: u64) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        for _ in batch..count.min(batch + BATCH) {
            let done = done.clone();
            next_tick(move || done.set(done.get() + 1));
        }
        lp.run_nowait()?;
    }
    each(name, start, count, "tick");
    check_done(done.get(), count)
}
