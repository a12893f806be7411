//! What the peers written in Rust have in common.
#![allow(dead_code, reason = "each peer uses what it has a workload for")]

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Result;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::report::{check_done, percentiles};

pub(crate) const BUFFER: usize = 64 * 1024;
pub(crate) const SMALL_BUFFER: usize = 4 * 1024;
pub(crate) const BATCH: u64 = 1000;
pub(crate) const POOL_THREADS: usize = 4;
pub(crate) const FILE_LEN: u64 = 1024;

/// Returns the files of the `fs` workload.
pub(crate) fn files(args: &Args) -> Result<Vec<PathBuf>> {
    let directory: PathBuf = args.value("dir")?;
    Ok((0..1000).map(|number| directory.join(format!("f{number}"))).collect())
}

/// The other thread of the `wake` workload: it tells the time to a loop that has had time to fall asleep,
/// and waits for the answer.
///
/// `send` wakes the loop; the loop measures the time since, and lets `wait` return.
pub(crate) fn wake_often(
    count: u64,
    send: impl Fn(Instant) + Send + 'static,
    wait: impl Fn() + Send + 'static,
) -> thread::JoinHandle<()> {
    const PAUSE: Duration = Duration::from_micros(100);
    thread::spawn(move || {
        for _ in 0..count {
            thread::sleep(PAUSE);
            send(Instant::now());
            wait();
        }
    })
}

/// Prints the latencies, of which there must be `count`.
pub(crate) fn wake_latency(samples: Vec<Duration>, count: u64) -> Result<()> {
    check_done(samples.len() as u64, count)?;
    percentiles("wake_latency", samples);
    Ok(())
}

/// What several tasks of one thread count.
#[derive(Clone, Default)]
pub(crate) struct Counter(Rc<Cell<u64>>);

impl Counter {
    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }

    /// Adds one, and returns what was there.
    pub(crate) fn count(&self) -> u64 {
        self.0.replace(self.0.get() + 1)
    }
}

/// Lets other tasks run, where the peer has no function for it.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
