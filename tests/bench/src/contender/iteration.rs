//! `loop`: iterations in which nothing happens.

use std::io::Result;
use std::time::Instant;

use runtime::Loop;
use runtime::net::TcpListener;

use crate::args::Args;
use crate::report::{check_done, each};

pub(super) fn empty(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    // So that there is something to wait for.
    TcpListener::bind("127.0.0.1:0")?.listen(|_, _| ());
    let mut done = 0;
    let start = Instant::now();
    for _ in 0..count {
        done += u64::from(lp.run_nowait()?);
    }
    each("loop_nowait", start, count, "iteration");
    check_done(done, count)
}
