//! Tasks under random use: threads that clone, wake and drop wakers, beside a loop that polls, aborts,
//! joins, wakes and spawns, and that may go away first. No wake is lost, and no future and no output is
//! dropped but once and at home.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use behaviour::Deadline;
use runtime::{JoinHandle, Loop, queue_microtask, spawn, spawn_eager};

const TASKS: usize = 12;
const THREADS: u64 = 3;
const STEPS: usize = 2_000;

/// Random numbers of a seed: xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// What a task and those who wake it share.
#[derive(Default)]
struct Shared {
    wakers: Mutex<Vec<Waker>>,
    /// How often it was to be polled, and how much of that it has seen.
    wanted: AtomicUsize,
    seen: AtomicUsize,
    is_over: AtomicBool,
}

/// Counts itself, and is dropped at home.
struct Counted {
    alive: Rc<Cell<usize>>,
    home: ThreadId,
}

impl Counted {
    fn new(alive: &Rc<Cell<usize>>) -> Self {
        alive.set(alive.get() + 1);
        Self { alive: alive.clone(), home: thread::current().id() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Not an assertion: it would be lost with the thread, or end the process.
        if thread::current().id() != self.home {
            eprintln!("dropped away from home");
            std::process::abort();
        }
        self.alive.set(self.alive.get() - 1);
    }
}

/// Sees what is wanted, leaves a waker each time, and ends with an output when it is told to.
fn task(shared: Arc<Shared>, alive: &Rc<Cell<usize>>) -> impl Future<Output = Counted> + 'static {
    let (held, alive) = (Counted::new(alive), alive.clone());
    poll_fn(move |cx| {
        let _held = &held;
        shared.wakers.lock().unwrap().push(cx.waker().clone());
        shared.seen.store(shared.wanted.load(SeqCst), SeqCst);
        if shared.is_over.load(SeqCst) { Poll::Ready(Counted::new(&alive)) } else { Poll::Pending }
    })
}

/// One random thing that can be done from any thread.
fn use_wakers(random: &mut Random, all: &[Arc<Shared>], kept: &mut Vec<Waker>) {
    let shared = &all[random.below(all.len())];
    let take = |random: &mut Random| {
        let mut wakers = shared.wakers.lock().unwrap();
        let len = wakers.len();
        (len > 0).then(|| wakers.swap_remove(random.below(len)))
    };
    match random.below(6) {
        // Not the last one: then nobody would wake the task any more.
        0 if shared.wakers.lock().unwrap().len() > 1 => drop(take(random)),
        1 => kept.extend(take(random).inspect(|waker| {
            shared.wakers.lock().unwrap().push(waker.clone());
        })),
        2 if !kept.is_empty() => kept.swap_remove(random.below(kept.len())).wake(),
        3 => kept.truncate(random.below(8)),
        _ => {
            let Some(waker) = take(random) else { return };
            let back = waker.clone();
            shared.wanted.fetch_add(1, SeqCst);
            match random.below(2) {
                0 => waker.wake_by_ref(),
                _ => waker.wake(),
            }
            shared.wakers.lock().unwrap().push(back);
        }
    }
}

/// One random thing that is done at home.
fn use_tasks(random: &mut Random, joins: &mut [Option<JoinHandle<Counted>>], all: &[Arc<Shared>]) {
    let n = random.below(all.len());
    let Some(join) = &mut joins[n] else { return };
    match random.below(40) {
        0 => join.abort(),
        1 => drop(joins[n].take()),
        2 => joins[n].take().into_iter().for_each(|join| join.callback(drop)),
        3 => joins[n] = joins[n].take().map(JoinHandle::abort_on_drop),
        4 => all[n].is_over.store(true, SeqCst),
        5..20 => {
            let joined = Pin::new(join).poll(&mut Context::from_waker(Waker::noop()));
            if joined.is_ready() {
                joins[n] = None;
            }
        }
        _ => {}
    }
}

/// One loop, its threads and its tasks; `ends_first` tells the loop to.
fn round(seed: u64, ends_first: bool) {
    let mut random = Random::new(seed);
    let mut lp = Loop::new().unwrap();
    let alive = Rc::new(Cell::new(0));
    let all: Vec<Arc<Shared>> = (0..TASKS).map(|_| Arc::default()).collect();
    let mut joins: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(n, shared)| {
            let _here = lp.enter();
            let task = task(shared.clone(), &alive);
            Some(if n % 2 == 0 { spawn(task) } else { spawn_eager(task) })
        })
        .collect();
    lp.run_nowait().unwrap();
    let threads: Vec<_> = (1..=THREADS)
        .map(|n| {
            let (all, mut random) = (all.clone(), Random::new(seed + n * 1_000_003));
            thread::spawn(move || {
                let mut kept = Vec::new();
                (0..STEPS).for_each(|_| use_wakers(&mut random, &all, &mut kept));
            })
        })
        .collect();
    let mut kept = Vec::new();
    for turn in 0.. {
        {
            let _here = lp.enter();
            (0..8).for_each(|_| use_wakers(&mut random, &all, &mut kept));
            use_tasks(&mut random, &mut joins, &all);
            queue_microtask(|| ());
        }
        lp.run_nowait().unwrap();
        if threads.iter().all(|thread| thread.is_finished()) || (ends_first && turn == 50) {
            break;
        }
    }
    if !ends_first {
        // What is on its way arrives.
        for _ in 0..3 {
            lp.run_nowait().unwrap();
        }
        for (n, shared) in all.iter().enumerate() {
            let is_waiting = joins[n].as_ref().is_some_and(|join| !join.is_finished());
            let (wanted, seen) = (shared.wanted.load(SeqCst), shared.seen.load(SeqCst));
            assert!(!is_waiting || wanted == seen, "seed {seed}: task {n} lost a wake");
        }
    }
    drop(lp);
    assert!(joins.iter().flatten().all(JoinHandle::is_finished));
    drop((joins, kept));
    assert_eq!(alive.get(), 0, "seed {seed}: a future or an output was not dropped");
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn random_use_from_several_threads_beside_a_loop() {
    let _guard = Deadline::secs(120);
    // Each run has seeds of its own; one that fails is named.
    let first = RandomState::new().build_hasher().finish() >> 16;
    for seed in (1..=20).chain(first..first + 20) {
        round(seed, false);
        round(seed, true);
    }
}
