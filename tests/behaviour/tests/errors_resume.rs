//! What an error does: it comes out of `run`, and the next run goes on with the rest; or `on_uncaught`
//! takes it, and the loop goes on by itself. The order of the rest is Node's, and the same in both.

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::handle::{Async, Check, Idle, Prepare, Timer};
use runtime::{
    Clock, Loop, Outcome, Result, Uncaught, at_checkpoint_end, before_exit, ms, next_tick,
    on_uncaught, on_unhandled, queue_microtask, set_immediate, set_interval, set_timeout, spawn,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Throw {
    Err,
    Panic,
}

impl Throw {
    fn now(self, name: &str) -> Result {
        match self {
            Self::Err => Err(name.into()),
            Self::Panic => panic!("{name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Caught {
    /// By the embedder, who runs the loop again.
    OutOfRun,
    /// By `on_uncaught`.
    ByHandler,
}

/// What a scenario has at hand.
#[derive(Clone)]
struct Stage {
    log: EventLog,
    throw: Throw,
    clock: Clock,
    /// Called at each error.
    on_error: Rc<RefCell<Option<OnError>>>,
}

type OnError = Box<dyn FnMut()>;

impl Stage {
    fn mark(&self, event: impl Display + 'static) -> impl FnOnce() + 'static {
        self.log.mark(event)
    }

    /// Throws, and says where.
    fn throw(&self, name: &'static str) -> impl FnOnce() -> Result + 'static {
        let throw = self.throw;
        move || throw.now(name)
    }

    /// Notes `name`, queues a tick "rest of name", and throws.
    fn fail(&self, name: &'static str) -> impl FnOnce() -> Result + 'static {
        let me = self.clone();
        move || {
            me.log.push(name);
            next_tick(me.mark(format!("rest of {name}")));
            me.throw.now(name)
        }
    }

    /// Notes `name`, and queues a tick that throws, another one behind it, and a microtask.
    fn fail_in_tick(&self, name: &'static str) -> impl FnOnce() + 'static {
        let me = self.clone();
        move || {
            me.log.push(name);
            queue_microtask(me.mark("microtask"));
            next_tick(me.throw("tick"));
            next_tick(me.mark("second tick"));
        }
    }

    /// Notes once that an iteration came to its prepare phase.
    fn note_prepare(&self) {
        let (prepare, log) = (Prepare::new(), self.log.clone());
        let noting = move |prepare: &Prepare| {
            log.push("prepare");
            prepare.close();
        };
        prepare.start(noting).unwrap();
        prepare.unref();
    }

    fn error(&self, error: impl Display) {
        self.log.push(format!("error: {error}"));
        if let Some(on_error) = &mut *self.on_error.borrow_mut() {
            on_error();
        }
    }
}

fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
        .expect("a text")
}

/// Plays a scenario and gives what happened.
fn play(caught: Caught, throw: Throw, scenario: impl Fn(&Stage)) -> Vec<String> {
    let clock = Clock::manual();
    let mut lp = Loop::builder().clock(clock.clone()).pool_threads(1).build().unwrap();
    let stage = Stage { log: EventLog::new(), throw, clock, on_error: Rc::default() };
    {
        let _here = lp.enter();
        if caught == Caught::ByHandler {
            let telling = stage.clone();
            on_uncaught(move |error| telling.error(error));
        }
        scenario(&stage);
    }
    for _ in 0..20 {
        match catch_unwind(AssertUnwindSafe(|| lp.run())) {
            Ok(Ok(_)) => {
                assert!(!lp.is_alive());
                return stage.log.take();
            }
            Ok(Err(error)) => {
                assert_eq!((throw, caught), (Throw::Err, Caught::OutOfRun));
                let _here = lp.enter();
                stage.error(error);
            }
            Err(payload) => {
                assert_eq!((throw, caught), (Throw::Panic, Caught::OutOfRun));
                let _here = lp.enter();
                stage.error(payload_text(&*payload));
            }
        }
    }
    panic!("it never ends: {:?}", stage.log.take());
}

/// Expects the same of errors and panics, caught by whom it may be.
#[track_caller]
fn expect<const N: usize>(expected: [&str; N], scenario: impl Fn(&Stage)) {
    for caught in [Caught::OutOfRun, Caught::ByHandler] {
        expect_if(caught, expected, &scenario);
    }
}

#[track_caller]
fn expect_if<const N: usize>(caught: Caught, expected: [&str; N], scenario: impl Fn(&Stage)) {
    let _guard = Deadline::secs(20);
    for throw in [Throw::Err, Throw::Panic] {
        assert_eq!(play(caught, throw, &scenario), expected, "{caught:?}, {throw:?}");
    }
}

// --- the rows of the table ---

#[test]
fn a_microtask_that_throws_does_not_stop_its_drain() {
    expect(
        ["immediate", "tick", "error: microtask 1", "microtask 2", "late tick", "next immediate"],
        |stage| {
            let me = stage.clone();
            set_immediate(move || {
                me.log.push("immediate");
                queue_microtask(me.throw("microtask 1"));
                let more = me.clone();
                queue_microtask(move || {
                    more.log.push("microtask 2");
                    next_tick(more.mark("late tick"));
                });
                next_tick(me.mark("tick"));
            });
            set_immediate(stage.mark("next immediate"));
        },
    );
}

#[test]
fn a_microtask_of_the_script_that_throws_does_not_stop_its_drain() {
    expect(["tick", "error: microtask 1", "microtask 2", "immediate"], |stage| {
        queue_microtask(stage.throw("microtask 1"));
        queue_microtask(stage.mark("microtask 2"));
        next_tick(stage.mark("tick"));
        set_immediate(stage.mark("immediate"));
    });
}

#[test]
fn the_rest_behind_a_tick_of_the_script_runs_at_the_start_of_the_check_phase() {
    expect(
        ["script", "error: tick", "prepare", "second tick", "microtask", "immediate"],
        |stage| {
            stage.note_prepare();
            stage.fail_in_tick("script")();
            set_immediate(stage.mark("immediate"));
        },
    );
}

#[test]
fn the_rest_behind_a_tick_of_the_script_runs_after_a_timer_that_is_due() {
    expect(["script", "error: tick", "timer", "second tick", "microtask", "immediate"], |stage| {
        stage.fail_in_tick("script")();
        set_timeout(ms(1), stage.mark("timer"));
        set_immediate(stage.mark("immediate"));
        stage.clock.advance(ms(5));
    });
}

#[test]
fn the_rest_behind_a_tick_between_immediates_runs_after_the_next_of_them() {
    expect(
        ["immediate 1", "error: tick", "immediate 2", "second tick", "microtask", "immediate 3"],
        |stage| {
            set_immediate(stage.fail_in_tick("immediate 1"));
            set_immediate(stage.mark("immediate 2"));
            set_immediate(stage.mark("immediate 3"));
        },
    );
}

#[test]
fn the_rest_behind_a_tick_between_timers_of_a_list_runs_after_the_next_of_them() {
    expect(["timer 1", "error: tick", "timer 2", "second tick", "microtask", "timer 3"], |stage| {
        set_timeout(ms(1), stage.fail_in_tick("timer 1"));
        set_timeout(ms(1), stage.mark("timer 2"));
        set_timeout(ms(1), stage.mark("timer 3"));
    });
}

#[test]
fn the_rest_behind_a_tick_between_lists_runs_after_the_first_of_the_next_list() {
    expect(["timer 1", "error: tick", "timer 2", "second tick", "microtask", "timer 3"], |stage| {
        set_timeout(ms(1), stage.fail_in_tick("timer 1"));
        set_timeout(ms(2), stage.mark("timer 2"));
        set_timeout(ms(2), stage.mark("timer 3"));
        stage.clock.advance(ms(5));
    });
}

#[test]
fn what_a_failed_timer_queued_runs_after_the_next_of_its_list() {
    expect(["timer 1", "error: timer 1", "timer 2", "rest of timer 1", "timer 3"], |stage| {
        set_timeout(ms(1), stage.fail("timer 1"));
        set_timeout(ms(1), stage.mark("timer 2"));
        set_timeout(ms(2), stage.mark("timer 3"));
        stage.clock.advance(ms(5));
    });
}

#[test]
fn what_the_last_timer_of_a_list_queued_runs_before_the_next_list() {
    expect(["timer 1", "error: timer 1", "rest of timer 1", "timer 2"], |stage| {
        set_timeout(ms(1), stage.fail("timer 1"));
        set_timeout(ms(2), stage.mark("timer 2"));
        stage.clock.advance(ms(5));
    });
}

#[test]
fn if_the_handler_clears_the_rest_of_the_list_the_next_is_entered_without_a_drain() {
    expect(["timer 1", "error: timer 1", "timer 3", "rest of timer 1"], |stage| {
        set_timeout(ms(1), stage.fail("timer 1"));
        let second = set_timeout(ms(1), stage.mark("timer 2"));
        set_timeout(ms(2), stage.mark("timer 3"));
        stage.clock.advance(ms(5));
        stage.on_error.replace(Some(Box::new(move || second.clear())));
    });
}

#[test]
fn what_a_failed_immediate_queued_runs_after_the_next_of_the_batch() {
    expect(["first", "error: first", "second", "rest of first", "third"], |stage| {
        set_immediate(stage.fail("first"));
        set_immediate(stage.mark("second"));
        set_immediate(stage.mark("third"));
    });
}

#[test]
fn if_the_last_immediate_fails_the_phase_starts_over_with_those_queued_meanwhile() {
    expect(["only", "error: only", "queued by it", "rest of only", "timer"], |stage| {
        set_timeout(ms(1), stage.mark("timer"));
        let me = stage.clone();
        set_immediate(move || {
            set_immediate(me.mark("queued by it"));
            // Due at the end of this iteration, and so behind what the phase still does.
            me.clock.advance(ms(5));
            me.fail("only")()
        });
    });
}

#[test]
fn what_a_failed_completion_queued_runs_after_the_next_of_this_poll_phase() {
    expect(["post 1", "error: post 1", "post 2", "rest of post 1", "immediate"], |stage| {
        thread_local! {
            static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
        }
        STAGE.set(Some(stage.clone()));
        let remote = runtime::current().remote();
        remote.post(|| STAGE.with_borrow(|stage| stage.clone().unwrap()).fail("post 1")()).unwrap();
        remote.post(|| STAGE.take().unwrap().log.push("post 2")).unwrap();
        set_immediate(stage.mark("immediate"));
    });
}

#[test]
fn what_the_last_completion_of_a_poll_phase_queued_runs_before_the_immediates() {
    expect(["read", "error: read", "rest of read", "immediate"], |stage| {
        let me = stage.clone();
        runtime::fs::metadata(".").callback(move |found| {
            found.unwrap();
            set_immediate(me.mark("immediate"));
            me.fail("read")()
        });
    });
}

#[test]
fn the_rest_behind_a_tick_after_a_completion_runs_after_the_next_of_this_phase() {
    expect(
        ["async 1", "error: tick", "async 2", "second tick", "microtask", "immediate"],
        |stage| {
            let mut first = Some(stage.fail_in_tick("async 1"));
            let senders = [
                Async::new(move |_| first.take().unwrap()()).sender(),
                Async::new({
                    let log = stage.log.clone();
                    move |_| log.push("async 2")
                })
                .sender(),
            ];
            senders.iter().for_each(|sender| sender.send().unwrap());
            set_immediate(stage.mark("immediate"));
        },
    );
}

#[test]
fn the_rest_behind_a_tick_after_a_close_runs_after_the_next_macro_callback() {
    expect(["closed", "error: tick", "timer", "second tick", "microtask"], |stage| {
        let handle = Timer::new();
        let (failing, clock) = (stage.fail_in_tick("closed"), stage.clock.clone());
        handle.closed().callback(move |_| {
            clock.advance(ms(5));
            failing();
        });
        handle.close();
        set_timeout(ms(1), stage.mark("timer"));
    });
}

#[test]
fn an_interval_that_fails_is_armed_all_the_same() {
    expect(["interval 1", "error: interval", "interval 2"], |stage| {
        let (me, mut firings) = (stage.clone(), 0);
        set_interval(ms(1), move |id| {
            firings += 1;
            me.log.push(format!("interval {firings}"));
            if firings == 1 {
                return me.throw.now("interval");
            }
            id.clear();
            Ok(())
        });
    });
}

#[test]
fn what_a_failed_before_exit_queued_runs_at_the_next_drain_and_before_exit_comes_once_more() {
    let scenario = |stage: &Stage| {
        let (me, mut emissions) = (stage.clone(), 0);
        stage.note_prepare();
        before_exit(move || {
            emissions += 1;
            me.log.push(format!("before exit {emissions}"));
            if emissions == 1 {
                next_tick(me.mark("tick"));
                return me.throw.now("before exit");
            }
            Ok(())
        });
    };
    // The empty immediate of a handled error is one more iteration.
    let with_handler = ["before exit 1", "error: before exit", "prepare", "tick", "before exit 2"];
    expect_if(Caught::ByHandler, with_handler, scenario);
    let without = ["before exit 1", "error: before exit", "before exit 2", "tick"];
    expect_if(Caught::OutOfRun, without, scenario);
}

// --- nothing is lost, whatever phase it was ---

#[test]
fn the_other_handles_of_a_phase_have_their_turn_once() {
    fn trio<H: 'static>(
        stage: &Stage,
        name: &'static str,
        start: impl Fn(Box<dyn FnMut(&H) -> Result>),
        stop: fn(&H),
    ) {
        for n in 1..=3 {
            let me = stage.clone();
            start(Box::new(move |handle| {
                me.log.push(format!("{name} {n}"));
                stop(handle);
                if n == 2 { me.throw.now(name) } else { Ok(()) }
            }));
        }
    }
    expect(
        [
            "idle 3",
            "idle 2",
            "error: idle",
            "idle 1",
            "prepare 3",
            "prepare 2",
            "error: prepare",
            "prepare 1",
            "check 3",
            "check 2",
            "error: check",
            "check 1",
            "immediate",
        ],
        |stage| {
            trio::<Idle>(stage, "idle", |f| Idle::new().start(f).unwrap(), Idle::stop);
            trio::<Prepare>(stage, "prepare", |f| Prepare::new().start(f).unwrap(), Prepare::stop);
            trio::<Check>(stage, "check", |f| Check::new().start(f).unwrap(), Check::stop);
            set_immediate(stage.mark("immediate"));
        },
    );
}

#[test]
fn the_other_timer_handles_that_are_due_fire_in_the_same_phase() {
    expect(["timer 1", "timer 2", "error: timer", "timer 3", "prepare", "timer 4"], |stage| {
        for n in 1..=3 {
            let me = stage.clone();
            let firing = move |_: &Timer| {
                me.log.push(format!("timer {n}"));
                if n == 3 {
                    me.note_prepare();
                    let log = me.log.clone();
                    Timer::new().start(ms(0), None, move |_| log.push("timer 4"))?;
                }
                if n == 2 { me.throw.now("timer") } else { Ok(()) }
            };
            Timer::new().start(ms(n), None, firing).unwrap();
        }
        stage.clock.advance(ms(5));
    });
}

#[test]
fn the_other_closing_handles_are_told_in_the_same_phase() {
    expect(["closed 3", "closed 2", "error: closed", "closed 1", "prepare"], |stage| {
        for n in 1..=3 {
            let (handle, me) = (Idle::new(), stage.clone());
            handle.closed().callback(move |_| {
                me.log.push(format!("closed {n}"));
                if n == 3 {
                    me.note_prepare();
                    set_immediate(|| ());
                }
                if n == 2 { me.throw.now("closed") } else { Ok(()) }
            });
            handle.close();
        }
    });
}

#[test]
fn several_waiters_for_one_close_are_all_told() {
    expect(["first", "error: first", "second", "rest of first"], |stage| {
        let handle = Idle::new();
        let failing = stage.fail("first");
        handle.closed().callback(move |_| failing());
        let second = stage.mark("second");
        handle.closed().callback(move |_| second());
        handle.close();
    });
}

#[test]
fn what_waits_for_the_pending_phase_is_all_called_back_in_it() {
    expect(["first", "error: first", "second", "rest of first", "prepare"], |stage| {
        let me = stage.clone();
        let handle = Idle::new();
        let closed = handle.clone();
        handle.closed().callback(move |_| {
            me.note_prepare();
            // Done at once: they go through the pending phase.
            let failing = me.fail("first");
            closed.closed().callback(move |_| failing());
            let second = me.mark("second");
            closed.closed().callback(move |_| second());
        });
        handle.close();
    });
}

#[cfg(unix)]
#[test]
fn the_other_events_of_the_batch_are_delivered_before_the_check_phase() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    let _guard = Deadline::secs(20);
    for throw in [Throw::Err, Throw::Panic] {
        for caught in [Caught::OutOfRun, Caught::ByHandler] {
            let pairs: Vec<_> = (0..4).map(|_| UnixStream::pair().unwrap()).collect();
            let seen = play(caught, throw, |stage| {
                let failed = Rc::new(std::cell::Cell::new(false));
                for (one, other) in &pairs {
                    (&*other).write_all(b"x").unwrap();
                    let (me, failed) = (stage.clone(), failed.clone());
                    let poll = runtime::handle::Poll::new(one).unwrap();
                    poll.start(runtime::handle::Interest::READABLE, move |poll, _| {
                        me.log.push("event");
                        poll.close();
                        if failed.replace(true) { Ok(()) } else { me.throw.now("event") }
                    });
                }
                set_immediate(stage.mark("immediate"));
            });
            let expected = ["event", "error: event", "event", "event", "event", "immediate"];
            assert_eq!(seen, expected, "{caught:?}, {throw:?}");
        }
    }
}

#[test]
fn the_end_of_a_checkpoint_that_throws_leaves_the_rest_for_the_next_drain() {
    expect(["error: end 1", "immediate 1", "end 2", "immediate 2"], |stage| {
        at_checkpoint_end(stage.throw("end 1"));
        // What is left is a part of a drain, and the next is at the start of the check phase.
        let me = stage.clone();
        at_checkpoint_end(move || {
            me.log.push("end 2");
            set_immediate(me.mark("immediate 2"));
        });
        let check = Check::new();
        check.start(|check| check.close()).unwrap();
        let prepare = Prepare::new();
        let log = stage.log.clone();
        prepare
            .start(move |prepare| {
                log.push("immediate 1");
                prepare.stop();
                prepare.unref();
            })
            .unwrap();
    });
}

#[test]
fn several_errors_in_one_pass_come_one_by_one() {
    expect(
        [
            "1",
            "error: 1",
            "2",
            "error: 2",
            "3",
            "rest of 1",
            "rest of 2",
            "4",
            "error: 4",
            "rest of 4",
        ],
        |stage| {
            set_immediate(stage.fail("1"));
            set_immediate(stage.fail("2"));
            set_immediate(stage.mark("3"));
            set_immediate(stage.fail("4"));
        },
    );
}

#[test]
fn a_captured_value_that_panics_in_its_drop_counts_as_its_callback() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let _guard = Deadline::secs(20);
    for caught in [Caught::OutOfRun, Caught::ByHandler] {
        let seen = play(caught, Throw::Panic, |stage| {
            let (me, bomb) = (stage.clone(), Bomb);
            set_immediate(move || {
                let _bomb = bomb;
                me.log.push("immediate 1");
                next_tick(me.mark("tick"));
            });
            set_immediate(stage.mark("immediate 2"));
        });
        assert_eq!(seen, ["immediate 1", "error: bomb", "immediate 2", "tick"], "{caught:?}");
    }
}

#[test]
fn a_captured_value_that_panics_when_its_handle_ends_is_an_uncaught_error() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    impl Bomb {
        fn touch(&self) {}
    }
    let _guard = Deadline::secs(20);
    for caught in [Caught::OutOfRun, Caught::ByHandler] {
        let seen = play(caught, Throw::Panic, |stage| {
            for n in [1, 2] {
                let (handle, bomb, log) = (Idle::new(), Bomb, stage.log.clone());
                handle.closed().callback(move |_| log.push(format!("closed {n}")));
                handle.start(move |_| bomb.touch()).unwrap();
                handle.close();
            }
        });
        assert_eq!(seen, ["closed 2", "error: bomb", "closed 1", "error: bomb"], "{caught:?}");
    }
}

// --- out of run ---

#[test]
fn an_io_error_comes_out_as_it_is_and_another_inside_of_one() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.set_immediate(|| -> Result { Err(io::Error::from_raw_os_error(11).into()) });
    assert_eq!(lp.run().unwrap_err().raw_os_error(), Some(11));
    lp.set_immediate(|| -> Result { Ok("x".parse::<u8>().map(drop)?) });
    let error = lp.run().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert_eq!(error.to_string(), "invalid digit found in string");
}

#[test]
fn the_payload_of_a_panic_comes_out_as_it_is() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.set_immediate(|| std::panic::panic_any(41_u64));
    let payload = catch_unwind(AssertUnwindSafe(|| lp.run())).unwrap_err();
    assert_eq!(payload.downcast_ref::<u64>(), Some(&41));
}

#[test]
fn each_run_mode_resumes_the_interrupted_iteration() {
    let _guard = Deadline::secs(20);
    type Run = fn(&mut Loop) -> io::Result<bool>;
    let modes: [(&str, Run); 3] =
        [("run", Loop::run), ("run_once", Loop::run_once), ("run_nowait", Loop::run_nowait)];
    for (first, run_first) in modes {
        for (second, run_second) in modes {
            let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
            let here = lp.enter();
            let noting = log.clone();
            Prepare::new()
                .start(move |prepare| {
                    noting.push("prepare");
                    prepare.unref();
                })
                .unwrap();
            set_immediate(|| -> Result { Err("thrown".into()) });
            set_immediate(log.mark("immediate"));
            drop(here);
            run_first(&mut lp).unwrap_err();
            assert!(lp.is_alive(), "the iteration is not done");
            assert_eq!(lp.backend_timeout(), Some(ms(0)));
            log.expect(["prepare"]);
            assert!(!run_second(&mut lp).unwrap(), "{first}, then {second}");
            log.expect(["immediate"]);
        }
    }
}

#[test]
fn what_is_queued_between_two_runs_goes_behind_the_rest() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.set_immediate(move || -> Result {
        next_tick(noting.mark("old tick"));
        Err("thrown".into())
    });
    lp.set_immediate(log.mark("old immediate"));
    lp.run().unwrap_err();
    lp.next_tick(log.mark("new tick"));
    lp.set_immediate(log.mark("new immediate"));
    lp.run().unwrap();
    log.expect(["old immediate", "old tick", "new tick", "new immediate"]);
}

#[test]
fn block_on_raises_a_callbacks_error_and_the_loop_can_go_on() {
    let _guard = Deadline::secs(20);
    for throw in [Throw::Err, Throw::Panic] {
        let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
        let marked = log.mark("immediate 2");
        let raised = catch_unwind(AssertUnwindSafe(|| {
            lp.block_on(async move {
                set_immediate(move || throw.now("thrown"));
                set_immediate(marked);
                std::future::pending::<()>().await;
            });
        }));
        assert!(payload_text(&*raised.unwrap_err()).contains("thrown"));
        log.expect([]);
        assert_eq!(lp.block_on(async { spawn(async { 3 }).await.unwrap() }), 3);
        lp.run().unwrap();
        log.expect(["immediate 2"]);
    }
}

#[test]
fn block_on_unwinds_with_the_futures_panic_and_the_loop_can_go_on() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    for when in 0..3 {
        let tick = log.mark("tick");
        let raised = catch_unwind(AssertUnwindSafe(|| {
            lp.block_on(async move {
                next_tick(tick);
                match when {
                    0 => {}
                    1 => runtime::yield_microtask().await,
                    _ => runtime::yield_now().await,
                }
                panic!("main");
            });
        }));
        assert_eq!(payload_text(&*raised.unwrap_err()), "main");
        lp.run().unwrap();
        log.expect(["tick"]);
    }
}

#[test]
fn stop_beside_an_error_is_not_lost() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.set_immediate(move || -> Result {
        runtime::current().stop();
        set_immediate(noting.mark("next iteration"));
        Err("thrown".into())
    });
    lp.set_immediate(log.mark("this iteration"));
    lp.run().unwrap_err();
    assert!(lp.run().unwrap(), "stopped after the iteration, and alive");
    log.expect(["this iteration"]);
    lp.run().unwrap();
    log.expect(["next iteration"]);
}

// --- the handlers ---

#[test]
fn a_handler_is_called_at_the_point_of_the_error_with_what_was_thrown() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_uncaught(move |error| {
        noting.push(match error {
            Uncaught::Error(error) if error.is::<io::Error>() => "io error",
            Uncaught::Error(_) => "error",
            Uncaught::Panic(payload) if payload.is::<u8>() => "panic with a number",
            Uncaught::Panic(_) => "panic",
        });
        next_tick(noting.mark("tick of the handler"));
    });
    set_immediate(|| -> Result { Err(io::Error::other("x").into()) });
    set_immediate(|| std::panic::panic_any(1_u8));
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.expect([
        "io error",
        "panic with a number",
        "immediate",
        "tick of the handler",
        "tick of the handler",
    ]);
}

#[test]
fn an_error_of_the_handler_ends_the_run_which_can_go_on() {
    let _guard = Deadline::secs(20);
    for throw in [Throw::Err, Throw::Panic] {
        let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
        let _here = lp.enter();
        let mut errors = 0;
        on_uncaught(move |_| {
            errors += 1;
            if errors == 1 { throw.now("of the handler") } else { Ok(()) }
        });
        set_immediate(|| -> Result { Err("first".into()) });
        set_immediate(|| -> Result { Err("second".into()) });
        set_immediate(log.mark("third"));
        match catch_unwind(AssertUnwindSafe(|| lp.run())) {
            Ok(result) => assert_eq!(result.unwrap_err().to_string(), "of the handler"),
            Err(payload) => assert_eq!(payload_text(&*payload), "of the handler"),
        }
        log.expect([]);
        // The handler is there still, and takes the second.
        lp.run().unwrap();
        log.expect(["third"]);
    }
}

#[test]
fn a_handler_may_replace_itself() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_uncaught(move |error| {
        noting.push(format!("old: {error}"));
        let more = noting.clone();
        on_uncaught(move |error| more.push(format!("new: {error}")));
    });
    for name in ["1", "2"] {
        set_immediate(move || -> Result { Err(name.into()) });
    }
    lp.run().unwrap();
    log.expect(["old: 1", "new: 2"]);
}

#[test]
fn an_error_of_on_unhandled_is_an_uncaught_error() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| -> Result {
        noting.push(format!("unhandled: {error}"));
        Err("of the handler".into())
    });
    drop(spawn(async { panic!("1") }));
    drop(spawn(async { panic!("2") }));
    assert_eq!(lp.run().unwrap_err().to_string(), "of the handler");
    assert_eq!(lp.run().unwrap_err().to_string(), "of the handler");
    lp.run().unwrap();
    log.expect(["unhandled: 1", "unhandled: 2"]);
}

#[test]
fn an_unhandled_failure_without_on_unhandled_goes_to_on_uncaught() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_uncaught(move |error| noting.push(error));
    drop(spawn(async { panic!("panic") }));
    spawn(async { Err::<(), &str>("error") }).detach();
    queue_microtask(log.mark("microtask"));
    lp.run().unwrap();
    log.expect(["microtask", "panic", "error"]);
}

#[test]
fn every_kind_of_outcome_is_a_callback() {
    fn takes<R: Outcome>(_: impl FnOnce() -> R) {}
    takes(|| ());
    takes(|| -> Result { Ok(()) });
    takes(|| -> ! { panic!("never called") });
}
