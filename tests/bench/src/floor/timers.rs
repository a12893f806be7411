//! The timers: a sort, a wheel that nobody turns, a store.

use std::hint::black_box;
use std::io::{Error, Result};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::delays::Delays;
use crate::report::{check_done, each};

/// Deadlines in a list, which is sorted once.
pub(super) fn fire(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut delays = Delays::ms(1..=1000);
    let mut timers: Vec<(Duration, u64)> = Vec::new();
    let start = Instant::now();
    for number in 0..count {
        timers.push((delays.draw(), number));
    }
    each("timers_insert", start, count, "timer");

    sleep(Duration::from_millis(1100));
    let start = Instant::now();
    timers.sort_unstable();
    let mut fired = 0;
    for timer in &timers {
        black_box(timer);
        fired += 1;
    }
    each("timers_fire", start, count, "timer");
    check_done(fired, count)
}

/// A wheel with a slot for each millisecond of the longest delay.
struct Wheel {
    heads: Vec<u32>,
    nodes: Vec<Node>,
}

#[derive(Clone)]
struct Node {
    previous: u32,
    next: u32,
    slot: u32,
}

const NOBODY: u32 = u32::MAX;

impl Wheel {
    fn new(slots: usize, timers: usize) -> Self {
        let node = Node { previous: NOBODY, next: NOBODY, slot: 0 };
        Self { heads: vec![NOBODY; slots], nodes: vec![node; timers] }
    }

    fn insert(&mut self, timer: u32, slot: usize) {
        let next = std::mem::replace(&mut self.heads[slot], timer);
        if next != NOBODY {
            self.nodes[next as usize].previous = timer;
        }
        self.nodes[timer as usize] = Node { previous: NOBODY, next, slot: slot as u32 };
    }

    fn remove(&mut self, timer: u32) {
        let Node { previous, next, slot } = self.nodes[timer as usize].clone();
        match previous {
            NOBODY => self.heads[slot as usize] = next,
            previous => self.nodes[previous as usize].next = next,
        }
        if next != NOBODY {
            self.nodes[next as usize].previous = previous;
        }
    }
}

pub(super) fn churn(args: &Args) -> Result<()> {
    const LONGEST_MS: usize = 61_000;
    let (count, live): (u64, u32) = (args.value("n")?, args.value("live")?);
    let mut delays = Delays::ms(1_000..=LONGEST_MS as u64);
    let mut draw = || delays.draw().as_millis() as usize;
    let mut wheel = Wheel::new(LONGEST_MS + 1, live as usize);
    (0..live).for_each(|timer| wheel.insert(timer, draw()));
    let start = Instant::now();
    for timer in (0..live).cycle().take(usize::try_from(count).map_err(Error::other)?) {
        wheel.remove(timer);
        wheel.insert(timer, draw());
    }
    each("timers_churn", start, count, "insert+cancel");
    black_box(&wheel.heads);
    Ok(())
}

/// The new deadline is noted; the old place finds out when its time comes.
pub(super) fn rearm(args: &Args) -> Result<()> {
    const DELAY: Duration = Duration::from_secs(30);
    let (count, live): (u64, usize) = (args.value("n")?, args.value("live")?);
    let now = Instant::now();
    let mut deadlines = vec![now + DELAY; live];
    let start = Instant::now();
    for timer in (0..live).cycle().take(usize::try_from(count).map_err(Error::other)?) {
        *black_box(&mut deadlines[timer]) = now + DELAY;
    }
    each("timers_rearm", start, count, "rearm");
    Ok(())
}
