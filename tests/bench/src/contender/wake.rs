//! `wake`: another thread and a loop that waits in its poll.

use std::cell::{Cell, RefCell};
use std::io::Result;
use std::mem::take;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Loop;
use runtime::handle::Async;

use crate::args::Args;
use crate::report::{check_done, percentiles, rate};

/// Long enough for the loop to be asleep again.
const PAUSE: Duration = Duration::from_micros(100);

pub(super) fn wake(args: &Args) -> Result<()> {
    latency(args.value("n")?)?;
    messages(args.value("msgs")?)
}

/// One way: from before the send to the callback.
fn latency(count: u64) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let samples = Rc::<RefCell<Vec<Duration>>>::default();
    let (sending, sent) = mpsc::channel::<Instant>();
    let (telling, told) = mpsc::channel();
    let sender = {
        let samples = samples.clone();
        Async::new(move |_| {
            for sent in sent.try_iter() {
                samples.borrow_mut().push(sent.elapsed());
                // The other thread may be gone: it does not wait for the last answer.
                let _ = telling.send(());
            }
        })
        .sender()
    };
    let other = thread::spawn(move || {
        for _ in 0..count {
            thread::sleep(PAUSE);
            sending.send(Instant::now()).expect("the loop has the receiver");
            sender.send().expect("the loop is there");
            told.recv().expect("the loop has the sender");
        }
    });
    lp.run()?;
    other.join().expect("it does not panic");
    check_done(samples.borrow().len() as u64, count)?;
    percentiles("wake_latency", samples.take());
    Ok(())
}

/// Messages as fast as they can be sent, through a queue beside the handle.
fn messages(count: u64) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let queue = Arc::new(Mutex::new(Vec::new()));
    let in_order = Rc::new(Cell::new(0));
    let sender = {
        let (queue, in_order) = (queue.clone(), in_order.clone());
        Async::new(move |_| {
            let messages: Vec<u64> =
                take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
            for message in messages {
                in_order.set(in_order.get() + u64::from(message == in_order.get()));
            }
        })
        .sender()
    };
    let start = Instant::now();
    let other = thread::spawn(move || {
        for message in 0..count {
            queue.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            sender.send().expect("the loop is there");
        }
    });
    lp.run()?;
    rate("wake_msgs", start, count, "msgs");
    other.join().expect("it does not panic");
    check_done(in_order.get(), count)
}
