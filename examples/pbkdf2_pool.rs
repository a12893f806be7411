//! How many passwords can be hashed at once: as many as the pool has threads, and the processor cores.
//!
//! ```text
//! cargo run --release -p examples --example pbkdf2_pool
//! UV_THREADPOOL_SIZE=8 cargo run --release -p examples --example pbkdf2_pool 1 8 16
//! ```
//!
//! Each number is a round of so many jobs, which are all begun together; without any they are 1, 2, 4, 5 and 8. On
//! 2 cores that had other work too the first line above printed this:
//!
//! ```text
//! a pool of 4 threads on 2 cores
//!  jobs  all done  the first  the last  mean wait
//!     1    124 ms     124 ms    124 ms          1 ms
//!     2    243 ms     231 ms    243 ms          0 ms
//!     4    449 ms     445 ms    449 ms          4 ms
//!     5    403 ms     287 ms    403 ms         65 ms
//!     8    566 ms     299 ms    566 ms        165 ms
//! the loop went round 209 times meanwhile, and was never held up for more than 39 ms
//! ```
//!
//! The fifth job waits for a thread. More threads than cores share these: with `UV_THREADPOOL_SIZE=8` none of the
//! eight waits, and all of them end late, together. It is `crypto.pbkdf2` in Node that is measured like this; there,
//! too, the fifth waits.

use std::cell::Cell;
use std::error::Error;
use std::process::exit;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pbkdf2::pbkdf2_hmac;
use runtime::{Pool, PoolMetrics, ms, set_interval};
use sha2::Sha512;

const ITERATIONS: u32 = 100_000;
const MOST_JOBS: usize = 10_000;
const ROUNDS: [usize; 5] = [1, 2, 4, 5, 8];

const USAGE: &str = "usage: pbkdf2_pool [JOBS]...

Hashes JOBS passwords at once, a round for each JOBS (1 to 10000; default: 1 2 4 5 8).
The environment's UV_THREADPOOL_SIZE sets the number of threads (1 to 1024; default: 4).";

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let rounds = match rounds(std::env::args().skip(1)) {
        Ok(rounds) => rounds,
        Err(Wrong::Help) => {
            println!("{USAGE}");
            return Ok(());
        }
        Err(Wrong::Argument(text)) => {
            eprintln!("pbkdf2_pool: {text:?} is no number from 1 to {MOST_JOBS}\n\n{USAGE}");
            exit(2);
        }
    };

    let pool = Pool::shared();
    let cores = std::thread::available_parallelism()?;
    println!("a pool of {} threads on {cores} cores", pool.threads());
    println!(" jobs  all done  the first  the last  mean wait");

    // Proves that the loop is free: it ticks while the pool works.
    let (turns, longest, last) =
        (Rc::new(Cell::new(0)), Rc::new(Cell::new(Duration::ZERO)), Cell::new(Instant::now()));
    let (counted, noted) = (turns.clone(), longest.clone());
    let ticking = set_interval(ms(5), move |_| {
        counted.set(counted.get() + 1);
        noted.set(noted.get().max(last.replace(Instant::now()).elapsed()));
    });

    for jobs in rounds {
        hash(&pool, jobs).await?;
    }
    ticking.clear(); // or the program would not end
    let longest = longest.get().as_millis();
    println!(
        "the loop went round {} times meanwhile, and was never held up for more than {longest} ms",
        turns.get()
    );
    Ok(())
}

/// Hashes `jobs` passwords, all begun at the same time, and prints how long that took.
async fn hash(pool: &Pool, jobs: usize) -> Result<(), Box<dyn Error>> {
    pool.record_times(true);
    let before = pool.metrics();
    let begin = Instant::now();
    let hashing: Vec<_> = (0..jobs)
        .map(|job| {
            pool.spawn_blocking(move || {
                let mut key = [0; 64];
                pbkdf2_hmac::<Sha512>(b"secret", &job.to_le_bytes(), ITERATIONS, &mut key);
                (key, begin.elapsed())
            })
        })
        .collect();
    let (mut first, mut last) = (Duration::MAX, Duration::ZERO);
    for job in hashing {
        let (_key, done_after) = job.await?;
        (first, last) = (first.min(done_after), last.max(done_after));
    }
    let (all, wait) = (begin.elapsed(), mean_wait(before, pool.metrics()));
    let [all, first, last, wait] = [all, first, last, wait].map(|time| time.as_millis());
    println!("{jobs:5} {all:6} ms {first:7} ms {last:6} ms {wait:10} ms");
    Ok(())
}

/// How long the jobs between two looks waited for a thread, on average.
fn mean_wait(before: PoolMetrics, after: PoolMetrics) -> Duration {
    let (before, after) = (before.cpu.wait, after.cpu.wait);
    (after.sum - before.sum) / u32::try_from(after.count - before.count).unwrap_or(u32::MAX).max(1)
}

/// Why there is nothing to do.
enum Wrong {
    Help,
    Argument(String),
}

fn rounds(arguments: impl Iterator<Item = String>) -> Result<Vec<usize>, Wrong> {
    let number = |text: String| match text.parse() {
        Ok(jobs) if (1..=MOST_JOBS).contains(&jobs) => Ok(jobs),
        _ if ["-h", "--help"].contains(&&*text) => Err(Wrong::Help),
        _ => Err(Wrong::Argument(text)),
    };
    let rounds = arguments.map(number).collect::<Result<Vec<_>, _>>()?;
    Ok(if rounds.is_empty() { ROUNDS.into() } else { rounds })
}
