//! `pool` and `pool-spin`: function pointers, handed over and taken back many at a time under one lock.

use std::io::Result;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::args::Args;
use crate::report::{check_done, percentiles, rate};
use crate::spin;

const THREADS: u64 = 4;
/// The most that a thread takes at once.
const SHARE: u64 = 16;

/// What is run, and what with.
type Job = (fn(u64), u64);

const EMPTY: Job = (|_| (), 0);

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    done: u64,
    is_over: bool,
}

#[derive(Default)]
struct Pool {
    queue: Mutex<Queue>,
    has_jobs: Condvar,
    has_results: Condvar,
}

pub(super) fn pool(args: &Args) -> Result<()> {
    let (count, width): (u64, u64) = (args.value("n")?, args.value("inflight")?);
    let one_at_a_time: u64 = args.value("lat")?;
    let pool = Pool::default();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| pool.work());
        }
        let start = Instant::now();
        let done = pool.run(EMPTY, count, width);
        rate("pool_throughput", start, count, "ops");

        let mut samples = Vec::new();
        for _ in 0..one_at_a_time {
            let start = Instant::now();
            pool.run(EMPTY, 1, 1);
            samples.push(start.elapsed());
        }
        percentiles("pool_rtt", samples);
        pool.end();
        check_done(done, count)
    })
}

pub(super) fn spin(args: &Args) -> Result<()> {
    let (count, width): (u64, u64) = (args.value("n")?, args.value("inflight")?);
    let job: Job = (spin::spin, args.value("turns")?);
    let pool = Pool::default();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| pool.work());
        }
        let start = Instant::now();
        let done = pool.run(job, count, width);
        rate("pool_spin", start, count, "ops");
        pool.end();
        check_done(done, count)
    })
}

impl Pool {
    /// Runs `job` `count` times, `width` under way, and says how many were done.
    fn run(&self, job: Job, count: u64, width: u64) -> u64 {
        let (mut submitted, mut done) = (0, 0);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while done < count {
            let room = (width - (submitted - done)).min(count - submitted);
            queue.jobs.extend((0..room).map(|_| job));
            submitted += room;
            if room > 0 {
                self.has_jobs.notify_one();
            }
            while queue.done == 0 {
                queue = self.has_results.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            done += std::mem::take(&mut queue.done);
        }
        done
    }

    fn work(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while queue.jobs.is_empty() && !queue.is_over {
                queue = self.has_jobs.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            if queue.jobs.is_empty() {
                return;
            }
            let waiting = queue.jobs.len();
            let share = (waiting / THREADS as usize).clamp(1, SHARE as usize);
            let jobs = queue.jobs.split_off(waiting - share);
            if waiting > share {
                self.has_jobs.notify_one();
            }
            drop(queue);
            jobs.iter().for_each(|(run, with)| run(*with));
            queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.done += share as u64;
            self.has_results.notify_one();
        }
    }

    fn end(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.has_jobs.notify_all();
    }
}
