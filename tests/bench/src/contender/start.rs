//! `start`: from nothing to the first callback of a new loop.

use std::cell::Cell;
use std::io::Result;
use std::rc::Rc;
use std::time::Instant;

use runtime::{Loop, set_immediate};

use crate::args::Args;
use crate::report::start_up;

pub(super) fn start(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut samples = Vec::new();
    for _ in 0..count {
        let (start, first) = (Instant::now(), Rc::new(Cell::new(None)));
        let mut lp = Loop::new()?;
        let _here = lp.enter();
        set_immediate({
            let first = first.clone();
            move || first.set(Some(start.elapsed()))
        });
        lp.run()?;
        samples.extend(first.get());
    }
    start_up(samples, count)
}
