//! `wake`: an eventfd, and beside it a queue under a lock.

use std::io::Result;
use std::mem::take;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

use super::epoll::Epoll;
use crate::args::Args;
use crate::report::{check_done, percentiles, rate};

/// Long enough for the loop to be asleep again.
const PAUSE: Duration = Duration::from_micros(100);

pub(super) fn wake(args: &Args) -> Result<()> {
    latency(args.value("n")?)?;
    messages(args.value("msgs")?)
}

fn latency(count: usize) -> Result<()> {
    let (event, mut epoll) = (eventfd(0, EventfdFlags::NONBLOCK)?, Epoll::new()?);
    epoll.add(&event, 0)?;
    let (sending, sent) = mpsc::channel::<Instant>();
    let (telling, told) = mpsc::channel();
    let mut samples = Vec::new();
    thread::scope(|scope| {
        let event = event.as_fd();
        scope.spawn(move || {
            for _ in 0..count {
                thread::sleep(PAUSE);
                sending.send(Instant::now()).expect("the receiver is there");
                write(event, &u64::to_ne_bytes(1)).expect("an eventfd takes it");
                told.recv().expect("the sender is there");
            }
        });
        while samples.len() < count {
            for _ in epoll.wait(None)? {
                read(event, &mut [0; 8])?;
                for sent in sent.try_iter() {
                    samples.push(sent.elapsed());
                    telling.send(()).expect("the thread waits for it");
                }
            }
        }
        Result::Ok(())
    })?;
    percentiles("wake_latency", samples);
    Ok(())
}

fn messages(count: u64) -> Result<()> {
    let (event, mut epoll) = (eventfd(0, EventfdFlags::NONBLOCK)?, Epoll::new()?);
    epoll.add(&event, 0)?;
    let (queue, is_signalled) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let mut in_order = 0;
    let start = Instant::now();
    thread::scope(|scope| {
        let (queue, is_signalled, event) = (&queue, &is_signalled, event.as_fd());
        scope.spawn(move || {
            for message in 0..count {
                queue.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                if !is_signalled.swap(true, SeqCst) {
                    write(event, &u64::to_ne_bytes(1)).expect("an eventfd takes it");
                }
            }
        });
        while in_order < count {
            for _ in epoll.wait(None)? {
                read(event, &mut [0; 8])?;
                // Before the look at the queue: a message that comes behind it signals again.
                is_signalled.store(false, SeqCst);
                let mut shared = queue.lock().unwrap_or_else(PoisonError::into_inner);
                let messages: Vec<u64> = take(&mut *shared);
                drop(shared);
                for message in messages {
                    assert_eq!(message, in_order);
                    in_order += 1;
                }
            }
        }
        Result::Ok(())
    })?;
    rate("wake_msgs", start, count, "msgs");
    check_done(in_order, count)
}
