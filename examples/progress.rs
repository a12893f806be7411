//! Jobs on the pool that tell how far they are, and give a result each when they are done.
//!
//! ```text
//! cargo run --release -p examples --example progress
//! ```
//!
//! prints news of five jobs as they come, and their results in the order in which they end:
//!
//! ```text
//! job 1:  25%
//! job 4:  25%
//! job 2:  25%
//! ..
//! job 3: 100%
//! job 3 found 9592 primes below 100000
//! ..
//! no more news
//! job 5 found 9592 primes below 100000
//! that is 47960 primes in all
//! ```
//!
//! The channel has room for 4 lines: a job that is faster than the loop waits for it. In Node the jobs would
//! be worker threads and the news `parentPort.postMessage`, without such a limit.

use std::cell::Cell;
use std::rc::Rc;

use runtime::JoinSet;
use runtime::sync::mpsc::{self, SendError, Sender};

const JOBS: u32 = 5;
const LIMIT: u32 = 100_000;

/// What a job tells: its number, and how much is done.
type News = (u32, u32);

#[runtime::main]
fn main() {
    let (progress, news) = mpsc::channel::<News>(4);
    let jobs = JoinSet::new();
    for job in 1..=JOBS {
        let progress = progress.clone();
        jobs.spawn_blocking(move || count_primes(job, &progress));
    }
    drop(progress); // the others are those of the jobs: with the last of them the news end

    news.recv_start(|news| match news {
        Some((job, percent)) => println!("job {job}: {percent:3}%"),
        None => println!("no more news"),
    });

    let total = Rc::new(Cell::new(0));
    jobs.join_start(move |_, joined| -> runtime::Result {
        let Some(result) = joined else {
            println!("that is {} primes in all", total.get());
            return Ok(());
        };
        let (job, primes) = result??;
        println!("job {job} found {primes} primes below {LIMIT}");
        total.set(total.get() + primes);
        Ok(())
    });
}

/// Runs on a thread of the pool. That nobody wants the news ends it.
fn count_primes(job: u32, progress: &Sender<News>) -> Result<(u32, usize), SendError<News>> {
    let mut primes = 0;
    for quarter in 1..=4 {
        let part = LIMIT / 4 * (quarter - 1)..LIMIT / 4 * quarter;
        primes += part.filter(|&n| is_prime(n)).count();
        progress.blocking_send((job, quarter * 25))?;
    }
    Ok((job, primes))
}

fn is_prime(n: u32) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}
