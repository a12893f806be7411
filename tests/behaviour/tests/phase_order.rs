//! The phases of an iteration, and the order within each.

mod loop_support;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::mpsc;

use behaviour::{Deadline, EventLog};
use loop_support::{closed_handle, manual, note, note_close, real};
use runtime::handle::{Async, AsyncSender, Check, Idle, Prepare, Timer};
use runtime::{Loop, ms, next_tick, set_immediate, set_timeout, spawn_blocking};

/// Starts something for each phase. The sender must be kept.
fn all_phases(lp: &mut Loop, log: &EventLog) -> AsyncSender {
    let closed = closed_handle(lp);
    Timer::new().start(ms(1), None, note(log, "timer")).unwrap();
    set_immediate(log.mark("immediate"));
    Check::new().start(note(log, "check")).unwrap();
    Prepare::new().start(note(log, "prepare")).unwrap();
    Idle::new().start(note(log, "idle")).unwrap();
    let sender = Async::new(note(log, "async")).sender();
    sender.send().unwrap();
    closed.closed().callback(note_close(log, "pending"));
    let closing = Timer::new();
    closing.closed().callback(note_close(log, "close"));
    closing.close();
    sender
}

#[test]
fn run_once_and_run_nowait_run_timers_after_everything_else() {
    for once in [true, false] {
        let (mut lp, clock, log, _guards) = manual();
        let _kept = all_phases(&mut lp, &log);
        clock.advance(ms(1));
        if once { lp.run_once() } else { lp.run_nowait() }.unwrap();
        log.expect(["pending", "idle", "prepare", "async", "check", "immediate", "close", "timer"]);
    }
}

#[test]
fn run_runs_due_timers_once_before_the_first_iteration() {
    let (mut lp, clock, log, _guards) = manual();
    let _kept = all_phases(&mut lp, &log);
    let stopping = Check::new();
    stopping.start(|check| check.loop_ref().stop()).unwrap();
    clock.advance(ms(1));
    lp.run().unwrap();
    log.expect(["timer", "pending", "idle", "prepare", "async", "check", "immediate", "close"]);
}

#[test]
fn a_timer_that_becomes_due_in_an_iteration_runs_at_the_end_of_it() {
    let (mut lp, clock, log, _guards) = manual();
    Timer::new().start(ms(5), None, note(&log, "timer")).unwrap();
    Check::new()
        .start({
            let log = log.clone();
            move |check| {
                log.push("check");
                clock.advance(ms(5));
                check.stop();
            }
        })
        .unwrap();
    // The immediate keeps the clock where it is.
    set_immediate(log.mark("immediate"));
    Prepare::new().start(note(&log, "prepare")).unwrap();
    lp.run_once().unwrap();
    log.expect(["prepare", "check", "immediate", "timer"]);
}

macro_rules! watchers {
    ($module:ident, $Handle:ident) => {
        mod $module {
            use super::*;

            #[test]
            fn newest_started_runs_first() {
                let (mut lp, log, _guards) = real();
                let handles: Vec<_> = (1..=4).map(|_| $Handle::new()).collect();
                for number in [1, 2, 3] {
                    handles[number].start(note(&log, number)).unwrap();
                }
                lp.run_nowait().unwrap();
                log.expect(["3", "2", "1"]);
                handles[0].start(note(&log, "later")).unwrap();
                lp.run_nowait().unwrap();
                log.expect(["later", "3", "2", "1"]);
                handles[1].stop();
                handles[1].start(note(&log, "again")).unwrap();
                lp.run_nowait().unwrap();
                log.expect(["again", "later", "3", "2"]);
            }

            #[test]
            fn one_started_in_a_callback_waits_for_the_next_iteration() {
                let (mut lp, log, _guards) = real();
                $Handle::new()
                    .start({
                        let log = log.clone();
                        let other = $Handle::new();
                        move |_| {
                            log.push("first");
                            other.start(note(&log, "second")).unwrap();
                        }
                    })
                    .unwrap();
                lp.run_nowait().unwrap();
                log.expect(["first"]);
                lp.run_nowait().unwrap();
                log.expect(["second", "first"]);
            }

            #[test]
            fn stopping_or_closing_another_whose_turn_is_to_come_suppresses_it() {
                let (mut lp, log, _guards) = real();
                let (stopped, closed) = ($Handle::new(), $Handle::new());
                stopped.start(note(&log, "stopped")).unwrap();
                closed.start(note(&log, "closed")).unwrap();
                $Handle::new()
                    .start({
                        let (log, stopped, closed) = (log.clone(), stopped.clone(), closed.clone());
                        move |_| {
                            log.push("newest");
                            stopped.stop();
                            closed.close();
                        }
                    })
                    .unwrap();
                lp.run_nowait().unwrap();
                lp.run_nowait().unwrap();
                log.expect(["newest", "newest"]);
            }

            #[test]
            fn stop_and_start_in_its_own_callback_is_once_an_iteration() {
                let (mut lp, log, _guards) = real();
                $Handle::new()
                    .start({
                        let log = log.clone();
                        move |me| {
                            log.push("old");
                            me.stop();
                            me.start(note(&log, "new")).unwrap();
                        }
                    })
                    .unwrap();
                lp.run_nowait().unwrap();
                log.expect(["old"]);
                lp.run_nowait().unwrap();
                lp.run_nowait().unwrap();
                log.expect(["new", "new"]);
            }

            #[test]
            fn start_when_started_keeps_the_first_callback() {
                let (mut lp, log, _guards) = real();
                let handle = $Handle::new();
                handle.start(note(&log, "first")).unwrap();
                handle.start(note(&log, "second")).unwrap();
                lp.run_nowait().unwrap();
                log.expect(["first"]);
                handle.stop();
                handle.stop();
                assert!(!handle.is_active());
                assert!(!lp.run_nowait().unwrap());
                log.expect([]);
            }

            #[test]
            fn a_panic_does_not_lose_those_whose_turn_is_to_come() {
                let (mut lp, log, _guards) = real();
                $Handle::new().start(note(&log, "oldest")).unwrap();
                let panics = Rc::new(Cell::new(true));
                $Handle::new()
                    .start({
                        let (log, panics) = (log.clone(), panics.clone());
                        move |_| {
                            log.push("middle");
                            assert!(!panics.replace(false), "once");
                        }
                    })
                    .unwrap();
                $Handle::new().start(note(&log, "newest")).unwrap();
                let run = std::panic::AssertUnwindSafe(|| lp.run_nowait());
                assert!(std::panic::catch_unwind(run).is_err());
                log.expect(["newest", "middle"]);
                lp.run_nowait().unwrap();
                log.expect(["oldest"]);
                lp.run_nowait().unwrap();
                log.expect(["newest", "middle", "oldest"]);
            }
        }
    };
}

watchers!(idle, Idle);
watchers!(prepare, Prepare);
watchers!(check, Check);

#[test]
fn a_prepare_that_an_idle_starts_runs_in_the_same_iteration() {
    let (mut lp, log, _guards) = real();
    Idle::new()
        .start({
            let log = log.clone();
            let (prepare, check) = (Prepare::new(), Check::new());
            move |idle| {
                idle.close();
                prepare.start(note(&log, "prepare")).unwrap();
                check.start(note(&log, "check")).unwrap();
            }
        })
        .unwrap();
    lp.run_nowait().unwrap();
    log.expect(["prepare", "check"]);
}

#[test]
fn check_handles_run_before_immediates_however_late_they_were_started() {
    let (mut lp, log, _guards) = real();
    set_immediate(log.mark("immediate"));
    Check::new().start(note(&log, "check")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["check", "immediate"]);
}

#[test]
fn an_immediate_that_a_check_sets_runs_in_the_same_phase_one_that_an_immediate_sets_does_not() {
    let (mut lp, log, _guards) = real();
    Check::new()
        .start({
            let log = log.clone();
            move |check| {
                check.stop();
                let inner = log.clone();
                set_immediate(move || {
                    inner.push("first");
                    set_immediate(inner.mark("second"));
                });
            }
        })
        .unwrap();
    lp.run_nowait().unwrap();
    log.expect(["first"]);
    lp.run_nowait().unwrap();
    log.expect(["second"]);
}

#[test]
fn close_callbacks_run_last_closed_first() {
    let (mut lp, log, _guards) = real();
    let handles: Vec<_> = (1..=3).map(|_| Timer::new()).collect();
    for (number, handle) in handles.iter().enumerate() {
        handle.closed().callback(note_close(&log, number + 1));
    }
    for handle in &handles {
        handle.close();
    }
    lp.run().unwrap();
    log.expect(["3", "2", "1"]);
}

#[test]
fn what_ends_with_its_last_owner_is_closed_in_the_same_order() {
    let (mut lp, log, _guards) = real();
    let [first, second, third] = [(); 3].map(|()| Timer::new());
    first.closed().callback(note_close(&log, "first"));
    second.closed().callback(note_close(&log, "second"));
    third.closed().callback(note_close(&log, "third"));
    first.close();
    drop(second);
    third.close();
    lp.run().unwrap();
    log.expect(["third", "second", "first"]);
}

#[test]
fn a_handle_closed_in_a_close_callback_waits_for_the_next_iteration() {
    let (mut lp, log, _guards) = real();
    let (outer, inner) = (Timer::new(), Timer::new());
    inner.closed().callback(note_close(&log, "inner"));
    outer.closed().callback({
        let log = log.clone();
        move |_: io::Result<()>| {
            log.push("outer");
            inner.close();
        }
    });
    outer.close();
    Check::new().start(note(&log, "check")).unwrap();
    assert!(lp.run_nowait().unwrap());
    log.expect(["check", "outer"]);
    lp.run_nowait().unwrap();
    log.expect(["check", "inner"]);
}

#[test]
fn close_callbacks_come_after_check_and_before_timers() {
    let (mut lp, clock, log, _guards) = manual();
    let handle = Timer::new();
    handle.closed().callback(note_close(&log, "close"));
    Timer::new().start(ms(1), None, note(&log, "timer")).unwrap();
    Check::new()
        .start({
            let log = log.clone();
            move |_| {
                log.push("check");
                handle.close();
            }
        })
        .unwrap();
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    log.expect(["check", "close", "timer"]);
}

#[test]
fn pending_callbacks_run_first_come_first_served() {
    let (mut lp, log, _guards) = real();
    let closed = closed_handle(&mut lp);
    for number in 1..=3 {
        closed.closed().callback(note_close(&log, number));
    }
    assert!(lp.is_alive());
    assert!(!lp.run_nowait().unwrap());
    log.expect(["1", "2", "3"]);
}

#[test]
fn a_callback_that_always_adds_another_to_pending_gets_nine_rounds_an_iteration() {
    fn step(handle: &Timer, count: &Rc<Cell<u32>>) {
        handle.closed().callback({
            let (handle, count) = (handle.clone(), count.clone());
            move |_: io::Result<()>| {
                count.set(count.get() + 1);
                step(&handle, &count);
            }
        });
    }
    let (mut lp, _log, _guards) = real();
    let (closed, count) = (closed_handle(&mut lp), Rc::new(Cell::new(0)));
    step(&closed, &count);
    let mut seen = [0; 3];
    for seen in &mut seen {
        assert!(lp.run_once().unwrap(), "it does not block either");
        *seen = count.get();
    }
    // One round at the top, eight after poll.
    assert_eq!(seen, [9, 18, 27]);
}

#[test]
fn pending_that_poll_queues_runs_before_check() {
    let (mut lp, log, _guards) = real();
    let closed = closed_handle(&mut lp);
    let sender = Async::new({
        let log = log.clone();
        move |_| {
            log.push("async");
            closed.closed().callback(note_close(&log, "pending"));
        }
    })
    .sender();
    sender.send().unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["async", "pending", "check"]);
}

#[test]
fn pending_that_check_queues_runs_in_the_next_iteration_before_idle() {
    let (mut lp, log, _guards) = real();
    let closed = closed_handle(&mut lp);
    set_immediate({
        let log = log.clone();
        move || {
            closed.closed().callback(note_close(&log, "pending"));
        }
    });
    Idle::new().start(note(&log, "idle")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["idle"]);
    lp.run_nowait().unwrap();
    log.expect(["pending", "idle"]);
}

thread_local! {
    /// For closures that must be `Send`, and run on this thread.
    static LOG: EventLog = EventLog::new();
}

fn log_here() -> EventLog {
    LOG.with(EventLog::clone)
}

#[test]
fn in_poll_completions_come_first_then_signalled_handles_then_posts() {
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let (_here, _deadline, log) = (lp.enter(), Deadline::secs(20), log_here());
    lp.remote().post(|| log_here().push("post")).unwrap();
    let sender = Async::new(note(&log, "async")).sender();
    sender.send().unwrap();
    // One thread: when the second job runs, the first one's completion is in the mailbox.
    let (done, is_done) = mpsc::channel();
    spawn_blocking(|| ()).callback({
        let log = log.clone();
        move |_| log.push("completion")
    });
    spawn_blocking(move || done.send(())).callback(|_| ());
    is_done.recv().unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["completion", "async", "post", "check"]);
}

#[cfg(unix)]
#[test]
fn in_poll_mail_comes_before_readiness_and_before_deferred_tasks() {
    use runtime::handle::{Interest, Poll};
    let mut lp = Loop::builder().task_polls_per_checkpoint(1).build().unwrap();
    let (_here, _deadline, log) = (lp.enter(), Deadline::secs(20), log_here());
    // The first is polled in the checkpoint that begins the run, the second is over the limit.
    for name in ["task", "deferred task"] {
        let log = log.clone();
        drop(runtime::spawn(async move { log.push(name) }));
    }
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    Poll::new(&one).unwrap().start(Interest::WRITABLE, {
        let log = log.clone();
        move |_, _| log.push("ready")
    });
    lp.remote().post(|| log_here().push("post")).unwrap();
    Prepare::new().start(note(&log, "prepare")).unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    lp.run_nowait().unwrap();
    log.expect(["task", "prepare", "post", "ready", "deferred task", "check"]);
}

#[test]
fn what_is_posted_while_posts_run_waits_for_the_next_iteration() {
    let (mut lp, _, _guards) = real();
    let (log, remote) = (log_here(), lp.remote());
    lp.remote()
        .post(move || {
            log_here().push("first");
            remote.post(|| log_here().push("second")).unwrap();
        })
        .unwrap();
    assert!(lp.is_alive(), "mail that waits keeps the loop alive");
    assert!(lp.run_nowait().unwrap());
    log.expect(["first"]);
    assert!(!lp.run_nowait().unwrap());
    log.expect(["second"]);
}

#[test]
fn ticks_run_between_any_two_phases() {
    let (mut lp, clock, log, _guards) = manual();
    let ticking = |name: &'static str| {
        let log = log.clone();
        move || {
            log.push(name);
            next_tick(log.mark(format!("{name}'s tick")));
        }
    };
    Idle::new().start(each(ticking("idle"))).unwrap();
    Prepare::new().start(each(ticking("prepare"))).unwrap();
    Check::new().start(each(ticking("check"))).unwrap();
    set_immediate(ticking("immediate"));
    set_timeout(ms(1), ticking("timeout"));
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    log.expect([
        "idle",
        "idle's tick",
        "prepare",
        "prepare's tick",
        "check",
        "check's tick",
        "immediate",
        "immediate's tick",
        "timeout",
        "timeout's tick",
    ]);
}

/// A handle's callback that does `f` each time.
fn each<H: 'static>(f: impl Fn() + 'static) -> impl FnMut(&H) + 'static {
    move |_: &H| f()
}
