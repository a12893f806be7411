//! `ticks`, the second half: immediates, one for each iteration or many.

use std::cell::Cell;
use std::io::Result;
use std::rc::Rc;
use std::time::Instant;

use runtime::{Loop, set_immediate};

use super::ticks::BATCH;
use crate::args::Args;
use crate::report::{check_done, each};

pub(super) fn immediates(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    if args.wants("immediate_chain") {
        chain(count)?;
    }
    if args.wants("immediate_batch") {
        batch(count)?;
    }
    Ok(())
}

fn chain(count: u64) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let left = Rc::new(Cell::new(count));
    let start = Instant::now();
    immediate_after_immediate(left.clone());
    lp.run()?;
    each("immediate_chain", start, count, "iteration");
    check_done(count - left.get(), count)
}

fn immediate_after_immediate(left: Rc<Cell<u64>>) {
    set_immediate(move || {
        left.set(left.get() - 1);
        if left.get() > 0 {
            immediate_after_immediate(left);
        }
    });
}

fn batch(count: u64) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        for _ in batch..count.min(batch + BATCH) {
            let done = done.clone();
            set_immediate(move || done.set(done.get() + 1));
        }
        lp.run_nowait()?;
    }
    each("immediate_batch", start, count, "immediate");
    check_done(done.get(), count)
}
