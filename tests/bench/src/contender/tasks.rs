//! `spawn`, `yield` and `chan`: tasks that never wait for the system.

use std::cell::Cell;
use std::io::Result;
use std::rc::Rc;
use std::time::Instant;

use local_channel::mpsc::{Receiver, Sender, channel};
use runtime::{Loop, spawn, yield_microtask};

use crate::args::Args;
use crate::report::{check_done, each};

const BATCH: u64 = 1000;

pub(super) fn spawn_and_run(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    Loop::new()?
        .block_on(async {
            for batch in (0..count).step_by(BATCH as usize) {
                let end = count.min(batch + BATCH);
                for _ in batch..end {
                    let done = done.clone();
                    spawn(async move { done.set(done.get() + 1) });
                }
                // The shortest way here: behind all of them in the queue, so they have run when this goes on.
                // The shortest of the peers is to await the last, since their main is in no queue.
                yield_microtask().await;
                check_done(done.get(), end)?;
            }
            Ok(())
        })
        .inspect(|()| each("spawn", start, count, "task"))
}

pub(super) fn yield_in_turn(args: &Args) -> Result<()> {
    let (count, tasks): (u64, u64) = (args.value("n")?, args.value("tasks")?);
    let each_yields = count / tasks;
    let done = Rc::new(Cell::new(0));
    let start = Instant::now();
    Loop::new()?.block_on(async {
        let all: Vec<_> =
            (0..tasks).map(|_| spawn(yield_often(each_yields, done.clone()))).collect();
        for task in all {
            task.await.expect("it does not panic");
        }
    });
    each("yield", start, count, "yield");
    check_done(done.get(), each_yields * tasks)
}

async fn yield_often(count: u64, done: Rc<Cell<u64>>) {
    for _ in 0..count {
        yield_microtask().await;
        done.set(done.get() + 1);
    }
}

pub(super) fn send_to_and_fro(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asking, asked) = channel();
    let (answering, answered) = channel();
    let start = Instant::now();
    let done = Loop::new()?.block_on(async {
        spawn(answer(asked, answering));
        spawn(ask(count, asking, answered)).await.expect("it does not panic")
    });
    each("chan_rtt", start, count, "roundtrip");
    check_done(done, count)
}

async fn ask(count: u64, asking: Sender<u64>, mut answered: Receiver<u64>) -> u64 {
    let mut right = 0;
    for number in 0..count {
        if asking.send(number).is_err() {
            break;
        }
        right += u64::from(answered.recv().await == Some(number));
    }
    right
}

async fn answer(mut asked: Receiver<u64>, answering: Sender<u64>) {
    while let Some(number) = asked.recv().await {
        if answering.send(number).is_err() {
            return;
        }
    }
}
