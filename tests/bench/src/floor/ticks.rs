//! `ticks` and `queue`: boxed closures in a queue; for an iteration a wait that finds nothing.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::Result;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::epoll::Epoll;
use crate::args::Args;
use crate::report::{check_done, each};

const BATCH: u64 = 1000;

/// What is called may queue more.
type Call = Box<dyn FnOnce(&mut Queue)>;

#[derive(Default)]
struct Queue(VecDeque<Call>);

impl Queue {
    fn push(&mut self, call: impl FnOnce(&mut Self) + 'static) {
        self.0.push_back(Box::new(call));
    }

    fn drain(&mut self) -> Result<()> {
        while let Some(call) = self.0.pop_front() {
            call(self);
        }
        Ok(())
    }
}

pub(super) fn ticks(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    // One queue is as good as another here.
    for name in ["nexttick_chain", "microtask_chain"] {
        if args.wants(name) {
            chain(name, "tick", count, Queue::drain)?;
        }
    }
    if args.wants("nexttick_batch") {
        batch("nexttick_batch", "tick", count, Queue::drain)?;
    }
    let mut epoll = Epoll::new()?;
    let mut iterate = move |queue: &mut Queue| {
        for _ in 0..queue.0.len() {
            let call = queue.0.pop_front().expect("it is as long as it was");
            call(queue);
        }
        epoll.wait(Some(Duration::ZERO)).map(drop)
    };
    if args.wants("immediate_chain") {
        chain("immediate_chain", "iteration", count, &mut iterate)?;
    }
    if args.wants("immediate_batch") {
        batch("immediate_batch", "immediate", count, &mut iterate)?;
    }
    Ok(())
}

/// As `ticks`; the last of a batch queues the next.
pub(super) fn queue(args: &Args) -> Result<()> {
    let (count, length): (u64, u64) = (args.value("n")?, args.value("length")?);
    for (name, unit) in [("queue_tick", "tick"), ("queue_microtask", "microtask")] {
        let (mut queue, done) = (Queue::default(), Rc::new(Cell::new(0)));
        let start = Instant::now();
        queue_batch(&mut queue, done.clone(), count, length);
        queue.drain()?;
        each(name, start, count, unit);
        check_done(done.get(), count)?;
    }
    Ok(())
}

fn queue_batch(queue: &mut Queue, done: Rc<Cell<u64>>, count: u64, length: u64) {
    for _ in 0..length.min(count - done.get()) {
        let done = done.clone();
        queue.push(move |queue| {
            done.set(done.get() + 1);
            if done.get().is_multiple_of(length) {
                queue_batch(queue, done, count, length);
            }
        });
    }
}

fn chain(
    name: &str,
    unit: &str,
    count: u64,
    mut pass: impl FnMut(&mut Queue) -> Result<()>,
) -> Result<()> {
    let (mut queue, left) = (Queue::default(), Rc::new(Cell::new(count)));
    let start = Instant::now();
    link(&mut queue, left.clone());
    while left.get() > 0 {
        pass(&mut queue)?;
    }
    each(name, start, count, unit);
    Ok(())
}

/// A call that queues the next, while some are left.
fn link(queue: &mut Queue, left: Rc<Cell<u64>>) {
    queue.push(move |queue| {
        left.set(left.get() - 1);
        if left.get() > 0 {
            link(queue, left);
        }
    });
}

fn batch(
    name: &str,
    unit: &str,
    count: u64,
    mut pass: impl FnMut(&mut Queue) -> Result<()>,
) -> Result<()> {
    let mut queue = Queue::default();
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        for _ in batch..count.min(batch + BATCH) {
            let done = done.clone();
            queue.push(move |_| done.set(done.get() + 1));
        }
        pass(&mut queue)?;
    }
    each(name, start, count, unit);
    check_done(done.get(), count)
}
