//! The tasks: boxed futures in a queue, polled in turn with a waker that does nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::Result;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::args::Args;
use crate::report::{check_done, each};

const BATCH: u64 = 1000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls all in turn until they are done.
fn run(mut tasks: VecDeque<Task>) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Some(mut task) = tasks.pop_front() {
        if task.as_mut().poll(&mut cx).is_pending() {
            tasks.push_back(task);
        }
    }
}

pub(super) fn spawn_and_run(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        let task = |_| {
            let done = done.clone();
            Box::pin(async move { done.set(done.get() + 1) }) as Task
        };
        run((batch..count.min(batch + BATCH)).map(task).collect());
    }
    each("spawn", start, count, "task");
    check_done(done.get(), count)
}

pub(super) fn yield_in_turn(args: &Args) -> Result<()> {
    let (count, tasks): (u64, u64) = (args.value("n")?, args.value("tasks")?);
    let each_yields = count / tasks;
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    run((0..tasks).map(|_| Box::pin(yield_often(each_yields, done.clone())) as Task).collect());
    each("yield", start, count, "yield");
    check_done(done.get(), each_yields * tasks)
}

async fn yield_often(count: u64, done: Rc<Cell<u64>>) {
    for _ in 0..count {
        let mut is_over = false;
        poll_fn(|_| {
            if std::mem::replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        done.set(done.get() + 1);
    }
}

type Channel = Rc<RefCell<VecDeque<u64>>>;

pub(super) fn send_to_and_fro(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asked, answered) = (Channel::default(), Channel::default());
    let right = Rc::new(Cell::new(0));
    let start = Instant::now();
    run(VecDeque::from([
        Box::pin(ask(count, asked.clone(), answered.clone(), right.clone())) as Task,
        Box::pin(answer(count, asked, answered)),
    ]));
    each("chan_rtt", start, count, "roundtrip");
    check_done(right.get(), count)
}

async fn ask(count: u64, asked: Channel, answered: Channel, right: Rc<Cell<u64>>) {
    for number in 0..count {
        asked.borrow_mut().push_back(number);
        right.set(right.get() + u64::from(receive(&answered).await == number));
    }
}

async fn answer(count: u64, asked: Channel, answered: Channel) {
    for _ in 0..count {
        let number = receive(&asked).await;
        answered.borrow_mut().push_back(number);
    }
}

async fn receive(channel: &Channel) -> u64 {
    poll_fn(|_| match channel.borrow_mut().pop_front() {
        Some(number) => Poll::Ready(number),
        None => Poll::Pending,
    })
    .await
}
