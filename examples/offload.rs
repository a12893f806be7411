//! Five jobs that keep a processor busy, on a pool of four threads: the fifth waits.
//!
//! ```text
//! cargo run --release -p examples --example offload
//! ```
//!
//! prints a line for each job when it is done, in no fixed order:
//!
//! ```text
//! job 1 began first on runtime-pool-0: bff0f2f8d2d48c24
//! job 2 began first on runtime-pool-1: 3fc2db54002fec27
//! job 4 began first on runtime-pool-3: 7456788c23c0dca1
//! job 3 began first on runtime-pool-2: c8a3baa33b767426
//! job 5 began after job 1 on runtime-pool-0: 85d32297f6984c20
//! meanwhile the loop's own thread went round 21 times
//! ```
//!
//! In Node these would be worker threads, in tokio `spawn_blocking` as here. File operations use
//! the same threads, as in libuv. With `UV_THREADPOOL_SIZE=5` the fifth job gets one of its own.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use runtime::{ms, set_interval, spawn_blocking};

const JOBS: u32 = 5;

thread_local! {
    /// The job that a thread of the pool did last. The fifth finds one there: it has waited.
    static DONE_HERE: Cell<Option<u32>> = const { Cell::new(None) };
}

#[runtime::main]
fn main() {
    // Shared by callbacks of one thread: no Arc, no Mutex.
    let rounds = Rc::new(Cell::new(0));
    let counted = rounds.clone();
    let ticking = set_interval(ms(5), move |_| counted.set(counted.get() + 1));

    let left = Rc::new(Cell::new(JOBS));
    for job in 1..=JOBS {
        let (left, rounds) = (left.clone(), rounds.clone());
        // The first closure runs on a thread of the pool, so it must be `Send`; the second here.
        spawn_blocking(move || work(job)).callback(move |line| -> runtime::Result {
            println!("{}", line?);
            left.set(left.get() - 1);
            if left.get() == 0 {
                println!("meanwhile the loop's own thread went round {} times", rounds.get());
                ticking.clear(); // or the program would not end
            }
            Ok(())
        });
    }
}

fn work(job: u32) -> String {
    let before = match DONE_HERE.replace(Some(job)) {
        None => "first".to_owned(),
        Some(other) => format!("after job {other}"),
    };
    // FNV-1a over a few million numbers.
    let sum = (0..30_000_000u64).fold(0xcbf2_9ce4_8422_2325_u64 ^ u64::from(job), |sum, n| {
        (sum ^ (n & 0xff)).wrapping_mul(0x0100_0000_01b3)
    });
    let thread = thread::current();
    format!("job {job} began {before} on {}: {sum:016x}", thread.name().unwrap_or("a thread"))
}
