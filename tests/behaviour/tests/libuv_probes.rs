//! What small C programs observed of libuv 1.52, reproduced: loop, timers, closing, idle, prepare and
//! check, async, poll and the pool. One test a probe; where we differ on purpose the comment says so.
#![cfg(unix)]

mod loop_support;

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use loop_support::{manual, note, note_close, real};
use runtime::handle::{Async, Check, Handle, Interest, Poll, Prepare, Timer};
use runtime::{Cancelled, Loop, fs, ms, set_immediate, spawn_blocking};

/// close 1,2,3: 3 2 1.
#[test]
fn close_1_2_3() {
    let (mut lp, log, _guards) = real();
    let handles = [1, 2, 3].map(|number| {
        let handle = Timer::new();
        handle.closed().callback(note_close(&log, number));
        handle
    });
    handles.iter().for_each(|handle| handle.close());
    lp.run().unwrap();
    log.expect(["3", "2", "1"]);
}

/// close B from A's close callback: next iteration.
#[test]
fn close_b_from_a_s_close_callback() {
    let (mut lp, log, _guards) = real();
    let (a, b) = (Timer::new(), Timer::new());
    b.closed().callback(note_close(&log, "b"));
    a.closed().callback({
        let log = log.clone();
        move |_: io::Result<()>| {
            log.push("a");
            b.close();
        }
    });
    a.close();
    assert!(lp.run_nowait().unwrap());
    log.expect(["a"]);
    assert!(!lp.run_nowait().unwrap());
    log.expect(["b"]);
}

/// walk after init 1,2,3: 1 2 3.
#[test]
fn walk_after_init_1_2_3() {
    let (lp, _log, _guards) = real();
    let handles = [Timer::new(), Timer::new(), Timer::new()];
    let mut at = 0;
    lp.walk(|handle| {
        assert_eq!(handle, &*handles[at]);
        at += 1;
    });
    assert_eq!(at, 3);
}

/// prepare start 1,2,3, run; start 4, run: 3 2 1; 4 3 2 1.
#[test]
fn prepare_start_1_2_3_run_start_4_run() {
    let (mut lp, log, _guards) = real();
    for number in 1..=3 {
        Prepare::new().start(note(&log, number)).unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["3", "2", "1"]);
    Prepare::new().start(note(&log, 4)).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["4", "3", "2", "1"]);
}

/// async init 0,1,2; send 2,1,0,0: 0 1 2, once each.
#[test]
fn async_init_0_1_2_send_2_1_0_0() {
    let (mut lp, log, _guards) = real();
    let senders = [0, 1, 2].map(|number| Async::new(note(&log, number)).sender());
    for number in [2, 1, 0, 0] {
        senders[number].send().unwrap();
    }
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["0", "1", "2"]);
}

/// Four that are polled for reading, and their peers.
fn four(start: impl Fn(usize, &Poll)) -> Vec<(Poll, UnixStream)> {
    (0..4)
        .map(|number| {
            let (one, other) = UnixStream::pair().unwrap();
            let poll = Poll::new(&one).unwrap();
            start(number, &poll);
            (poll, other)
        })
        .collect()
}

/// 3 poll fds (four, in fact) ready in order 3,1,2,0: 3 1 2 0, again next iteration if unread.
#[test]
fn poll_fds_ready_in_order_3_1_2_0() {
    let (mut lp, log, _guards) = real();
    let mut polls = four(|number, poll| {
        let log = log.clone();
        poll.start(Interest::READABLE, move |_, _| log.push(number));
    });
    lp.run_nowait().unwrap();
    for number in [3, 1, 2, 0] {
        polls[number].1.write_all(b"x").unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["3", "1", "2", "0"]);
    lp.run_nowait().unwrap();
    log.expect(["3", "1", "2", "0"]);
}

/// first poll callback closes the other three ready ones: no further callback.
#[test]
fn first_poll_callback_closes_the_other_three() {
    let (mut lp, log, _guards) = real();
    let all = Rc::new(RefCell::new(Vec::<Poll>::new()));
    let mut polls = four(|number, poll| {
        all.borrow_mut().push(poll.clone());
        let (log, all) = (log.clone(), all.clone());
        poll.start(Interest::READABLE, move |me, _| {
            log.push(number);
            all.borrow().iter().filter(|other| *other != me).for_each(Poll::close);
        });
    });
    for (_, other) in &mut polls {
        other.write_all(b"x").unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["0"]);
    lp.run_nowait().unwrap();
    log.expect(["0"]);
}

/// phases, ONCE or NOWAIT, everything ready: prep async poll (sig) check close timer.
#[test]
fn phases_of_once_and_nowait_with_everything_ready() {
    for run in [Loop::run_once, Loop::run_nowait] {
        let (mut lp, clock, log, _guards) = manual();
        let (one, _other) = UnixStream::pair().unwrap();
        Poll::new(&one).unwrap().start(Interest::WRITABLE, {
            let log = log.clone();
            move |_, _| log.push("poll")
        });
        Timer::new().start(ms(1), None, note(&log, "timer")).unwrap();
        let closing = Timer::new();
        closing.closed().callback(note_close(&log, "close"));
        closing.close();
        Check::new().start(note(&log, "check")).unwrap();
        Prepare::new().start(note(&log, "prep")).unwrap();
        let sender = Async::new(note(&log, "async")).sender();
        sender.send().unwrap();
        clock.advance(ms(1));
        run(&mut lp).unwrap();
        log.expect(["prep", "async", "poll", "check", "close", "timer"]);
    }
}

/// timer re-armed 0 in its callback, 4 times: one per iteration.
#[test]
fn timer_rearmed_0_in_its_callback_4_times() {
    fn start(timer: &Timer, log: &EventLog, left: u32) {
        let log = log.clone();
        let callback = move |timer: &Timer| {
            log.push("timer");
            if left > 0 {
                start(timer, &log, left - 1);
            }
        };
        timer.start(ms(0), None, callback).unwrap();
    }
    let (mut lp, log, _guards) = real();
    let timer = Timer::new();
    start(&timer, &log, 4);
    for _ in 0..5 {
        lp.run_nowait().unwrap();
        log.expect(["timer"]);
    }
    assert!(!lp.is_alive());
}

/// A stops/reads sibling B due in same pass: B active = 0, not fired.
#[test]
fn a_stops_and_reads_its_sibling_b() {
    let (mut lp, clock, log, _guards) = manual();
    let (a, b) = (Timer::new(), Timer::new());
    a.start(ms(1), None, {
        let (log, b) = (log.clone(), b.clone());
        move |_| {
            log.push(format!("b active = {}", b.is_active()));
            b.stop();
        }
    })
    .unwrap();
    b.start(ms(1), None, note(&log, "b")).unwrap();
    clock.advance(ms(1));
    assert!(!lp.run_nowait().unwrap());
    log.expect(["b active = false"]);
}

/// A due 0 blocks 30 ms, B due 40: libuv B at 70 ms, from a stale clock.
///
/// Here at 40: the timeout is computed from a fresh clock.
#[test]
fn a_due_0_blocks_30_ms_b_due_40() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    Timer::new().start(ms(0), None, move |_| clock.advance(ms(30))).unwrap();
    Timer::new()
        .start(ms(40), None, {
            let log = log.clone();
            move |timer| log.push((timer.loop_ref().now() - start).as_millis())
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["40"]);
}

/// repeat 50 ms, callback 17 ms: libuv 50 120 189 256, from a stale clock.
///
/// Here the period is the documented one: it counts from the timers phase, so 50 100 150 200.
#[test]
fn repeat_50_ms_callback_17_ms() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    Timer::new()
        .start(ms(50), ms(50), {
            let log = log.clone();
            move |timer| {
                let now = (timer.loop_ref().now() - start).as_millis();
                log.push(now);
                clock.advance(ms(17));
                if now >= 200 {
                    timer.close();
                }
            }
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["50", "100", "150", "200"]);
}

/// ONCE with only an async handle and an unref'd 20 ms timer: returns at 20 ms, timer ran.
#[test]
fn once_with_only_an_async_handle_and_an_unreferenced_timer() {
    let (mut lp, log, _guards) = real();
    let _sender = Async::new(note(&log, "async")).sender();
    let timer = Timer::new();
    timer.start(ms(20), None, note(&log, "timer")).unwrap();
    timer.unref();
    assert!(lp.run_once().unwrap(), "the async handle is alive");
    log.expect(["timer"]);
}

/// A loop with one thread in its pool.
fn one_thread() -> (Loop, EventLog, impl Sized) {
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let guards = (lp.enter(), Deadline::secs(20));
    (lp, EventLog::new(), guards)
}

/// 1-thread pool, jobs 1..4, cancel 3 then running 1: 3 ECANCELED first; 1 EBUSY; then 1 2 4.
///
/// Here cancelling says true, and false for EBUSY. A job that counts is a task of the pool; as a
/// `JoinHandle` it is aborted.
#[test]
fn one_thread_pool_cancel_queued_3_then_running_1() {
    let (mut lp, log, _guards) = one_thread();
    let (started, has_started) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let mut jobs = vec![spawn_blocking(move || {
        started.send(()).unwrap();
        may_go.recv().unwrap();
    })];
    jobs.extend((2..=4).map(|_| spawn_blocking(|| ())));
    has_started.recv().unwrap();
    jobs[2].abort();
    jobs[0].abort();
    for (number, job) in jobs.into_iter().enumerate() {
        let (log, go) = (log.clone(), go.clone());
        job.callback(move |joined| match joined {
            Ok(()) => log.push(number + 1),
            Err(error) => {
                assert!(error.is_cancelled());
                log.push(format!("{} cancelled", number + 1));
                go.send(()).unwrap();
            }
        });
    }
    assert!(!lp.run().unwrap());
    log.expect(["3 cancelled", "1", "2", "4"]);
}

/// cancel queued fs / running work: result -125 / EBUSY. (The callback of a cancelled one is deferred.)
///
/// Here the error carries `Cancelled` and is never `Interrupted`.
#[test]
fn cancel_queued_fs_and_running_work() {
    let (mut lp, log, _guards) = one_thread();
    let (started, has_started) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let running = spawn_blocking(move || {
        started.send(()).unwrap();
        may_go.recv().unwrap();
        "done"
    });
    has_started.recv().unwrap();
    let queued = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    assert!(queued.cancel());
    assert!(!queued.cancel(), "once");
    queued.callback({
        let log = log.clone();
        move |read| {
            let error = read.unwrap_err();
            assert_ne!(error.kind(), io::ErrorKind::Interrupted);
            log.push(if Cancelled::is_in(&error) { "fs cancelled" } else { "fs failed" });
            go.send(()).unwrap();
        }
    });
    running.abort();
    running.callback({
        let log = log.clone();
        move |joined| log.push(joined.unwrap())
    });
    log.expect([]);
    assert!(!lp.run().unwrap());
    log.expect(["fs cancelled", "done"]);
}

// --- entries of libuv's list of tests that pin the same behaviour ---

/// active, loop_alive, has_ref: exactly as they say through start, stop, restart and close.
#[test]
fn active() {
    let (mut lp, _log, _guards) = real();
    let timer = Timer::new();
    let state = |timer: &Timer| (timer.is_active(), timer.is_closing());
    assert_eq!(state(&timer), (false, false));
    timer.start(ms(1000), None, |_| panic!("never")).unwrap();
    assert_eq!(state(&timer), (true, false));
    timer.stop();
    assert_eq!(state(&timer), (false, false));
    timer.start(ms(1000), None, |_| panic!("never")).unwrap();
    assert_eq!(state(&timer), (true, false));
    timer.close();
    assert_eq!(state(&timer), (false, true));
    lp.run().unwrap();
    assert_eq!(state(&timer), (false, true));
}

/// loop_backend_timeout: 0 with nothing active, 1000 with a 1 s timer, 0 again after.
#[test]
fn loop_backend_timeout() {
    let (mut lp, _clock, _log, _guards) = manual();
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO));
    let timer = Timer::new();
    timer.start(ms(1000), None, |_| ()).unwrap();
    assert_eq!(lp.backend_timeout(), Some(ms(1000)));
    lp.run().unwrap();
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO));
}

/// loop_stop: stop from a timer ends the run, alive; later runs resume; exact counts.
#[test]
fn loop_stop() {
    let (mut lp, _clock, _log, _guards) = manual();
    let (prepared, ticks) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let prepare = Prepare::new();
    prepare
        .start({
            let prepared = prepared.clone();
            move |prepare| {
                prepared.set(prepared.get() + 1);
                if prepared.get() == 10 {
                    prepare.stop();
                }
            }
        })
        .unwrap();
    let timer = Timer::new();
    timer
        .start(ms(100), ms(100), {
            let ticks = ticks.clone();
            move |timer| {
                ticks.set(ticks.get() + 1);
                match ticks.get() {
                    1 => timer.loop_ref().stop(),
                    10 => timer.stop(),
                    _ => {}
                }
            }
        })
        .unwrap();
    assert!(lp.run().unwrap());
    assert_eq!((ticks.get(), prepared.get()), (1, 1));
    assert!(lp.run_nowait().unwrap());
    assert!(prepared.get() > 1);
    assert!(!lp.run().unwrap());
    assert_eq!((ticks.get(), prepared.get()), (10, 10));
}

/// loop_close and loop_instant_close: libuv's EBUSY while a handle is open, or work queued.
///
/// Here dropping the loop closes what is open, without callbacks.
#[test]
fn loop_close_and_instant_close() {
    let (lp, log, guards) = real();
    let timer = Timer::new();
    timer.start(ms(1), None, note(&log, "timer")).unwrap();
    timer.closed().callback(note_close(&log, "closed"));
    let work = spawn_blocking(|| ());
    work.callback({
        let log = log.clone();
        move |_| log.push("work")
    });
    drop(lp);
    assert!(timer.is_closing());
    log.expect([]);
    drop(guards);
}

/// close_order: check runs before any close callback; all three come.
#[test]
fn close_order() {
    let (mut lp, _clock, log, _guards) = manual();
    let check = Check::new();
    let timer = Timer::new();
    let closing = Timer::new();
    for (name, handle) in [("closing", &closing), ("timer", &timer)] {
        handle.closed().callback(note_close(&log, name));
    }
    check.closed().callback(note_close(&log, "check handle"));
    check
        .start({
            let log = log.clone();
            move |check| {
                log.push("check");
                check.close();
            }
        })
        .unwrap();
    closing.close();
    timer
        .start(ms(0), None, {
            let log = log.clone();
            move |timer| {
                log.push("timer runs");
                timer.close();
            }
        })
        .unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["timer runs", "check", "check handle", "timer", "closing"]);
}

/// callback_stack: no callback runs on the caller's stack.
#[test]
fn callback_stack() {
    let (mut lp, _clock, log, _guards) = manual();
    let is_nested = Rc::new(Cell::new(false));
    let nested = |name: &'static str| {
        let (log, is_nested) = (log.clone(), is_nested.clone());
        move || {
            assert!(!is_nested.get(), "{name} runs in a call");
            log.push(name);
        }
    };
    let [timer, close, immediate, ready] =
        [nested("timer"), nested("close"), nested("immediate"), nested("ready")];
    let asynchronous = nested("async");
    is_nested.set(true);
    Timer::new().start(ms(0), None, move |_| timer()).unwrap();
    let closing = Timer::new();
    closing.close();
    closing.closed().callback(move |_: io::Result<()>| close());
    set_immediate(immediate);
    let (one, _other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::WRITABLE, move |poll, _| {
        ready();
        poll.close();
    });
    Async::new(move |_| asynchronous()).sender().send().unwrap();
    is_nested.set(false);
    assert!(!lp.run().unwrap());
    log.expect(["timer", "async", "ready", "immediate", "close"]);
}

/// walk_handles: walk sees the live handle during the run, none after close.
#[test]
fn walk_handles() {
    let (mut lp, _clock, _log, _guards) = manual();
    let seen = Rc::new(Cell::new(0));
    Timer::new()
        .start(ms(1), None, {
            let seen = seen.clone();
            move |timer| {
                timer.loop_ref().walk(|handle: &Handle| {
                    assert_eq!(handle, &**timer);
                    seen.set(seen.get() + 1);
                });
                timer.close();
            }
        })
        .unwrap();
    lp.run().unwrap();
    assert_eq!(seen.get(), 1);
    lp.walk(|handle| panic!("{handle:?}"));
}

/// threadpool_multiple_event_loops: one pool serves several loops.
#[test]
fn threadpool_multiple_event_loops() {
    let _guard = Deadline::secs(20);
    let threads = [(); 3].map(|()| {
        std::thread::spawn(|| {
            let mut lp = Loop::new().unwrap();
            lp.block_on(async {
                for number in 0..20 {
                    assert_eq!(spawn_blocking(move || number).await.unwrap(), number);
                }
            });
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

/// metrics_info_check: one count a step.
#[test]
fn metrics_count_iterations_and_events() {
    let (mut lp, _log, _guards) = real();
    let (one, _other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::WRITABLE, |_, _| ());
    for step in 1..=3 {
        lp.run_nowait().unwrap();
        assert_eq!((lp.metrics().iterations, lp.metrics().events), (step, step));
    }
}
