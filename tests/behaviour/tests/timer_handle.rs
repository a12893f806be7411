//! `Timer`, libuv's timer handle.

mod loop_support;

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use behaviour::EventLog;
use loop_support::{manual, note, real};
use runtime::handle::{Async, Check, Prepare, Timer};
use runtime::{Closed, ms, secs, set_immediate, set_timeout, set_timeout_mut};

#[test]
fn timers_run_by_deadline_and_equal_ones_in_the_order_of_their_start() {
    let (mut lp, _clock, log, _guards) = manual();
    for (name, after) in [("c", 20), ("a", 10), ("d", 20), ("b", 10)] {
        Timer::new().start(ms(after), None, note(&log, name)).unwrap();
    }
    lp.run().unwrap();
    log.expect(["a", "b", "c", "d"]);
}

#[test]
fn equal_deadlines_run_in_the_order_of_start_not_of_making_both_ways_round() {
    for swapped in [false, true] {
        let (mut lp, _clock, log, _guards) = manual();
        let (first, second) = (Timer::new(), Timer::new());
        let order =
            if swapped { [(&second, "b"), (&first, "a")] } else { [(&first, "a"), (&second, "b")] };
        for (timer, name) in order {
            timer.start(ms(0), None, note(&log, name)).unwrap();
        }
        lp.run().unwrap();
        let expected = if swapped { ["b", "a"] } else { ["a", "b"] };
        log.expect(expected);
    }
}

#[test]
fn deadlines_have_nanoseconds() {
    let (mut lp, clock, log, _guards) = manual();
    let (later, sooner) = (Timer::new(), Timer::new());
    later.start(Duration::from_nanos(20), None, note(&log, "later")).unwrap();
    sooner.start(Duration::from_nanos(10), None, note(&log, "sooner")).unwrap();
    clock.advance(Duration::from_nanos(9));
    lp.run_nowait().unwrap();
    log.expect([]);
    clock.advance(Duration::from_nanos(1));
    lp.run_nowait().unwrap();
    log.expect(["sooner"]);
    // The wait has a grain of a millisecond.
    assert_eq!(lp.backend_timeout(), Some(ms(1)));
    lp.run().unwrap();
    log.expect(["later"]);
}

#[test]
fn a_second_start_replaces_the_time_and_the_callback() {
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(secs(86_400), None, note(&log, "never")).unwrap();
    timer.start(ms(10), None, note(&log, "second")).unwrap();
    let start = lp.now();
    lp.run().unwrap();
    log.expect(["second"]);
    assert_eq!(lp.now() - start, ms(10));
}

#[test]
fn a_one_shot_is_inactive_in_its_callback_and_a_repeating_one_is_active() {
    let (mut lp, _clock, log, _guards) = manual();
    let push = |log: &EventLog| {
        let log = log.clone();
        move |timer: &Timer| {
            log.push(timer.is_active());
            timer.stop();
        }
    };
    Timer::new().start(ms(1), None, push(&log)).unwrap();
    Timer::new().start(ms(2), ms(1), push(&log)).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["false", "true"]);
}

#[test]
fn a_repeat_of_zero_is_no_repeat() {
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(1), ms(0), note(&log, "once")).unwrap();
    assert_eq!(timer.repeat(), None);
    lp.run().unwrap();
    log.expect(["once"]);
}

#[test]
fn many_timers_one_of_them_repeating_and_one_that_never_fires() {
    let (mut lp, _clock, log, _guards) = manual();
    let stopped = Timer::new();
    stopped.start(ms(1), None, note(&log, "stopped")).unwrap();
    stopped.stop();
    for number in 0..10 {
        Timer::new().start(ms(50 * number), None, note(&log, number)).unwrap();
    }
    let mut left = 5;
    Timer::new()
        .start(ms(525), ms(100), {
            let log = log.clone();
            move |timer| {
                left -= 1;
                log.push("repeat");
                if left == 0 {
                    timer.close();
                }
            }
        })
        .unwrap();
    lp.run().unwrap();
    let mut expected: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    expected.extend(["repeat"; 5].map(str::to_owned));
    assert_eq!(log.take(), expected);
}

#[test]
fn a_timer_started_again_with_zero_in_its_callback_yields_to_the_loop() {
    fn start(timer: &Timer, log: &EventLog, left: u32) {
        let log = log.clone();
        let again = move |timer: &Timer| {
            log.push("timer");
            if left > 1 {
                start(timer, &log, left - 1);
            }
        };
        timer.start(ms(0), None, again).unwrap();
    }
    let (mut lp, log, _guards) = real();
    let timer = Timer::new();
    start(&timer, &log, 5);
    let (check, prepare) = (Check::new(), Prepare::new());
    check.start(note(&log, "check")).unwrap();
    prepare.start(note(&log, "prepare")).unwrap();
    check.unref();
    prepare.unref();
    lp.run().unwrap();
    let mut expected = vec!["timer"];
    expected.extend(["prepare", "check", "timer"].repeat(4));
    assert_eq!(log.take(), expected);
}

#[test]
fn huge_times_saturate_and_never_lie_in_the_past() {
    let (mut lp, clock, log, _guards) = manual();
    clock.advance(secs(1));
    lp.update_time();
    let (huge, repeating) = (Timer::new(), Timer::new());
    huge.start(Duration::MAX, None, note(&log, "huge")).unwrap();
    repeating.start(ms(0), Duration::MAX, note(&log, "repeating")).unwrap();
    assert_eq!(repeating.repeat(), Some(Duration::MAX));
    Timer::new().start(ms(1), None, note(&log, "small")).unwrap();
    lp.run_once().unwrap();
    log.expect(["repeating"]);
    lp.run_once().unwrap();
    log.expect(["small"]);
    assert!(huge.due_in() > secs(1 << 32) && repeating.due_in() > secs(1 << 32));
    assert!(huge.is_active() && repeating.is_active());
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn a_huge_timer_lets_a_real_loop_wait() {
    let (mut lp, log, _guards) = real();
    let huge = Timer::new();
    huge.start(Duration::MAX, None, note(&log, "huge")).unwrap();
    let sender = Async::new(move |_| huge.close()).sender();
    let sending = std::thread::spawn(move || sender.send().unwrap());
    lp.run().unwrap();
    sending.join().unwrap();
    log.expect([]);
}

#[test]
fn again_on_a_timer_that_was_never_started_is_an_error() {
    let (lp, log, _guards) = real();
    let timer = Timer::new();
    timer.set_repeat(ms(1));
    assert_eq!(timer.again().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!timer.is_active() && !lp.is_alive());
    drop(log);
}

#[test]
fn again_without_a_repeat_leaves_the_timer_as_it_is() {
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(5), None, note(&log, "timer")).unwrap();
    timer.again().unwrap();
    assert!(timer.is_active());
    assert_eq!(timer.due_in(), ms(5));
    lp.run().unwrap();
    log.expect(["timer"]);
    timer.again().unwrap();
    assert!(!timer.is_active());
}

#[test]
fn again_after_stop_remembers_the_callback() {
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(50), ms(7), note(&log, "timer")).unwrap();
    timer.stop();
    timer.again().unwrap();
    let start = lp.now();
    lp.run_once().unwrap();
    log.expect(["timer"]);
    assert_eq!(lp.now() - start, ms(7), "the repeat is the delay");
}

#[test]
fn a_timer_that_again_keeps_putting_off_fires_when_that_ends() {
    let (mut lp, clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(0), ms(10), note(&log, "timer")).unwrap();
    lp.run_once().unwrap();
    log.expect(["timer"]);
    for _ in 0..5 {
        clock.advance(ms(9));
        lp.run_nowait().unwrap();
        timer.again().unwrap();
    }
    log.expect([]);
    lp.run_once().unwrap();
    log.expect(["timer"]);
}

#[test]
fn a_repeat_set_in_the_callback_applies_to_the_arming_after_the_next() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    Timer::new()
        .start(ms(10), ms(10), {
            let log = log.clone();
            move |timer| {
                let now = (timer.loop_ref().now() - start).as_millis();
                log.push(now);
                timer.set_repeat(ms(100));
                if now > 200 {
                    timer.close();
                }
            }
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["10", "20", "120", "220"]);
}

#[test]
fn no_repeat_any_more_ends_it_after_one_more_firing() {
    let (mut lp, _clock, log, _guards) = manual();
    Timer::new()
        .start(ms(10), ms(10), {
            let log = log.clone();
            move |timer| {
                log.push("timer");
                timer.set_repeat(None);
            }
        })
        .unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["timer", "timer"]);
}

#[test]
fn stop_in_its_own_callback_cancels_the_repeat() {
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer
        .start(ms(1), ms(1), {
            let log = log.clone();
            move |timer| {
                log.push("timer");
                timer.stop();
                timer.stop();
            }
        })
        .unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["timer"]);
    timer.again().unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["timer"]);
}

#[test]
fn missed_periods_are_not_made_up() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    Timer::new()
        .start(ms(10), ms(10), {
            let (log, clock) = (log.clone(), clock.clone());
            move |timer| {
                let now = (timer.loop_ref().now() - start).as_millis();
                log.push(now);
                match now {
                    10 => clock.advance(ms(35)),
                    20.. => timer.close(),
                    _ => {}
                }
            }
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["10", "45"]);
}

#[test]
fn an_overdue_repeat_fires_once_per_run_call() {
    for run in [runtime::Loop::run_once, runtime::Loop::run_nowait] {
        let (mut lp, clock, log, _guards) = manual();
        Timer::new().start(ms(1), ms(1), note(&log, "timer")).unwrap();
        clock.advance(ms(100));
        run(&mut lp).unwrap();
        log.expect(["timer"]);
        clock.advance(ms(100));
        run(&mut lp).unwrap();
        log.expect(["timer"]);
    }
}

#[test]
fn due_in_counts_down_by_the_cached_time_and_is_not_reset_by_stop() {
    let (lp, clock, log, _guards) = manual();
    let timer = Timer::new();
    assert_eq!(timer.due_in(), Duration::ZERO);
    timer.start(ms(500), None, note(&log, "timer")).unwrap();
    assert_eq!(timer.due_in(), ms(500));
    clock.advance(ms(200));
    assert_eq!(timer.due_in(), ms(500));
    lp.update_time();
    assert_eq!(timer.due_in(), ms(300));
    timer.stop();
    assert_eq!(timer.due_in(), ms(300));
    clock.advance(secs(1));
    lp.update_time();
    assert_eq!(timer.due_in(), Duration::ZERO);
}

#[test]
fn a_timer_started_after_long_work_is_short_unless_the_time_is_updated() {
    let (mut lp, clock, log, _guards) = manual();
    set_immediate({
        let (log, clock) = (log.clone(), clock.clone());
        move || {
            clock.advance(ms(30));
            Timer::new().start(ms(10), None, note(&log, "short")).unwrap();
            runtime::current().update_time();
            Timer::new().start(ms(10), None, note(&log, "whole")).unwrap();
        }
    });
    lp.run_nowait().unwrap();
    log.expect(["short"]);
    clock.advance(ms(10));
    lp.run_nowait().unwrap();
    log.expect(["whole"]);
}

#[test]
fn a_due_timer_that_is_unreferenced_and_alone_does_not_fire() {
    let (mut lp, clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(1), None, note(&log, "timer")).unwrap();
    timer.unref();
    clock.advance(ms(5));
    assert!(!lp.run().unwrap());
    assert!(timer.is_active());
    log.expect([]);
}

#[test]
fn a_timer_restarted_in_check_comes_after_the_next_prepare() {
    let (mut lp, log, _guards) = real();
    let timer = Timer::new();
    timer.start(ms(0), None, note(&log, "timer")).unwrap();
    Prepare::new()
        .start({
            let log = log.clone();
            move |prepare| {
                log.push("prepare");
                prepare.close();
            }
        })
        .unwrap();
    Check::new()
        .start({
            let (log, timer) = (log.clone(), timer.clone());
            move |check| {
                log.push("check");
                timer.stop();
                timer.start(ms(50), None, note(&log, "restarted")).unwrap();
                check.close();
            }
        })
        .unwrap();
    lp.run_once().unwrap();
    log.expect(["prepare", "check"]);
    lp.run().unwrap();
    log.expect(["restarted"]);
}

#[test]
fn never_before_start_and_timeout_by_the_clock_of_the_system() {
    let (mut lp, _log, _guards) = real();
    for micros in [1, 300, 999, 1_000, 1_001, 2_500] {
        lp.update_time();
        let (start, after) = (std::time::Instant::now(), Duration::from_micros(micros));
        lp.update_time();
        Timer::new().start(after, None, move |_| assert!(start.elapsed() >= after)).unwrap();
        lp.run().unwrap();
    }
}

#[test]
fn a_closed_timer_can_not_be_started() {
    let (lp, log, _guards) = real();
    let timer = Timer::new();
    timer.start(ms(1), ms(1), note(&log, "timer")).unwrap();
    timer.close();
    assert!(Closed::is_in(&timer.start(ms(1), None, note(&log, "timer")).unwrap_err()));
    assert!(Closed::is_in(&timer.again().unwrap_err()));
    timer.stop();
    assert!(!timer.is_active() && lp.is_alive());
}

// --- siblings in one pass ---

/// Runs a pass in which the first timer does `act` to its sibling, which is due as well.
#[track_caller]
fn sibling<const N: usize>(act: impl Fn(&Timer, &EventLog) + 'static, events: [&str; N]) {
    let (mut lp, clock, log, _guards) = manual();
    let (one, two) = (Timer::new(), Timer::new());
    one.start(ms(1), None, {
        let (log, two) = (log.clone(), two.clone());
        move |_| {
            log.push("one");
            act(&two, &log);
        }
    })
    .unwrap();
    two.start(ms(1), ms(20), note(&log, "two")).unwrap();
    Check::new().start(note(&log, "check")).unwrap();
    clock.advance(ms(5));
    lp.run_nowait().unwrap();
    log.push("next");
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    log.expect(events);
}

#[test]
fn a_sibling_whose_turn_is_to_come_is_not_active() {
    sibling(
        |two, log| log.push(two.is_active()),
        ["check", "one", "false", "two", "next", "check"],
    );
}

#[test]
fn stopping_a_sibling_takes_it_out_of_the_pass() {
    sibling(|two, _| two.stop(), ["check", "one", "next", "check"]);
}

#[test]
fn closing_a_timer_from_another_timers_callback_stops_it() {
    sibling(|two, _| two.close(), ["check", "one", "next", "check"]);
}

#[test]
fn restarting_a_sibling_at_zero_puts_it_off_to_the_next_iteration() {
    sibling(
        |two, log| two.start(ms(0), None, note(log, "new two")).unwrap(),
        ["check", "one", "next", "check", "new two"],
    );
}

#[test]
fn again_on_a_sibling_takes_it_out_of_the_pass() {
    sibling(|two, _| two.again().unwrap(), ["check", "one", "next", "check"]);
}

#[test]
fn a_panic_in_a_pass_does_not_lose_the_timers_behind_it() {
    let (mut lp, clock, log, _guards) = manual();
    Timer::new().start(ms(1), None, |_| panic!("first")).unwrap();
    let second = Timer::new();
    second.start(ms(1), None, note(&log, "second")).unwrap();
    drop(second);
    clock.advance(ms(1));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run())).is_err());
    log.expect([]);
    assert!(lp.is_alive());
    lp.run().unwrap();
    log.expect(["second"]);
}

#[test]
fn a_due_timer_is_not_put_off_by_a_timeout_that_is_cleared_in_the_same_pass() {
    let (mut lp, clock, log, _guards) = manual();
    // Referenced, or its list would stay until it is due.
    let cleared = set_timeout(ms(2), log.mark("cleared"));
    set_timeout(ms(4), log.mark("timeout")).unref();
    // Kept: their closing would keep the loop alive for another iteration.
    let (first, last) = (Timer::new(), Timer::new());
    first
        .start(ms(1), None, {
            let log = log.clone();
            move |_| {
                log.push("first");
                cleared.clear();
            }
        })
        .unwrap();
    last.start(ms(6), None, note(&log, "last")).unwrap();
    clock.advance(ms(10));
    // After this pass nothing referenced is left: what was due must have run in it.
    assert!(!lp.run_nowait().unwrap());
    log.expect(["first", "timeout", "last"]);
}

#[test]
fn a_due_timer_is_not_put_off_by_a_timeout_that_is_refreshed_in_the_same_pass() {
    let (mut lp, clock, log, _guards) = manual();
    let refreshed = set_timeout_mut(ms(2), {
        let mut mark = note(&log, "refreshed");
        move |_| mark(&())
    })
    .unref();
    set_timeout(ms(4), log.mark("timeout")).unref();
    let (first, last) = (Timer::new(), Timer::new());
    first.start(ms(1), None, move |_| assert!(refreshed.refresh())).unwrap();
    last.start(ms(6), None, note(&log, "last")).unwrap();
    clock.advance(ms(10));
    assert!(!lp.run_nowait().unwrap());
    log.expect(["timeout", "last"]);
}

// --- ownership ---

#[test]
fn a_started_timer_outlives_its_owner_and_a_fired_one_does_not() {
    let (mut lp, _clock, _log, _guards) = manual();
    let captured = Rc::new(Cell::new(0));
    Timer::new()
        .start(ms(1), None, {
            let captured = captured.clone();
            move |_| captured.set(captured.get() + 1)
        })
        .unwrap();
    assert_eq!(Rc::strong_count(&captured), 2);
    lp.run().unwrap();
    assert_eq!(captured.get(), 1);
    assert_eq!(Rc::strong_count(&captured), 1, "the callback went with the handle");
}

#[test]
fn a_callback_may_replace_itself_and_is_dropped_when_it_returns() {
    struct Drops(EventLog);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.push("old is dropped");
        }
    }
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    timer
        .start(ms(1), None, {
            let drops = Drops(log.clone());
            move |timer| {
                let log = &drops.0;
                log.push("old");
                timer.start(ms(1), None, note(log, "new")).unwrap();
                log.push("old returns");
            }
        })
        .unwrap();
    lp.run().unwrap();
    log.expect(["old", "old returns", "old is dropped", "new"]);
}

#[test]
fn ten_thousand_timers_in_random_order_fire_by_deadline() {
    let (mut lp, _clock, _log, _guards) = manual();
    let fired = Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut expected = Vec::new();
    for number in 0..10_000_u32 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (timer, after, fired) = (Timer::new(), random % 1_000, fired.clone());
        timer.start(ms(after), None, move |_| fired.borrow_mut().push((after, number))).unwrap();
        if random.is_multiple_of(3) {
            timer.stop();
        } else {
            expected.push((after, number));
        }
    }
    expected.sort_unstable();
    lp.run().unwrap();
    assert_eq!(fired.take(), expected);
}

#[test]
fn a_timer_that_is_closed_while_it_is_told_its_repeat_is_not_started() {
    struct Closes(Timer);
    impl From<Closes> for Option<Duration> {
        fn from(closes: Closes) -> Self {
            closes.0.close();
            None
        }
    }
    let (mut lp, _clock, log, _guards) = manual();
    let timer = Timer::new();
    let refused = timer.start(ms(1), Closes(timer.clone()), note(&log, "closed")).unwrap_err();
    assert!(Closed::is_in(&refused), "{refused}");
    assert_eq!(timer.due_in(), ms(0));
    lp.run().unwrap();
    log.expect([]);
}
