//! The checkpoint: ticks, microtasks and what waits for their end, after every callback.

mod loop_support;

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use loop_support::{closed_handle, manual, note, real};
use runtime::handle::{Async, Check, Idle, Prepare, Timer};
use runtime::{
    Loop, Microtasks, at_checkpoint_end, ms, next_tick, queue_microtask, set_immediate,
    set_interval, set_timeout, spawn, spawn_blocking, spawn_eager, yield_microtask, yield_now,
};

#[test]
fn ticks_run_before_microtasks_and_both_in_their_order() {
    let (mut lp, log, _guards) = real();
    queue_microtask(log.mark("microtask 1"));
    next_tick(log.mark("tick 1"));
    queue_microtask(log.mark("microtask 2"));
    next_tick(log.mark("tick 2"));
    lp.run().unwrap();
    log.expect(["tick 1", "tick 2", "microtask 1", "microtask 2"]);
}

#[test]
fn a_tick_that_a_tick_queues_runs_before_any_microtask() {
    let (mut lp, log, _guards) = real();
    queue_microtask(log.mark("microtask"));
    next_tick({
        let log = log.clone();
        move || {
            log.push("tick 1");
            next_tick(log.mark("tick of a tick"));
        }
    });
    next_tick(log.mark("tick 2"));
    lp.run().unwrap();
    log.expect(["tick 1", "tick 2", "tick of a tick", "microtask"]);
}

#[test]
fn a_tick_that_a_microtask_queues_waits_until_the_microtasks_are_done() {
    let (mut lp, log, _guards) = real();
    queue_microtask({
        let log = log.clone();
        move || {
            log.push("microtask 1");
            next_tick(log.mark("tick"));
            let inner = log.clone();
            queue_microtask(move || {
                inner.push("microtask of a microtask");
                queue_microtask(inner.mark("and another"));
            });
        }
    });
    queue_microtask(log.mark("microtask 2"));
    lp.run().unwrap();
    log.expect(["microtask 1", "microtask 2", "microtask of a microtask", "and another", "tick"]);
}

#[test]
fn what_is_queued_outside_of_a_run_is_drained_by_the_next_even_if_nothing_is_alive() {
    for run in [Loop::run, Loop::run_once, Loop::run_nowait] {
        let (mut lp, log, _guards) = real();
        next_tick(log.mark("tick"));
        queue_microtask(log.mark("microtask"));
        at_checkpoint_end(log.mark("end"));
        log.expect([]);
        assert!(!run(&mut lp).unwrap());
        log.expect(["tick", "microtask", "end"]);
        assert_eq!(lp.metrics().iterations, 0);
    }
}

#[test]
fn a_microtask_before_the_run_can_keep_the_loop_alive() {
    let (mut lp, log, _guards) = real();
    queue_microtask({
        let log = log.clone();
        move || {
            set_immediate(log.mark("immediate"));
        }
    });
    assert!(!lp.run().unwrap());
    log.expect(["immediate"]);
}

#[test]
fn what_waits_for_the_end_runs_as_one_batch_when_both_queues_are_empty() {
    let (mut lp, log, _guards) = real();
    at_checkpoint_end({
        let log = log.clone();
        move || {
            log.push("end 1");
            queue_microtask(log.mark("microtask of an end"));
            next_tick(log.mark("tick of an end"));
            at_checkpoint_end(log.mark("end of an end"));
        }
    });
    at_checkpoint_end(log.mark("end 2"));
    queue_microtask(log.mark("microtask"));
    next_tick(log.mark("tick"));
    lp.run().unwrap();
    log.expect([
        "tick",
        "microtask",
        "end 1",
        "end 2",
        "tick of an end",
        "microtask of an end",
        "end of an end",
    ]);
}

/// Notes `name` and queues one of each kind.
fn queue_all(log: &EventLog, name: &'static str) {
    log.push(name);
    at_checkpoint_end(log.mark("end"));
    queue_microtask(log.mark("microtask"));
    next_tick(log.mark("tick"));
}

fn queueing<H: 'static>(log: &EventLog, name: &'static str) -> impl FnMut(&H) + 'static {
    let log = log.clone();
    move |_: &H| queue_all(&log, name)
}

fn queueing_once(log: &EventLog, name: &'static str) -> impl FnOnce() + 'static {
    let log = log.clone();
    move || queue_all(&log, name)
}

/// Two callbacks of each kind that there is.
fn two_of_each(lp: &mut Loop, log: &EventLog) -> Vec<runtime::handle::AsyncSender> {
    let closed = closed_handle(lp);
    let mut senders = Vec::new();
    for _ in 0..2 {
        Idle::new().start(queueing(log, "idle")).unwrap();
        Prepare::new().start(queueing(log, "prepare")).unwrap();
        Check::new().start(queueing(log, "check")).unwrap();
        set_immediate(queueing_once(log, "immediate"));
        Timer::new().start(ms(1), None, queueing(log, "timer")).unwrap();
        set_timeout(ms(1), queueing_once(log, "timeout"));
        let sender = Async::new(queueing(log, "async")).sender();
        sender.send().unwrap();
        senders.push(sender);
        let pending = queueing_once(log, "pending");
        closed.closed().callback(move |_: io::Result<()>| pending());
        let closing = Timer::new();
        let close = queueing_once(log, "close");
        closing.closed().callback(move |_: io::Result<()>| close());
        closing.close();
    }
    senders
}

#[test]
fn after_every_callback_of_every_kind() {
    let (mut lp, clock, log, _guards) = manual();
    let _senders = two_of_each(&mut lp, &log);
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    let order =
        ["pending", "idle", "prepare", "async", "check", "immediate", "close", "timer", "timeout"];
    let mut expected = Vec::new();
    for kind in order {
        // The timeouts are one timer, which was started between the two handles.
        expected.extend([kind, "tick", "microtask", "end"].repeat(2));
    }
    let mut events = log.take();
    let timers = events.split_off(7 * 8);
    assert_eq!(events, expected[..7 * 8]);
    let kinds: Vec<_> = timers.iter().step_by(4).collect();
    assert_eq!(kinds, ["timer", "timeout", "timeout", "timer"]);
    for rest in timers.chunks(4) {
        assert_eq!(rest[1..], ["tick", "microtask", "end"]);
    }
}

#[test]
fn between_phases_only_if_the_loop_was_built_so() {
    let clock = runtime::Clock::manual();
    let builder = Loop::builder().microtasks(Microtasks::BetweenPhases).clock(clock.clone());
    let (mut lp, log, _deadline) = (builder.build().unwrap(), EventLog::new(), Deadline::secs(20));
    let _here = lp.enter();
    let _senders = two_of_each(&mut lp, &log);
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    let drain = ["tick", "tick", "microtask", "microtask", "end", "end"];
    let mut expected = Vec::new();
    for kind in ["pending", "idle", "prepare", "async"] {
        expected.extend([kind; 2]);
        expected.extend(drain);
    }
    expected.extend(["check", "check", "immediate", "immediate"]);
    expected.extend(["tick"; 4].into_iter().chain(["microtask"; 4]).chain(["end"; 4]));
    expected.extend(["close"; 2]);
    expected.extend(drain);
    expected.extend(["timer", "timeout", "timeout", "timer"]);
    expected.extend(["tick"; 4].into_iter().chain(["microtask"; 4]).chain(["end"; 4]));
    assert_eq!(log.take(), expected);
}

#[test]
fn between_phases_also_drains_what_the_run_begins_with() {
    let builder = Loop::builder().microtasks(Microtasks::BetweenPhases);
    let (mut lp, log, _deadline) = (builder.build().unwrap(), EventLog::new(), Deadline::secs(20));
    let _here = lp.enter();
    queue_all(&log, "outside");
    set_immediate(queueing_once(&log, "immediate"));
    lp.run().unwrap();
    log.expect(["outside", "tick", "microtask", "end", "immediate", "tick", "microtask", "end"]);
}

#[test]
fn after_each_completion_and_each_post() {
    thread_local!(static LOG: EventLog = EventLog::new());
    let log = LOG.with(EventLog::clone);
    let _guard = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let _here = lp.enter();
    let (done, is_done) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let log = log.clone();
        spawn_blocking(|| ()).callback(move |_| queue_all(&log, "job"));
    }
    spawn_blocking(move || done.send(())).callback(|_| ());
    for _ in 0..2 {
        lp.remote().post(|| queue_all(&LOG.with(EventLog::clone), "post")).unwrap();
    }
    is_done.recv().unwrap();
    lp.run_nowait().unwrap();
    let mut expected = ["job", "tick", "microtask", "end"].repeat(2);
    expected.extend(["post", "tick", "microtask", "end"].repeat(2));
    assert_eq!(log.take(), expected);
}

#[test]
fn a_task_is_a_microtask_and_an_eager_one_begins_at_once() {
    let (mut lp, log, _guards) = real();
    let named = |name: &'static str| {
        let log = log.clone();
        async move {
            log.push(format!("{name} begins"));
            yield_microtask().await;
            log.push(format!("{name} goes on"));
        }
    };
    queue_microtask(log.mark("before"));
    let task = spawn(named("task"));
    let eager = spawn_eager(named("eager"));
    queue_microtask(log.mark("after"));
    next_tick(log.mark("tick"));
    lp.run().unwrap();
    log.expect([
        "eager begins",
        "tick",
        "before",
        "task begins",
        "eager goes on",
        "after",
        "task goes on",
    ]);
    drop((task, eager));
}

#[test]
fn yield_now_waits_for_the_check_phase() {
    let (mut lp, log, _guards) = real();
    drop(spawn({
        let log = log.clone();
        async move {
            log.push("task");
            yield_now().await;
            log.push("after yield_now");
            next_tick(log.mark("tick"));
        }
    }));
    Prepare::new()
        .start({
            let mut prepare = note(&log, "prepare");
            move |handle| {
                prepare(handle);
                handle.close();
            }
        })
        .unwrap();
    lp.run_once().unwrap();
    log.expect(["task", "prepare", "after yield_now", "tick"]);
}

#[test]
fn a_hundred_thousand_ticks_and_microtasks_keep_their_order() {
    let (mut lp, _log, _guards) = real();
    let count = Rc::new(Cell::new(0));
    fn step(count: &Rc<Cell<u32>>, number: u32) {
        assert_eq!(count.replace(number + 1), number);
        let next = count.clone();
        match number {
            100_000.. => {}
            _ if number.is_multiple_of(2) => next_tick(move || step(&next, number + 1)),
            _ => queue_microtask(move || step(&next, number + 1)),
        }
    }
    next_tick({
        let count = count.clone();
        move || step(&count, 0)
    });
    lp.run().unwrap();
    assert_eq!(count.get(), 100_001);
}

#[test]
fn a_microtask_that_starts_a_check_handle_is_in_time_for_the_phase_after_it() {
    let (mut lp, log, _guards) = real();
    Prepare::new()
        .start({
            let log = log.clone();
            move |prepare| {
                prepare.close();
                let log = log.clone();
                queue_microtask(move || Check::new().start(note(&log, "check")).unwrap());
            }
        })
        .unwrap();
    lp.run_nowait().unwrap();
    log.expect(["check"]);
}

#[test]
fn a_microtask_after_a_callback_may_close_the_next_handle_of_the_phase() {
    let (mut lp, log, _guards) = real();
    let victim = Check::new();
    victim.start(note(&log, "victim")).unwrap();
    Check::new()
        .start({
            let log = log.clone();
            move |_| {
                log.push("newest");
                let victim = victim.clone();
                queue_microtask(move || victim.close());
            }
        })
        .unwrap();
    lp.run_nowait().unwrap();
    log.expect(["newest"]);
}

#[test]
fn a_panicking_tick_loses_nothing_that_was_queued() {
    let (mut lp, log, _guards) = real();
    next_tick(log.mark("tick 1"));
    next_tick(|| panic!("tick 2"));
    next_tick(log.mark("tick 3"));
    queue_microtask(log.mark("microtask"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run())).is_err());
    log.expect(["tick 1"]);
    // As in Node the rest runs after the next callback; here there is one at the latest in check.
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    let mut events = log.take();
    events.retain(|event| event != "immediate");
    assert_eq!(events, ["tick 3", "microtask"]);
}

#[test]
fn a_microtask_that_fails_lets_the_drain_go_on_behind_it() {
    let (mut lp, log, _guards) = real();
    queue_microtask(log.mark("microtask 1"));
    queue_microtask(|| -> runtime::Result { Err("microtask 2".into()) });
    queue_microtask(log.mark("microtask 3"));
    assert_eq!(lp.run().unwrap_err().to_string(), "microtask 2");
    log.expect(["microtask 1"]);
    lp.run().unwrap();
    log.expect(["microtask 3"]);
}

#[test]
fn queues_of_two_loops_are_two() {
    let (mut lp, log, _guards) = real();
    let mut other = Loop::new().unwrap();
    queue_microtask(log.mark("this"));
    other.queue_microtask(log.mark("other"));
    other.run().unwrap();
    log.expect(["other"]);
    lp.run().unwrap();
    log.expect(["this"]);
}

#[test]
fn an_interval_drains_between_its_firings() {
    let (mut lp, _clock, log, _guards) = manual();
    let mut left = 2;
    set_interval(ms(1), {
        let log = log.clone();
        move |id| {
            queue_all(&log, "interval");
            left -= 1;
            if left == 0 {
                id.clear();
            }
        }
    });
    lp.run().unwrap();
    assert_eq!(log.take(), ["interval", "tick", "microtask", "end"].repeat(2));
}
