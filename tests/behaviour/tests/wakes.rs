//! Wakes from other threads: none is lost, and none arrives after the loop is gone.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;

use behaviour::{Deadline, EventLog};
use runtime::handle::{Async, AsyncSender};
use runtime::{Loop, LoopGone, ms, next_tick, queue_microtask, set_immediate, spawn};

const THREADS: usize = 8;

#[test]
fn of_half_a_million_posts_none_is_lost_and_each_threads_order_is_kept() {
    const EACH: usize = 500_000 / THREADS;
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    thread_local! {
        static NEXT: [Cell<usize>; THREADS] = const { [const { Cell::new(0) }; THREADS] };
    }
    let handle = Async::new(|_| ());
    let threads: Vec<_> = (0..THREADS)
        .map(|me| {
            let (remote, alive) = (lp.remote(), handle.sender());
            thread::spawn(move || {
                for n in 0..EACH {
                    remote
                        .post(move || NEXT.with(|next| assert_eq!(next[me].replace(n + 1), n)))
                        .unwrap();
                }
                drop(alive);
            })
        })
        .collect();
    lp.run().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    // What was posted just before the last sender went is there: the loop looked at its mail last.
    lp.run().unwrap();
    NEXT.with(|next| next.iter().for_each(|next| assert_eq!(next.get(), EACH)));
}

#[test]
fn after_the_last_of_many_sends_there_is_always_a_callback() {
    const EACH: usize = 300_000 / THREADS;
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let sent = Arc::new(AtomicUsize::new(0));
    let (seen, calls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let handle = Async::new({
        let (sent, seen, calls) = (sent.clone(), seen.clone(), calls.clone());
        move |_| {
            seen.set(sent.load(SeqCst));
            calls.set(calls.get() + 1);
        }
    });
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (sender, sent) = (handle.sender(), sent.clone());
            thread::spawn(move || {
                for _ in 0..EACH {
                    sent.fetch_add(1, SeqCst);
                    sender.send().unwrap();
                }
            })
        })
        .collect();
    lp.run().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(seen.get(), THREADS * EACH);
    assert!((1..=THREADS * EACH).contains(&calls.get()));
}

#[test]
fn of_wakes_of_tasks_by_threads_none_is_lost() {
    const EACH: usize = 200_000 / THREADS;
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    // Each thread wakes for each step, and waits until the task has seen it: a lost wake hangs.
    let mut keep_alive = Vec::new();
    let mut threads = Vec::new();
    let handle = Async::new(|_| ());
    for _ in 0..THREADS {
        let (step, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (to, wakers) = mpsc::channel::<Waker>();
        let (stepping, doing) = (step.clone(), done.clone());
        keep_alive.push(done.clone());
        let mut waker = Some(to);
        spawn(poll_fn(move |cx| {
            if let Some(to) = waker.take() {
                to.send(cx.waker().clone()).unwrap();
            }
            let now = stepping.load(SeqCst);
            doing.store(now, SeqCst);
            if now == EACH { Poll::Ready(()) } else { Poll::Pending }
        }));
        let alive = handle.sender();
        threads.push(thread::spawn(move || {
            let waker = wakers.recv().unwrap();
            for n in 1..=EACH {
                step.store(n, SeqCst);
                waker.wake_by_ref();
                // Not after every wake, so that several meet one poll too.
                while n % 8 == 0 && done.load(SeqCst) < n {
                    thread::yield_now();
                }
            }
            drop(alive);
        }));
    }
    lp.run().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    lp.run().unwrap();
    assert_eq!(lp.metrics().tasks, 0);
    keep_alive.iter().for_each(|done| assert_eq!(done.load(SeqCst), EACH));
}

#[test]
fn a_main_future_that_waits_for_threads_is_woken_by_each() {
    const EACH: usize = 5_000;
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    for _ in 0..3 {
        let count = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::new();
        lp.block_on(poll_fn(|cx| {
            if threads.is_empty() {
                for _ in 0..THREADS {
                    let (waker, count) = (cx.waker().clone(), count.clone());
                    threads.push(thread::spawn(move || {
                        for _ in 0..EACH {
                            count.fetch_add(1, SeqCst);
                            waker.wake_by_ref();
                        }
                    }));
                }
            }
            if count.load(SeqCst) == THREADS * EACH { Poll::Ready(()) } else { Poll::Pending }
        }));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn a_loop_that_sleeps_between_single_posts_hears_each() {
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (answer, answers) = mpsc::channel();
    let (remote, alive) = (lp.remote(), Async::new(|_| ()).sender());
    // Ping-pong: the loop has nothing to do but to wait for the next post.
    let thread = thread::spawn(move || {
        for n in 0..20_000 {
            let answer = answer.clone();
            remote.post(move || answer.send(n).unwrap()).unwrap();
            assert_eq!(answers.recv().unwrap(), n);
        }
        drop(alive);
    });
    lp.run().unwrap();
    thread.join().unwrap();
}

#[test]
fn posts_run_in_poll_in_order_each_with_a_checkpoint() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    thread_local! {
        static LOG: Cell<Option<EventLog>> = const { Cell::new(None) };
    }
    fn note(event: &'static str) {
        let log = LOG.take().unwrap();
        log.push(event);
        LOG.set(Some(log));
    }
    LOG.set(Some(log.clone()));
    let mut lp = Loop::new().unwrap();
    let remote = lp.remote();
    let again = remote.clone();
    lp.set_immediate(|| note("immediate"));
    remote
        .post(move || {
            note("post 1");
            next_tick(|| note("tick"));
            queue_microtask(|| note("microtask"));
            // What is posted meanwhile waits for the next iteration.
            again.post(|| note("post of a post")).unwrap();
        })
        .unwrap();
    remote.post(|| note("post 2")).unwrap();
    lp.next_tick(|| note("main's tick"));
    lp.run().unwrap();
    log.expect([
        "main's tick",
        "post 1",
        "tick",
        "microtask",
        "post 2",
        "immediate",
        "post of a post",
    ]);
}

#[test]
fn a_post_alone_is_delivered_but_keeps_no_loop_alive() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let remote = lp.remote();
    assert!(!lp.run().unwrap(), "a remote keeps nothing alive");
    let ran = Arc::new(AtomicBool::new(false));
    let running = ran.clone();
    remote.post(move || running.store(true, SeqCst)).unwrap();
    assert!(lp.is_alive(), "mail is there");
    assert_eq!(lp.backend_timeout(), Some(ms(0)));
    assert!(!lp.run().unwrap());
    assert!(ran.load(SeqCst));
}

#[test]
fn signalled_handles_run_in_the_order_they_were_made_and_before_posts() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let senders: Vec<AsyncSender> = (0..3)
        .map(|n| {
            let noting = log.clone();
            Async::new(move |_| noting.push(n)).sender()
        })
        .collect();
    let remote = lp.remote();
    thread::spawn(move || {
        remote.post(|| ()).unwrap();
        for n in [2, 0, 1, 2, 0] {
            senders[n].send().unwrap();
        }
    })
    .join()
    .unwrap();
    lp.run().unwrap();
    log.expect(["0", "1", "2"]);
}

#[test]
fn a_post_to_a_loop_that_is_gone_says_so_and_drops_the_closure_here() {
    struct NoteThread(mpsc::Sender<thread::ThreadId>);
    impl Drop for NoteThread {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let _guard = Deadline::secs(20);
    let (to, dropped_on) = mpsc::channel();
    let lp = Loop::new().unwrap();
    let remote = lp.remote();
    // What is on its way when the loop goes is dropped on the loop's thread.
    let held = NoteThread(to.clone());
    remote.post(move || drop(held)).unwrap();
    drop(lp);
    assert_eq!(dropped_on.recv().unwrap(), thread::current().id());
    let thread = thread::spawn(move || {
        let held = NoteThread(to);
        assert_eq!(remote.post(move || drop(held)), Err(LoopGone));
    });
    let elsewhere = thread.thread().id();
    assert_eq!(dropped_on.recv().unwrap(), elsewhere);
    thread.join().unwrap();
}

#[test]
fn a_reference_that_outlives_the_loop_does_not_make_posts_succeed() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let (remote, reference) = (lp.remote(), (*lp).clone());
    let from_reference = reference.remote();
    drop(lp);
    assert_eq!(remote.post(|| ()), Err(LoopGone));
    assert_eq!(from_reference.post(|| ()), Err(LoopGone));
    assert_eq!(reference.remote().post(|| ()), Err(LoopGone));
}

#[test]
fn a_send_to_a_closed_handle_or_a_loop_that_is_gone_says_so() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let here = lp.enter();
    let called = Rc::new(Cell::new(0));
    let calling = called.clone();
    let handle = Async::new(move |_| calling.set(calling.get() + 1));
    let sender = handle.sender();
    sender.send().unwrap();
    handle.close();
    assert_eq!(sender.send(), Err(LoopGone));
    assert_eq!(handle.sender().send(), Err(LoopGone));
    lp.run().unwrap();
    assert_eq!(called.get(), 0, "closed before the callback");
    let calling = called.clone();
    let other = Async::new(move |_| calling.set(calling.get() + 1)).sender();
    drop(here);
    drop(lp);
    assert_eq!(other.send(), Err(LoopGone));
    thread::spawn(move || assert_eq!(other.send(), Err(LoopGone))).join().unwrap();
    assert_eq!(called.get(), 0);
}

#[test]
fn nothing_posted_or_sent_runs_after_the_loop_is_gone() {
    let _guard = Deadline::secs(60);
    for _ in 0..50 {
        let is_gone = Arc::new(AtomicBool::new(false));
        let mut lp = Loop::new().unwrap();
        let here = lp.enter();
        let handle = Async::new({
            let is_gone = is_gone.clone();
            move |_| assert!(!is_gone.load(SeqCst))
        });
        let (started, start) = mpsc::channel();
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let (remote, sender, started) = (lp.remote(), handle.sender(), started.clone());
                let is_gone = is_gone.clone();
                thread::spawn(move || {
                    for turn in 0.. {
                        let is_gone = is_gone.clone();
                        let sent = if n % 2 == 0 {
                            remote.post(move || assert!(!is_gone.load(SeqCst)))
                        } else {
                            sender.send()
                        };
                        if turn == 10 {
                            started.send(()).unwrap();
                        }
                        if sent.is_err() {
                            return;
                        }
                        if turn > 100 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..THREADS {
            start.recv().unwrap();
        }
        lp.run_nowait().unwrap();
        drop(here);
        drop(lp);
        is_gone.store(true, SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn the_last_senders_drop_lets_the_loop_end_and_what_it_sent_is_heard() {
    let _guard = Deadline::secs(20);
    for _ in 0..500 {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let called = Rc::new(Cell::new(0));
        let calling = called.clone();
        let sender = Async::new(move |_| calling.set(calling.get() + 1)).sender();
        let clone = sender.clone();
        let thread = thread::spawn(move || {
            drop(sender);
            clone.send().unwrap();
        });
        lp.run().unwrap();
        assert_eq!(called.get(), 1);
        thread.join().unwrap();
    }
}

#[cfg(all(unix, not(polling_test_poll_backend)))]
#[test]
fn a_post_wakes_whoever_waits_on_the_backend_descriptor() {
    let _guard = Deadline::secs(20);
    let mut outer = Loop::new().unwrap();
    let mut inner = Loop::new().unwrap();
    let remote = inner.remote();
    let ran = Arc::new(AtomicBool::new(false));
    outer.block_on(async {
        let poll = runtime::handle::Poll::new(inner.backend_fd()).unwrap();
        for _ in 0..100 {
            let (remote, running) = (remote.clone(), ran.clone());
            let thread = thread::spawn(move || {
                remote.post(move || running.store(true, SeqCst)).unwrap();
            });
            while !ran.swap(false, SeqCst) {
                poll.ready(runtime::handle::Interest::READABLE).await.unwrap();
                inner.run_nowait().unwrap();
            }
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_post_in_an_iteration_of_immediates_is_not_starved() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let is_over = Arc::new(AtomicBool::new(false));
    fn again(is_over: Arc<AtomicBool>) {
        set_immediate(move || {
            if !is_over.load(SeqCst) {
                again(is_over);
            }
        });
    }
    again(is_over.clone());
    let remote = lp.remote();
    let thread = thread::spawn(move || remote.post(move || is_over.store(true, SeqCst)).unwrap());
    lp.run().unwrap();
    thread.join().unwrap();
}
