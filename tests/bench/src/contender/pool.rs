//! `pool` and `pool-spin`: jobs for four threads, empty ones or of a size.

use std::io::Result;
use std::time::Instant;

use runtime::{Loop, spawn_blocking};

use super::flight;
use crate::args::{Api, Args};
use crate::report::{percentiles, rate};
use crate::spin;

const THREADS: usize = 4;

pub(super) fn pool(args: &Args) -> Result<()> {
    let mut lp = Loop::builder().pool_threads(THREADS).build()?;
    let _here = lp.enter();
    let (count, width): (u64, u64) = (args.value("n")?, args.value("inflight")?);
    let (api, one_at_a_time): (Api, u64) = (args.api()?, args.value("lat")?);

    run(&mut lp, api, 1000.min(count), width)?; // the threads start
    let start = Instant::now();
    run(&mut lp, api, count, width)?;
    rate("pool_throughput", start, count, "ops");

    let mut samples = Vec::new();
    for _ in 0..one_at_a_time {
        let start = Instant::now();
        run(&mut lp, api, 1, 1)?;
        samples.push(start.elapsed());
    }
    percentiles("pool_rtt", samples);
    Ok(())
}

pub(super) fn spin(args: &Args) -> Result<()> {
    let mut lp = Loop::builder().pool_threads(THREADS).build()?;
    let _here = lp.enter();
    let (count, width): (u64, u64) = (args.value("n")?, args.value("inflight")?);
    let turns = args.value("turns")?;

    run(&mut lp, args.api()?, 1000.min(count), width)?; // the threads start
    let start = Instant::now();
    match args.api()? {
        Api::Callback => flight::by_callbacks(&mut lp, count, width, move |_, landing| {
            spawn_blocking(move || spin::spin(turns)).callback(|_| landing.done());
        })?,
        Api::Future => flight::by_futures(&mut lp, count, width, async move |_| {
            spawn_blocking(move || spin::spin(turns)).await.expect("a job that ends");
        })?,
    }
    rate("pool_spin", start, count, "ops");
    Ok(())
}

fn run(lp: &mut Loop, api: Api, count: u64, width: u64) -> Result<()> {
    match api {
        Api::Callback => flight::by_callbacks(lp, count, width, |_, landing| {
            spawn_blocking(|| ()).callback(|_| landing.done());
        }),
        Api::Future => flight::by_futures(lp, count, width, async |_| {
            spawn_blocking(|| ()).await.expect("an empty job");
        }),
    }
}
