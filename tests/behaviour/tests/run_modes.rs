//! Running a loop: the modes, what keeps it alive, `stop`, several loops, and a loop inside of another.

mod loop_support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use loop_support::{closed_handle, manual, note, note_close, note_id, real};
use runtime::handle::{Async, Check, Idle, Kind, Prepare, Timer};
use runtime::{
    Clock, Loop, LoopGone, ms, next_tick, queue_microtask, secs, set_immediate, set_interval,
    set_timeout, spawn, spawn_blocking, try_current,
};

#[test]
fn a_loop_that_is_not_alive_runs_no_phase() {
    let (mut lp, clock, log, _guards) = manual();
    let (prepare, timer) = (Prepare::new(), Timer::new());
    prepare.start(note(&log, "prepare")).unwrap();
    timer.start(ms(0), None, note(&log, "timer")).unwrap();
    set_timeout(ms(1), log.mark("timeout")).unref();
    set_immediate(log.mark("immediate")).unref();
    prepare.unref();
    timer.unref();
    clock.advance(ms(10));
    assert!(!lp.is_alive());
    assert!(!lp.run().unwrap());
    assert!(!lp.run_once().unwrap());
    assert!(!lp.run_nowait().unwrap());
    log.expect([]);
    assert_eq!(lp.metrics().iterations, 0);
}

#[test]
fn a_run_of_a_loop_that_is_not_alive_still_moves_the_time() {
    let (mut lp, clock, _log, _guards) = manual();
    let start = lp.now();
    clock.advance(ms(7));
    assert_eq!(lp.now(), start);
    lp.run_nowait().unwrap();
    assert_eq!(lp.now() - start, ms(7));
}

#[test]
fn each_run_once_is_one_iteration() {
    let (mut lp, log, _guards) = real();
    let mut left = 3;
    Idle::new()
        .start({
            let log = log.clone();
            move |idle| {
                left -= 1;
                log.push(left);
                if left == 0 {
                    idle.stop();
                }
            }
        })
        .unwrap();
    assert!(lp.run_once().unwrap());
    assert!(lp.run_once().unwrap());
    log.expect(["2", "1"]);
    assert!(!lp.run_once().unwrap());
    log.expect(["0"]);
    assert_eq!(lp.metrics().iterations, 3);
}

#[test]
fn run_once_waits_for_a_timer_and_runs_it() {
    let (mut lp, log, _guards) = real();
    let timer = Timer::new();
    timer.start(ms(2), None, note(&log, "timer")).unwrap();
    assert!(!lp.run_once().unwrap());
    log.expect(["timer"]);
}

#[test]
fn a_handle_that_ends_with_its_last_owner_is_closing_for_one_more_iteration() {
    let (mut lp, log, _guards) = real();
    Timer::new().start(ms(2), None, note(&log, "timer")).unwrap();
    assert!(lp.run_once().unwrap(), "fired, and nobody holds it");
    log.expect(["timer"]);
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO));
    assert!(!lp.run_once().unwrap());
}

#[test]
fn run_once_does_not_wait_when_something_is_pending() {
    let (mut lp, log, _guards) = real();
    let closed = closed_handle(&mut lp);
    Timer::new().start(secs(3600), None, note(&log, "timer")).unwrap();
    closed.closed().callback(note_close(&log, "pending"));
    assert!(lp.run_once().unwrap());
    log.expect(["pending"]);
}

#[test]
fn run_once_with_an_idle_that_stops_itself_reaches_check_without_waiting() {
    let (mut lp, log, _guards) = real();
    Timer::new().start(secs(3600), None, note(&log, "timer")).unwrap();
    Idle::new()
        .start({
            let log = log.clone();
            move |idle| {
                log.push("idle");
                idle.stop();
            }
        })
        .unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    assert!(lp.run_once().unwrap());
    log.expect(["idle", "check"]);
}

#[test]
fn run_nowait_returns_at_once_though_a_timer_is_far() {
    let (mut lp, log, _guards) = real();
    let timer = Timer::new();
    timer.start(secs(3600), None, note(&log, "timer")).unwrap();
    assert!(lp.run_nowait().unwrap());
    log.expect([]);
    assert!(timer.is_active());
}

#[test]
fn an_idle_does_not_starve_a_timer() {
    let (mut lp, _log, _guards) = real();
    let idle = Idle::new();
    idle.start(|_| ()).unwrap();
    Timer::new().start(ms(2), None, move |_| idle.stop()).unwrap();
    assert!(!lp.run().unwrap());
    assert!(lp.metrics().iterations > 1);
}

#[test]
fn stop_before_a_run_lets_it_run_nothing_not_even_a_due_timer() {
    for run in [Loop::run, Loop::run_once, Loop::run_nowait] {
        let (mut lp, clock, log, _guards) = manual();
        Timer::new().start(ms(1), None, note(&log, "timer")).unwrap();
        Prepare::new().start(note(&log, "prepare")).unwrap();
        clock.advance(ms(5));
        lp.stop();
        assert!(run(&mut lp).unwrap(), "still alive");
        log.expect([]);
        // The flag is cleared.
        lp.run_nowait().unwrap();
        log.expect(["prepare", "timer"]);
    }
}

#[test]
fn stop_in_a_callback_lets_the_iteration_be_finished_without_waiting() {
    let (mut lp, clock, log, _guards) = manual();
    let closing = Timer::new();
    closing.closed().callback(note_close(&log, "close"));
    let sender = Async::new(note(&log, "async")).sender();
    sender.send().unwrap();
    Prepare::new()
        .start({
            let (log, clock) = (log.clone(), clock.clone());
            move |prepare| {
                log.push("prepare");
                prepare.loop_ref().stop();
                closing.close();
                clock.advance(ms(1));
            }
        })
        .unwrap();
    Timer::new().start(ms(1), None, note(&log, "timer")).unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    assert!(lp.run().unwrap());
    log.expect(["prepare", "async", "check", "close", "timer"]);
    drop(sender);
}

#[test]
fn stop_in_a_timer_that_runs_before_the_first_iteration_leaves_that_out() {
    let (mut lp, clock, log, _guards) = manual();
    Timer::new().start(ms(1), None, |timer| timer.loop_ref().stop()).unwrap();
    Timer::new().start(ms(1), None, note(&log, "timer of the same pass")).unwrap();
    Prepare::new().start(note(&log, "prepare")).unwrap();
    clock.advance(ms(1));
    assert!(lp.run().unwrap());
    log.expect(["timer of the same pass"]);
}

#[test]
fn a_stopped_loop_goes_on_in_the_next_run() {
    let (mut lp, _clock, log, _guards) = manual();
    let mut left = 3;
    set_interval(ms(100), {
        let log = log.clone();
        move |id| {
            log.push(left);
            left -= 1;
            if left == 0 {
                id.clear();
            } else {
                runtime::current().stop();
            }
        }
    });
    assert!(lp.run().unwrap());
    log.expect(["3"]);
    assert!(lp.run_nowait().unwrap());
    log.expect([]);
    assert!(lp.run().unwrap());
    log.expect(["2"]);
    assert!(!lp.run().unwrap());
    log.expect(["1"]);
}

#[test]
fn what_keeps_a_loop_alive() {
    let (mut lp, log, _guards) = real();
    assert!(!lp.is_alive(), "an empty loop");

    let timer = Timer::new();
    assert!(!lp.is_alive(), "a handle that is not started");
    timer.start(secs(3600), None, note(&log, "timer")).unwrap();
    assert!(lp.is_alive(), "an active handle");
    timer.unref();
    timer.unref();
    assert!(!lp.is_alive(), "an active handle that is not referenced");
    timer.ref_();
    assert!(lp.is_alive(), "unref does not count: one ref is enough");
    timer.unref();
    timer.close();
    assert!(lp.is_alive(), "a closing handle, referenced or not");
    assert!(!lp.run_nowait().unwrap());

    let id = set_immediate(|| ());
    assert!(lp.is_alive(), "an immediate");
    id.clear();
    assert!(!lp.is_alive(), "an immediate that was cleared");

    let id = set_timeout(secs(3600), || ());
    assert!(lp.is_alive(), "a timeout");
    assert!(!id.unref().has_ref());
    assert!(!lp.is_alive(), "a timeout that is not referenced");
    id.clear();

    next_tick(|| ());
    queue_microtask(|| ());
    let task = spawn(std::future::pending::<()>());
    assert!(!lp.is_alive(), "ticks, microtasks and tasks keep nothing alive by themselves");

    let closed = closed_handle(&mut lp);
    closed.closed().callback(|_| ());
    assert!(lp.is_alive(), "something pending");
    assert!(!lp.run().unwrap());

    let job = spawn_blocking(|| ());
    assert!(lp.is_alive(), "work");
    job.callback(|_| ());
    assert!(!lp.run().unwrap());
    drop(task);
}

#[test]
fn unref_in_a_prepare_callback_ends_the_run() {
    let (mut lp, log, _guards) = real();
    Prepare::new()
        .start({
            let log = log.clone();
            move |prepare| {
                log.push("prepare");
                prepare.unref();
            }
        })
        .unwrap();
    // Without it poll would wait for ever.
    let idle = Idle::new();
    idle.start(|_| ()).unwrap();
    idle.unref();
    assert!(!lp.run().unwrap());
    log.expect(["prepare"]);
}

#[test]
fn backend_timeout_is_the_time_to_the_next_timer_rounded_up() {
    let (mut lp, clock, log, _guards) = manual();
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "nothing is alive");
    let timer = Timer::new();
    timer.start(Duration::from_micros(1_500), None, note(&log, "timer")).unwrap();
    assert_eq!(lp.backend_timeout(), Some(ms(2)));
    clock.advance(Duration::from_micros(600));
    assert_eq!(lp.backend_timeout(), Some(ms(1)), "of a fresh clock");
    timer.unref();
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "nothing is alive");
    let sender = Async::new(|_| ()).sender();
    assert_eq!(lp.backend_timeout(), Some(ms(1)), "an unreferenced timer counts");
    clock.advance(secs(1));
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "overdue");
    lp.run_nowait().unwrap();
    log.expect(["timer"]);
    assert_eq!(lp.backend_timeout(), None, "only the handle");
    drop(sender);
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "its end is in the mailbox");
}

#[test]
fn backend_timeout_is_zero_while_there_is_something_to_do() {
    let (mut lp, _log, _guards) = real();
    let _sender = Async::new(|_| ()).sender();
    let closed = closed_handle_of_a_loop_that_lives(&mut lp);
    assert_eq!(lp.backend_timeout(), None);
    let busy = |lp: &mut Loop, what: &str| {
        assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "{what}");
        lp.run_nowait().unwrap();
        assert_eq!(lp.backend_timeout(), None, "after {what}");
    };
    closed.closed().callback(|_| ());
    busy(&mut lp, "pending");
    Timer::new().close();
    busy(&mut lp, "closing");
    set_immediate(|| ());
    busy(&mut lp, "an immediate");
    next_tick(|| ());
    busy(&mut lp, "a tick");
    queue_microtask(|| ());
    busy(&mut lp, "a microtask");
    lp.remote().post(|| ()).unwrap();
    busy(&mut lp, "mail");
    let idle = Idle::new();
    idle.start(|idle| idle.stop()).unwrap();
    idle.unref();
    busy(&mut lp, "an idle handle, referenced or not");
    lp.stop();
    busy(&mut lp, "stop");
    set_immediate(|| ()).unref();
    assert_eq!(lp.backend_timeout(), None, "an unreferenced immediate");
}

fn closed_handle_of_a_loop_that_lives(lp: &mut Loop) -> Timer {
    let timer = Timer::new();
    timer.close();
    lp.run_nowait().unwrap();
    timer
}

#[test]
fn the_time_stands_still_within_a_phase_until_it_is_updated() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    Check::new()
        .start({
            let log = log.clone();
            move |check| {
                let lp = check.loop_ref();
                clock.advance(ms(5));
                log.push((lp.now() - start).as_millis());
                lp.update_time();
                log.push((lp.now() - start).as_millis());
                check.stop();
            }
        })
        .unwrap();
    set_immediate(|| ());
    lp.run().unwrap();
    log.expect(["0", "5"]);
}

#[test]
fn walk_shows_every_open_handle_in_the_order_of_making() {
    let (mut lp, _log, _guards) = real();
    let kinds = |lp: &Loop| {
        let mut kinds = Vec::new();
        lp.walk(|handle| kinds.push(handle.kind()));
        kinds
    };
    let first = Timer::new();
    let _second = Check::new();
    let third = Prepare::new();
    set_timeout(secs(3600), || ()).unref(); // its timer is the loop's own, as is the immediates' check
    set_immediate(|| ()).clear();
    assert_eq!(kinds(&lp), [Kind::Timer, Kind::Check, Kind::Prepare]);
    first.close();
    assert_eq!(kinds(&lp), [Kind::Timer, Kind::Check, Kind::Prepare], "closing ones too");
    lp.run_nowait().unwrap();
    let _fourth = Idle::new(); // perhaps in the slot of the first
    drop(third);
    assert_eq!(kinds(&lp), [Kind::Check, Kind::Idle]);
}

#[test]
fn walk_may_close_and_make_handles() {
    let (mut lp, log, _guards) = real();
    let (first, second) = (Timer::new(), Timer::new());
    first.start(secs(1), None, |_| ()).unwrap();
    second.start(secs(1), None, |_| ()).unwrap();
    for (name, timer) in [("first", &first), ("second", &second)] {
        timer.closed().callback(note_close(&log, name));
    }
    let mut seen = 0;
    lp.walk(|handle| {
        seen += 1;
        handle.close();
        handle.close();
        drop(Timer::new());
        assert!(handle.is_closing());
        handle.loop_ref().walk(|_| ());
    });
    assert_eq!(seen, 2);
    assert!(!lp.run().unwrap());
    log.expect(["second", "first"]);
    lp.walk(|handle| panic!("left: {handle:?}"));
}

#[test]
fn an_error_comes_out_of_run_and_the_next_run_resumes_the_iteration() {
    let (mut lp, log, _guards) = real();
    set_immediate(log.mark("first"));
    set_immediate(|| -> runtime::Result { Err("second".into()) });
    set_immediate(log.mark("third"));
    let closing = Timer::new();
    closing.closed().callback(note_close(&log, "close"));
    closing.close();
    Prepare::new().start(note(&log, "prepare")).unwrap();
    assert_eq!(lp.run_once().unwrap_err().to_string(), "second");
    log.expect(["prepare", "first"]);
    assert!(lp.is_alive());
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO));
    lp.run_once().unwrap();
    log.expect(["third", "close"]);
}

#[test]
fn loops_on_several_threads_are_independent() {
    let _guard = Deadline::secs(20);
    let threads = (0..8).map(|thread| {
        std::thread::spawn(move || {
            let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
            let _here = lp.enter();
            for number in 0..3 {
                set_immediate(log.mark(format!("immediate {number} of {thread}")));
            }
            let job = spawn_blocking(move || thread);
            lp.run_once().unwrap();
            Timer::new().start(ms(1), None, note(&log, format!("timer of {thread}"))).unwrap();
            job.callback(move |joined| assert_eq!(joined.unwrap(), thread));
            lp.run().unwrap();
            drop(lp);
            log.take()
        })
    });
    for (thread, joined) in threads.collect::<Vec<_>>().into_iter().enumerate() {
        let immediates = (0..3).map(|number| format!("immediate {number} of {thread}"));
        let expected: Vec<_> = immediates.chain([format!("timer of {thread}")]).collect();
        assert_eq!(joined.join().unwrap(), expected);
    }
}

#[test]
fn loops_one_after_another_on_one_thread_share_nothing() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let mut stale = Vec::new();
    for number in 0..20 {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        stale.push(set_timeout(ms(1), log.mark(number)));
        for id in &stale[..number] {
            id.clear();
            assert!(!id.refresh() && !id.has_ref());
        }
        let timer = Timer::new();
        timer.start(secs(3600), None, |_| ()).unwrap();
        timer.unref();
        lp.run().unwrap();
        log.expect([&number.to_string()]);
        drop(lp);
        assert!(LoopGone::is_in(&timer.start(ms(1), None, |_| ()).unwrap_err()));
    }
}

#[test]
fn two_loops_on_one_thread_take_turns() {
    let _guard = Deadline::secs(20);
    let (mut one, mut two, log) = (Loop::new().unwrap(), Loop::new().unwrap(), EventLog::new());
    let id = one.set_timeout(ms(1), log.mark("cleared"));
    one.set_immediate(log.mark("one"));
    two.set_immediate({
        let log = log.clone();
        move || {
            log.push("two");
            // The id finds its loop though another is current.
            id.clear();
        }
    });
    assert!(try_current().is_none());
    two.run().unwrap();
    assert!(!one.run().unwrap());
    log.expect(["two", "one"]);
    assert!(try_current().is_none());
}

#[test]
fn a_handle_made_inside_of_a_run_belongs_to_the_loop_that_runs() {
    let _guard = Deadline::secs(20);
    let (outer, mut inner) = (Loop::new().unwrap(), Loop::new().unwrap());
    let _here = outer.enter();
    let made = Rc::new(RefCell::new(None));
    inner.set_immediate({
        let made = made.clone();
        move || drop(made.replace(Some(Timer::new())))
    });
    inner.run().unwrap();
    assert_eq!(made.take().unwrap().loop_ref(), *inner);
    assert_eq!(Timer::new().loop_ref(), *outer);
}

#[test]
fn another_loop_may_run_inside_of_a_callback_and_blocks_this_one() {
    let (mut lp, log, _guards) = real();
    next_tick({
        let log = log.clone();
        move || {
            let mut inner = Loop::new().unwrap();
            let here = inner.enter();
            set_timeout(ms(1), log.mark("inner timer"));
            queue_microtask(log.mark("inner microtask"));
            drop(here);
            queue_microtask(log.mark("outer microtask"));
            assert!(!inner.run().unwrap());
            log.push("inner done");
        }
    });
    lp.run().unwrap();
    log.expect(["inner microtask", "inner timer", "inner done", "outer microtask"]);
    assert_eq!(runtime::current(), *lp);
}

#[test]
fn a_dropped_loop_drops_what_it_held_and_calls_nothing_back() {
    let (lp, log, guards) = real();
    struct Noisy(EventLog, &'static str);
    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.push(self.1);
            // All inert.
            set_timeout(ms(1), || ());
            next_tick(|| ());
            assert!(Timer::new().start(ms(1), None, |_| ()).is_err());
        }
    }
    let noisy = |name| {
        let noisy = Noisy(log.clone(), name);
        move || {
            let noisy = &noisy; // all of it is captured
            panic!("{} is called", noisy.1)
        }
    };
    let timer = Timer::new();
    let in_timer = noisy("timer");
    timer.start(ms(0), None, move |_| in_timer()).unwrap();
    timer.closed().callback(|_| panic!("no close callbacks"));
    set_timeout(ms(0), noisy("timeout"));
    set_immediate(noisy("immediate"));
    next_tick(noisy("tick"));
    queue_microtask(noisy("microtask"));
    drop(lp);
    let mut dropped = log.take();
    dropped.sort();
    assert_eq!(dropped, ["immediate", "microtask", "tick", "timeout", "timer"]);
    assert!(timer.is_closing() && !timer.is_active());
    drop(guards);
}

#[cfg(all(unix, not(polling_test_poll_backend)))]
mod embedding {
    use super::*;
    use runtime::handle::{Interest, Poll};

    #[test]
    fn a_loop_runs_inside_of_another_by_its_descriptor() {
        let (mut outer, log, _guards) = real();
        let mut inner = Loop::new().unwrap();
        let sender = {
            let _here = inner.enter();
            Async::new(note(&log, "inner async")).sender()
        };
        let poll = Poll::new(inner.backend_fd()).unwrap();
        let sending = std::thread::spawn(move || sender.send().unwrap());
        poll.start(Interest::READABLE, {
            let log = log.clone();
            move |poll, ready| {
                assert!(ready.unwrap().is_readable());
                // The handle ends with its sender; the loop's end comes in the next run.
                if !inner.run_nowait().unwrap() {
                    log.push("inner done");
                    poll.close();
                }
            }
        });
        outer.run().unwrap();
        sending.join().unwrap();
        log.expect(["inner async", "inner done"]);
    }

    #[test]
    fn timers_of_an_embedded_loop_come_by_its_timeout() {
        let (mut lp, log, _guards) = real();
        set_interval(ms(2), {
            let mut left = 3;
            let log = log.clone();
            move |id| {
                left -= 1;
                log.push(left);
                if left == 0 {
                    id.clear();
                }
            }
        });
        // The embedder's main loop is a loop as well, on another thread.
        let fd = lp.backend_fd().try_clone_to_owned().unwrap();
        let (ask, asked) = std::sync::mpsc::channel::<Option<Duration>>();
        let (tell, told) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let mut lp = Loop::new().unwrap();
            let _here = lp.enter();
            let poll = Poll::new(&fd).unwrap();
            while let Ok(timeout) = asked.recv() {
                lp.block_on(async {
                    let ready = poll.ready(Interest::READABLE);
                    match timeout {
                        Some(timeout) => drop(runtime::time::timeout(timeout, ready).await),
                        None => drop(ready.await),
                    }
                });
                tell.send(()).unwrap();
            }
        });
        while lp.run_nowait().unwrap() {
            let timeout = lp.backend_timeout();
            assert!(timeout.is_some_and(|timeout| timeout <= ms(3)), "{timeout:?}");
            ask.send(timeout).unwrap();
            told.recv().unwrap();
        }
        drop(ask);
        waiter.join().unwrap();
        log.expect(["2", "1", "0"]);
    }

    #[test]
    fn mail_that_comes_between_two_runs_makes_the_descriptor_readable() {
        let (mut outer, _log, _guards) = real();
        let count = Rc::new(std::cell::Cell::new(0));
        let mut inner = Loop::new().unwrap();
        let remote = inner.remote();
        let sender = {
            let _here = inner.enter();
            let count = count.clone();
            Async::new(move |_| count.set(count.get() + 1)).sender()
        };
        let poll = Poll::new(inner.backend_fd()).unwrap();
        outer.block_on(async {
            for round in 1..=100 {
                assert!(inner.run_nowait().unwrap());
                assert_eq!(inner.backend_timeout(), None, "nothing to do");
                let sending = std::thread::spawn({
                    let (sender, remote) = (sender.clone(), remote.clone());
                    move || {
                        if round % 2 == 0 { sender.send() } else { remote.post(|| ()) }.unwrap();
                    }
                });
                poll.ready(Interest::READABLE).await.unwrap();
                sending.join().unwrap();
                inner.run_nowait().unwrap();
                assert_eq!(count.get(), round / 2);
            }
        });
    }

    #[test]
    fn a_descriptor_of_the_inner_loop_wakes_the_outer_one() {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        let (mut outer, log, _guards) = real();
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let mut inner = Loop::new().unwrap();
        {
            let _here = inner.enter();
            let log = log.clone();
            Poll::new(&one).unwrap().start(Interest::READABLE, move |poll, _| {
                let mut byte = [0];
                one.read_exact(&mut byte).unwrap();
                log.push(byte[0]);
                if byte[0] == 2 {
                    poll.close();
                }
            });
        }
        let poll = Poll::new(inner.backend_fd()).unwrap();
        other.write_all(&[1, 2]).unwrap();
        outer.block_on(async {
            while inner.is_alive() {
                poll.ready(Interest::READABLE).await.unwrap();
                inner.run_nowait().unwrap();
            }
        });
        log.expect(["1", "2"]);
    }
}

#[test]
fn a_loop_with_a_manual_clock_and_one_with_a_real_one_live_side_by_side() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let mut jumping = Loop::builder().clock(Clock::manual()).build().unwrap();
    let mut real = Loop::new().unwrap();
    jumping.set_timeout(secs(3600), log.mark("an hour"));
    real.set_timeout(ms(1), log.mark("a millisecond"));
    jumping.run().unwrap();
    real.run().unwrap();
    log.expect(["an hour", "a millisecond"]);
}

#[test]
fn an_interval_ends_with_a_stop_and_run_says_that_it_is_alive() {
    let (mut lp, _clock, log, _guards) = manual();
    set_interval(ms(1), note_id(&log, "interval"));
    set_timeout(ms(3), || runtime::current().stop());
    assert!(lp.run().unwrap());
    assert!(log.take().len() >= 2);
}

#[test]
fn a_callback_can_ask_how_long_the_loop_would_block_and_whether_it_is_alive() {
    let mut lp = Loop::builder().clock(runtime::Clock::manual()).build().unwrap();
    let _here = lp.enter();
    let asked = Rc::new(std::cell::Cell::new(None));
    let ask = asked.clone();
    Timer::new()
        .start(ms(1), None, move |timer| {
            let lp = runtime::current();
            let alone = (lp.is_alive(), lp.backend_timeout());
            timer.start(ms(20), None, |_| ()).unwrap();
            ask.set(Some((alone, (lp.is_alive(), lp.backend_timeout()))));
            timer.stop();
        })
        .unwrap();
    lp.run().unwrap();
    let zero = Some(std::time::Duration::ZERO);
    assert_eq!(asked.get(), Some(((false, zero), (true, Some(ms(20))))));
}
