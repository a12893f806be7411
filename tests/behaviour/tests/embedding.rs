//! Embedding, both ways: our loop inside of a foreign one, and another loop inside of ours. Under load no
//! event and no wake-up is lost, and nobody turns for nothing.
#![cfg(all(unix, not(polling_test_poll_backend)))]

mod loop_support;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use behaviour::Deadline;
use loop_support::real;
use runtime::handle::{Async, Interest, Poll, Prepare, Timer};
use runtime::{Loop, ms, set_immediate, set_interval, set_timeout, spawn, spawn_blocking};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The wait of a foreign loop: until `inner` is ready, as long as it allows. True if it was ready.
fn foreign_wait(inner: &Loop) -> bool {
    let timeout = inner.backend_timeout().map(|timeout| Timespec::try_from(timeout).unwrap());
    is_ready_within(inner, timeout.as_ref())
}

fn is_ready(inner: &Loop) -> bool {
    is_ready_within(inner, Some(&Timespec::default()))
}

fn is_ready_within(inner: &Loop, timeout: Option<&Timespec>) -> bool {
    let descriptor = inner.backend_fd();
    match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], timeout) {
        Ok(ready) => ready > 0,
        Err(Errno::INTR) => false,
        Err(error) => panic!("{error}"),
    }
}

/// A loop that runs inside of another: a [`Poll`] tells that it is ready, a [`Timer`] that its time has come.
struct Embedded {
    inner: RefCell<Loop>,
    poll: Poll,
    timer: Timer,
    prepare: Prepare,
    turns: Cell<usize>,
}

/// Lets `inner` run inside of the current loop until it is not alive.
fn embed(inner: Loop) -> Rc<Embedded> {
    let embedded = Rc::new(Embedded {
        poll: Poll::new(inner.backend_fd()).unwrap(),
        inner: RefCell::new(inner),
        timer: Timer::new(),
        prepare: Prepare::new(),
        turns: Cell::default(),
    });
    let it = embedded.clone();
    embedded.poll.start(Interest::READABLE, move |_, ready| {
        ready.unwrap();
        it.turn();
    });
    // What the outer loop's callbacks may have begun on the inner one.
    let it = embedded.clone();
    embedded.prepare.start(move |_| it.ask()).unwrap();
    embedded
}

impl Embedded {
    fn turn(self: &Rc<Self>) {
        self.turns.set(self.turns.get() + 1);
        if self.inner.borrow_mut().run_nowait().unwrap() {
            // Before the next prepare: the outer loop may be embedded itself, and wait at once.
            return self.ask();
        }
        self.poll.close();
        self.timer.close();
        self.prepare.close();
    }

    /// How long may the inner loop wait?
    fn ask(self: &Rc<Self>) {
        let timeout = self.inner.borrow().backend_timeout();
        let Some(timeout) = timeout else { return self.timer.stop() };
        let it = self.clone();
        self.timer.start(timeout, None, move |_| it.turn()).unwrap();
    }
}

const SOCKETS: usize = 20;
const BYTES: usize = 500;
const THREADS: usize = 4;
const POSTS: usize = 1_000;

/// What a loop has done of its load.
#[derive(Default)]
struct Done {
    /// Each byte is read by a callback of its own.
    bytes: Cell<usize>,
    posts: Arc<AtomicUsize>,
    timers: Cell<usize>,
    jobs: Cell<usize>,
}

impl Done {
    fn sum(&self) -> usize {
        self.bytes.get() + self.posts.load(SeqCst) + self.timers.get() + self.jobs.get()
    }

    fn expect_all(&self) {
        assert_eq!(self.bytes.get(), SOCKETS * BYTES, "10,000 events");
        assert_eq!(self.posts.load(SeqCst), THREADS * POSTS);
        assert_eq!((self.timers.get(), self.jobs.get()), (100 + 100, 10));
    }
}

/// Gives `lp` events, timers, posts from other threads, and jobs, until all of it has come.
fn load(lp: &Loop) -> (Rc<Done>, Vec<JoinHandle<()>>) {
    let _here = lp.enter();
    let done = Rc::new(Done::default());
    let mut threads = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..SOCKETS {
        let (mut one, other) = UnixStream::pair().unwrap();
        peers.push(other);
        let done = done.clone();
        let left = Cell::new(BYTES);
        Poll::new(&one).unwrap().start(Interest::READABLE, move |poll, ready| {
            assert!(ready.unwrap().is_readable());
            // One byte a time: the rest is reported again, since it is level-triggered.
            one.read_exact(&mut [0]).unwrap();
            done.bytes.set(done.bytes.get() + 1);
            left.set(left.get() - 1);
            if left.get() == 0 {
                poll.close();
            }
        });
    }
    threads.push(thread::spawn(move || {
        for round in 0..BYTES {
            peers.iter_mut().for_each(|peer| peer.write_all(b"x").unwrap());
            if round % 50 == 0 {
                thread::yield_now();
            }
        }
    }));
    for _ in 0..THREADS {
        // It keeps the loop waiting until the thread is done.
        let sender = Async::new(|_| ()).sender();
        let (remote, posts) = (lp.remote(), done.posts.clone());
        threads.push(thread::spawn(move || {
            for _ in 0..POSTS {
                let posts = posts.clone();
                let count = move || _ = posts.fetch_add(1, SeqCst);
                remote.post(count).unwrap();
            }
            drop(sender);
        }));
    }
    set_interval(ms(1), {
        let done = done.clone();
        let left = Cell::new(100);
        move |id| {
            done.timers.set(done.timers.get() + 1);
            left.set(left.get() - 1);
            if left.get() == 0 {
                id.clear();
            }
        }
    });
    for at in 0..100 {
        let done = done.clone();
        set_timeout(ms(at % 7 * 10), move || done.timers.set(done.timers.get() + 1));
    }
    for _ in 0..10 {
        let done = done.clone();
        drop(spawn(async move {
            spawn_blocking(|| ()).await.unwrap();
            done.jobs.set(done.jobs.get() + 1);
        }));
    }
    (done, threads)
}

#[test]
fn under_load_a_foreign_loop_runs_ours_and_nothing_is_lost() {
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let (done, threads) = load(&lp);
    let (mut turns, mut for_nothing) = (0, 0);
    loop {
        let before = done.sum();
        turns += 1;
        if !lp.run_nowait().unwrap() {
            break;
        }
        for_nothing += usize::from(done.sum() == before);
        foreign_wait(&lp);
    }
    done.expect_all();
    for thread in threads {
        thread.join().unwrap();
    }
    // A turn for nothing: a thread that goes, a job that ends, a wake-up that another turn has answered. Their
    // number does not grow with the load.
    assert!(for_nothing < 200, "{for_nothing} of {turns} turns for nothing");
}

#[test]
fn under_load_our_loop_runs_another_and_nothing_is_lost() {
    let (mut outer, _log, _guards) = real();
    let inner = Loop::new().unwrap();
    let (done_inside, threads_inside) = load(&inner);
    let (done, threads) = load(&outer);
    let embedded = embed(inner);
    assert!(!outer.run().unwrap());
    done.expect_all();
    done_inside.expect_all();
    let (turns, all) = (embedded.turns.get(), done_inside.sum());
    assert!(turns < all + 1_000, "{turns} turns for {all} things");
    for thread in threads.into_iter().chain(threads_inside) {
        thread.join().unwrap();
    }
}

#[test]
fn a_loop_that_waits_for_timers_alone_is_turned_once_or_twice_a_timer() {
    const FIRINGS: usize = 20;
    let timers = || {
        let fired = Rc::new(Cell::new(0));
        let inside = fired.clone();
        set_interval(ms(3), move |id| {
            inside.set(inside.get() + 1);
            if inside.get() == FIRINGS {
                id.clear();
            }
        });
        fired
    };
    let _guard = Deadline::secs(20);

    let mut lp = Loop::new().unwrap();
    let fired = {
        let _here = lp.enter();
        timers()
    };
    let mut turns = 0;
    while lp.run_nowait().unwrap() {
        turns += 1;
        assert!(!foreign_wait(&lp), "nothing but time comes");
    }
    assert_eq!(fired.get(), FIRINGS);
    assert!(turns <= 2 * FIRINGS, "{turns} turns inside of a foreign loop");

    let mut outer = Loop::new().unwrap();
    let inner = Loop::new().unwrap();
    let fired = {
        let _here = inner.enter();
        timers()
    };
    let _here = outer.enter();
    let embedded = embed(inner);
    outer.run().unwrap();
    assert_eq!(fired.get(), FIRINGS);
    let turns = embedded.turns.get();
    assert!(turns <= 2 * FIRINGS + 2, "{turns} turns inside of ours");
    let iterations = outer.metrics().iterations;
    assert!(iterations <= 4 * FIRINGS as u64, "{iterations} iterations of the outer loop");
}

/// The thread posts only after the post before was answered, at any moment of the embedder's turn: each of
/// them has to wake it.
#[test]
fn a_post_at_any_moment_of_an_embedders_turn_wakes_it() {
    const ROUNDS: usize = 10_000;
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let remote = lp.remote();
    let sender = {
        let _here = lp.enter();
        Async::new(|_| ()).sender()
    };
    let (answer, answered) = mpsc::channel();
    let thread = thread::spawn(move || {
        for round in 0..ROUNDS {
            // Now at once, now later: the embedder is before, in and behind its wait.
            for _ in 0..round % 64 * 8 {
                std::hint::spin_loop();
            }
            let answer = answer.clone();
            remote.post(move || answer.send(round).unwrap()).unwrap();
            assert_eq!(answered.recv(), Ok(round));
        }
        drop(sender);
    });
    let mut turns = 0;
    while lp.run_nowait().unwrap() {
        turns += 1;
        foreign_wait(&lp);
    }
    thread.join().unwrap();
    assert!(turns <= 3 * ROUNDS, "{turns} turns for {ROUNDS} posts");
}

#[test]
fn a_post_into_the_innermost_of_three_loops_wakes_the_outermost() {
    let _guard = Deadline::secs(20);
    let mut loops = [(); 3].map(|()| Loop::new().unwrap());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (said, saying) = mpsc::channel();
    let sender = {
        let _here = loops[2].enter();
        let seen = seen.clone();
        Async::new(move |_| {
            seen.borrow_mut().push("innermost");
            said.send(()).unwrap();
        })
        .sender()
    };
    let [ref mut outer, middle, innermost] = loops;
    {
        let _here = middle.enter();
        embed(innermost);
    }
    let _here = outer.enter();
    embed(middle);
    let thread = thread::spawn(move || {
        for _ in 0..100 {
            sender.send().unwrap();
            saying.recv().unwrap();
        }
    });
    outer.run().unwrap();
    thread.join().unwrap();
    assert_eq!(seen.borrow().len(), 100);
}

#[test]
fn what_one_run_leaves_keeps_the_descriptor_readable() {
    let (mut lp, _log, _guards) = real();
    let (mut one, mut other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::READABLE, move |_, _| one.read_exact(&mut [0]).unwrap());
    assert!(!is_ready(&lp) || lp.run_nowait().unwrap());
    other.write_all(b"abc").unwrap();
    for _ in 0..3 {
        assert!(is_ready(&lp));
        lp.run_nowait().unwrap();
    }
    assert!(!is_ready(&lp));
    assert_eq!(lp.backend_timeout(), None);
}

#[test]
fn the_timeout_is_zero_while_there_is_something_to_do_at_once() {
    let (mut lp, _log, _guards) = real();
    let zero = Some(Duration::ZERO);
    assert_eq!(lp.backend_timeout(), zero, "nothing is alive");
    let timer = set_timeout(ms(500), || ());
    // Rounded up twice, so that the timer is never early.
    assert!(lp.backend_timeout().is_some_and(|left| !left.is_zero() && left <= ms(501)));
    let immediate = set_immediate(|| ());
    assert_eq!(lp.backend_timeout(), zero);
    immediate.clear();
    runtime::next_tick(|| ());
    assert_eq!(lp.backend_timeout(), zero);
    lp.run_nowait().unwrap();
    let handle = Timer::new();
    handle.close();
    assert_eq!(lp.backend_timeout(), zero, "a close callback is to come");
    lp.run_nowait().unwrap();
    lp.remote().post(|| ()).unwrap();
    assert_eq!(lp.backend_timeout(), zero, "mail");
    lp.run_nowait().unwrap();
    lp.stop();
    assert_eq!(lp.backend_timeout(), zero, "it was told to stop");
    lp.run_nowait().unwrap();
    timer.unref();
    assert_eq!(lp.backend_timeout(), zero, "what is left keeps nothing alive");
    assert!(!lp.run_nowait().unwrap());
}

#[test]
fn an_error_of_an_embedded_loop_is_its_embedders_and_nothing_is_lost() {
    let (mut outer, log, _guards) = real();
    let mut inner = Loop::new().unwrap();
    {
        let _here = inner.enter();
        set_timeout(ms(1), || Err::<(), _>("thrown".into()));
        let log = log.clone();
        set_timeout(ms(1), move || log.push("the other timer"));
    }
    let error = log.clone();
    let timer = Timer::new();
    timer
        .start(ms(0), ms(1), move |timer| match inner.run_nowait() {
            Ok(true) => {}
            Ok(false) => timer.close(),
            Err(thrown) => error.push(thrown),
        })
        .unwrap();
    outer.run().unwrap();
    log.expect(["thrown", "the other timer"]);
}
