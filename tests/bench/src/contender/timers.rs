//! `timers-fire`, `timers-churn` and `timers-rearm`.
//!
//! `--timer timeout` measures Node's timers (`set_timeout`), `--timer handle` libuv's ([`Timer`]). Where it is
//! not given, `timers-fire` takes Node's: each timer is made for its one time. The other two take libuv's, since
//! the peers' timers count from a time their loop has read as well; Node's read the clock at each start.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{Error, Result};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use runtime::handle::Timer;
use runtime::{Loop, TimerId, ms, secs, set_timeout, set_timeout_mut};

use crate::args::Args;
use crate::delays::Delays;
use crate::report::{check_done, each};

/// Which of the two kinds of timers is measured.
enum Which {
    Timeout,
    Handle,
}

fn which(args: &Args, default: &str) -> Result<Which> {
    match args.value_or("timer", default.to_owned())?.as_str() {
        "timeout" => Ok(Which::Timeout),
        "handle" => Ok(Which::Handle),
        other => Err(Error::other(format!("--timer {other}: timeout or handle"))),
    }
}

pub(super) fn fire(args: &Args) -> Result<()> {
    let (count, which) = (args.value("n")?, which(args, "timeout")?);
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let fired = Rc::new(Cell::new(0));
    let mut delays = Delays::ms(1..=1000);

    let start = Instant::now();
    for _ in 0..count {
        let fired = fired.clone();
        let fire = move || fired.set(fired.get() + 1);
        match which {
            Which::Timeout => drop(set_timeout(delays.draw(), fire)),
            Which::Handle => Timer::new().start(delays.draw(), None, move |_| fire())?,
        }
    }
    each("timers_insert", start, count, "timer");

    sleep(ms(1100));
    let start = Instant::now();
    lp.run()?;
    each("timers_fire", start, count, "timer");
    check_done(fired.get(), count)
}

pub(super) fn churn(args: &Args) -> Result<()> {
    let (count, live) = (args.value("n")?, args.value("live")?);
    let lp = Loop::new()?;
    let _here = lp.enter();
    match which(args, "handle")? {
        Which::Timeout => churn_timeouts(count, live),
        Which::Handle => churn_handles(count, live),
    }
}

fn churn_timeouts(count: u64, live: usize) -> Result<()> {
    let mut delays = Delays::ms(1_000..=61_000);
    let mut timers: VecDeque<TimerId> =
        (0..live).map(|_| set_timeout(delays.draw(), || ())).collect();
    let start = Instant::now();
    for _ in 0..count {
        if let Some(oldest) = timers.pop_front() {
            oldest.clear();
        }
        timers.push_back(set_timeout(delays.draw(), || ()));
    }
    each("timers_churn", start, count, "insert+cancel");
    Ok(())
}

fn churn_handles(count: u64, live: usize) -> Result<()> {
    let mut delays = Delays::ms(1_000..=61_000);
    let timers: Vec<Timer> = (0..live).map(|_| Timer::new()).collect();
    for timer in &timers {
        timer.start(delays.draw(), None, |_| ())?;
    }
    let start = Instant::now();
    for timer in timers.iter().cycle().take(usize::try_from(count).map_err(Error::other)?) {
        timer.stop();
        timer.start(delays.draw(), None, |_| ())?;
    }
    each("timers_churn", start, count, "insert+cancel");
    Ok(())
}

pub(super) fn rearm(args: &Args) -> Result<()> {
    const DELAY: Duration = secs(30);
    let (count, live) = (args.value("n")?, args.value("live")?);
    let lp = Loop::new()?;
    let _here = lp.enter();
    match which(args, "handle")? {
        Which::Timeout => {
            let timers = (0..live).map(|_| set_timeout_mut(DELAY, |_| ())).collect();
            rearm_each(timers, count, TimerId::refresh)
        }
        Which::Handle => {
            let timers: Vec<Timer> = (0..live).map(|_| Timer::new()).collect();
            for timer in &timers {
                timer.start(DELAY, DELAY, |_| ())?;
            }
            rearm_each(timers.iter().collect(), count, |timer| timer.again().is_ok())
        }
    }
}

fn rearm_each<T: Copy>(timers: Vec<T>, count: u64, rearm: impl Fn(T) -> bool) -> Result<()> {
    let mut rearmed = 0;
    let start = Instant::now();
    for timer in timers.iter().cycle().take(usize::try_from(count).map_err(Error::other)?) {
        rearmed += u64::from(rearm(*timer));
    }
    each("timers_rearm", start, count, "rearm");
    check_done(rearmed, count)
}
