//! Node's timers: `set_timeout`, `set_interval` and their ids.

mod loop_support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use loop_support::{manual, note, note_id, real};
use runtime::handle::{Async, Timer};
use runtime::time::sleep;
use runtime::{
    Loop, clear_interval, clear_timeout, ms, next_tick, queue_microtask, secs, set_immediate,
    set_interval, set_timeout, set_timeout_mut, spawn,
};

#[test]
fn timeouts_of_one_duration_run_in_the_order_they_were_set() {
    let (mut lp, _clock, log, _guards) = manual();
    for number in 1..=4 {
        set_timeout(ms(5), log.mark(number));
    }
    lp.run().unwrap();
    log.expect(["1", "2", "3", "4"]);
}

#[test]
fn a_whole_list_runs_before_the_next_one_though_some_of_it_were_due_later() {
    let (mut lp, clock, log, _guards) = manual();
    set_timeout(ms(10), log.mark("10 a"));
    set_timeout(ms(15), log.mark("15"));
    clock.advance(ms(8));
    set_timeout(ms(10), log.mark("10 b, due at 18"));
    clock.advance(ms(50));
    lp.run().unwrap();
    log.expect(["10 a", "10 b, due at 18", "15"]);
}

#[test]
fn lists_run_by_their_expiry_and_then_by_their_age() {
    let (mut lp, clock, log, _guards) = manual();
    set_timeout(ms(3), log.mark("3 at 3"));
    clock.advance(ms(1));
    set_timeout(ms(2), log.mark("2 at 3"));
    set_timeout(ms(1), log.mark("1 at 2"));
    clock.advance(ms(10));
    lp.run().unwrap();
    log.expect(["1 at 2", "3 at 3", "2 at 3"]);
}

#[test]
fn zero_is_one_millisecond_and_fractions_are_rounded_up() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    for (name, micros) in [("0", 0), ("0.3", 300), ("1", 1_000), ("1.001", 1_001), ("2", 2_000)] {
        let (log, lp) = (log.clone(), lp.clone());
        set_timeout(Duration::from_micros(micros), move || {
            log.push(format!("{name} at {:?}", lp.now() - start));
        });
    }
    lp.run().unwrap();
    log.expect(["0 at 1ms", "0.3 at 1ms", "1 at 1ms", "1.001 at 2ms", "2 at 2ms"]);
}

#[test]
fn the_time_of_arming_is_rounded_up_so_none_is_early() {
    let (mut lp, clock, log, _guards) = manual();
    clock.advance(Duration::from_micros(10_400));
    set_timeout(ms(2), log.mark("set at 10.4"));
    clock.advance(Duration::from_micros(500));
    set_timeout(ms(2), log.mark("set at 10.9"));
    let check = |lp: &mut Loop, micros, events: &[&str]| {
        clock.advance(Duration::from_micros(micros));
        lp.run_nowait().unwrap();
        assert_eq!(log.take(), events);
    };
    check(&mut lp, 1_600, &[]); // 12.5
    check(&mut lp, 499, &[]); // 12.999
    check(&mut lp, 1, &["set at 10.4", "set at 10.9"]); // those of one millisecond in one pass
}

#[test]
fn above_2_to_the_31_minus_1_milliseconds_is_one_millisecond() {
    let (mut lp, _clock, log, _guards) = manual();
    let longest = ms((1 << 31) - 1);
    let start = lp.now();
    set_timeout(longest, log.mark("longest"));
    set_timeout(longest + Duration::from_nanos(1), log.mark("longer"));
    set_timeout(Duration::MAX, log.mark("huge"));
    lp.run_once().unwrap();
    log.expect(["longer", "huge"]);
    assert_eq!(lp.now() - start, ms(1));
    lp.run().unwrap();
    log.expect(["longest"]);
    assert_eq!(lp.now() - start, longest);
}

#[test]
fn a_timeout_counts_from_the_call_even_after_long_work() {
    let (mut lp, clock, log, _guards) = manual();
    set_immediate({
        let (log, clock) = (log.clone(), clock.clone());
        move || {
            clock.advance(ms(30));
            set_timeout(ms(10), log.mark("timeout"));
        }
    });
    lp.run_nowait().unwrap();
    log.expect([]);
    clock.advance(ms(10));
    lp.run_nowait().unwrap();
    log.expect(["timeout"]);
}

#[test]
fn a_timeout_set_in_a_timeout_waits_for_a_later_pass() {
    let (mut lp, clock, log, _guards) = manual();
    set_timeout(ms(1), {
        let (log, clock) = (log.clone(), clock.clone());
        move || {
            log.push("first");
            set_timeout(ms(1), log.mark("second"));
            clock.advance(ms(50));
        }
    });
    set_immediate(log.mark("immediate"));
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    log.expect(["immediate", "first"]);
    lp.run_nowait().unwrap();
    log.expect(["second"]);
}

#[test]
fn ticks_and_microtasks_of_a_timeout_run_before_the_next() {
    let (mut lp, _clock, log, _guards) = manual();
    for name in ["one", "two"] {
        let log = log.clone();
        set_timeout(ms(1), move || {
            log.push(name);
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        });
    }
    lp.run().unwrap();
    log.expect(["one", "tick", "microtask", "two", "tick", "microtask"]);
}

#[test]
fn clearing_a_timeout_that_is_due_in_the_same_pass_suppresses_it() {
    let (mut lp, _clock, log, _guards) = manual();
    let ids = Rc::new(Cell::new(None));
    set_timeout(ms(1), {
        let (log, ids) = (log.clone(), ids.clone());
        move || {
            log.push("first");
            let (same, other) = ids.get().unwrap();
            clear_timeout(same);
            clear_interval(other); // one word for both
        }
    });
    ids.set(Some((
        set_timeout(ms(1), log.mark("same list")),
        set_timeout(ms(2), log.mark("other list")),
    )));
    set_timeout(ms(3), log.mark("last"));
    lp.run().unwrap();
    log.expect(["first", "last"]);
}

#[test]
fn a_cleared_timeout_drops_its_closure_and_its_id_is_dead() {
    let (lp, _clock, _log, _guards) = manual();
    let captured = Rc::new(());
    let id = set_timeout(ms(1), {
        let captured = captured.clone();
        move || drop(captured)
    });
    assert!(id.has_ref());
    id.clear();
    id.clear();
    assert_eq!(Rc::strong_count(&captured), 1);
    assert!(!id.has_ref() && !id.refresh() && !id.ref_().has_ref());
    assert!(!lp.is_alive());
}

#[test]
fn a_stale_id_does_not_touch_the_timer_in_the_same_place() {
    let (mut lp, _clock, log, _guards) = manual();
    for number in 0..100 {
        let stale = set_timeout(ms(1), || ());
        stale.clear();
        set_timeout(ms(1), log.mark(number));
        stale.clear();
        stale.unref();
        assert!(!stale.refresh());
    }
    lp.run().unwrap();
    assert_eq!(log.take().len(), 100);
}

#[test]
fn an_id_is_dead_in_its_timeouts_own_callback() {
    let (mut lp, _clock, log, _guards) = manual();
    let id = Rc::new(Cell::new(None::<runtime::TimerId>));
    id.set(Some(set_timeout(ms(1), {
        let (log, id) = (log.clone(), id.clone());
        move || {
            let id = id.get().unwrap();
            id.clear();
            log.push(id.refresh());
        }
    })));
    assert!(!lp.run().unwrap());
    log.expect(["false"]);
}

#[test]
fn an_id_does_nothing_on_another_thread() {
    let _guard = behaviour::Deadline::secs(20);
    let (mut lp, _clock, log, _guards) = manual();
    let id = set_timeout(ms(1), log.mark("timeout"));
    // An id is plain data; a loop with as many timers must not take it for one of its own.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let lp = Loop::new().unwrap();
            let here = lp.enter();
            let own = set_timeout(ms(1), || ());
            id.clear();
            assert!(!id.refresh() && !id.has_ref() && own.has_ref());
            drop(here);
        });
    });
    lp.run().unwrap();
    log.expect(["timeout"]);
}

#[test]
fn refresh_counts_anew_and_goes_to_the_end_of_the_list() {
    let (mut lp, clock, log, _guards) = manual();
    let first = set_timeout(ms(10), log.mark("first"));
    set_timeout(ms(10), log.mark("second"));
    assert!(first.refresh());
    lp.run_once().unwrap();
    log.expect(["second", "first"]);
    let first = set_timeout(ms(10), log.mark("first"));
    clock.advance(ms(9));
    assert!(first.refresh());
    clock.advance(ms(9));
    lp.run_nowait().unwrap();
    log.expect([]);
    lp.run().unwrap();
    log.expect(["first"]);
    assert!(!first.refresh(), "it has fired");
}

#[test]
fn refresh_revives_a_kept_timeout_that_has_fired() {
    let (mut lp, _clock, log, _guards) = manual();
    let id = set_timeout_mut(ms(10), note_id(&log, "idle"));
    assert!(!lp.run().unwrap(), "a fired one keeps nothing alive");
    log.expect(["idle"]);
    assert!(id.refresh());
    assert!(lp.is_alive());
    lp.run().unwrap();
    log.expect(["idle"]);
    id.clear();
    assert!(!id.refresh());
    assert!(!lp.run().unwrap());
    log.expect([]);
}

#[test]
fn a_kept_timeout_may_refresh_itself() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    let mut left = 3;
    set_timeout_mut(ms(10), {
        let (log, lp) = (log.clone(), lp.clone());
        move |id| {
            log.push((lp.now() - start).as_millis());
            left -= 1;
            if left > 0 {
                assert!(id.refresh());
            }
        }
    });
    assert!(!lp.run().unwrap());
    log.expect(["10", "20", "30"]);
}

#[test]
fn a_kept_timeout_that_clears_itself_is_gone() {
    let (mut lp, _clock, _log, _guards) = manual();
    let captured = Rc::new(());
    let id = set_timeout_mut(ms(1), {
        let captured = captured.clone();
        move |id| {
            id.clear();
            assert!(!id.refresh());
            assert_eq!(Rc::strong_count(&captured), 2, "dropped when it returns");
        }
    });
    lp.run().unwrap();
    assert_eq!(Rc::strong_count(&captured), 1);
    assert!(!id.refresh());
}

#[test]
fn a_fired_kept_timeout_holds_its_closure_until_it_is_cleared() {
    let (mut lp, _clock, _log, _guards) = manual();
    let captured = Rc::new(());
    let id = set_timeout_mut(ms(1), {
        let captured = captured.clone();
        move |_| drop(captured.clone())
    });
    lp.run().unwrap();
    assert_eq!(Rc::strong_count(&captured), 2);
    id.unref().ref_();
    assert!(!lp.is_alive(), "ref on a fired one does not keep the loop alive");
    id.clear();
    assert_eq!(Rc::strong_count(&captured), 1);
}

#[test]
fn unref_then_refresh_of_a_fired_kept_timeout_stays_unreferenced() {
    let (mut lp, _clock, log, _guards) = manual();
    let id = set_timeout_mut(ms(1), note_id(&log, "kept"));
    lp.run().unwrap();
    log.expect(["kept"]);
    id.unref();
    assert!(id.refresh());
    assert!(!id.has_ref());
    assert!(!lp.run().unwrap());
    log.expect([]);
    id.ref_();
    assert!(!lp.run().unwrap());
    log.expect(["kept"]);
}

#[test]
fn an_interval_counts_from_before_its_callback_and_makes_nothing_up() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    set_interval(ms(10), {
        let (log, lp) = (log.clone(), lp.clone());
        move |id| {
            let now = (lp.now() - start).as_millis();
            log.push(now);
            clock.advance(ms(if now == 20 { 45 } else { 3 }));
            if now > 60 {
                id.clear();
            }
        }
    });
    lp.run().unwrap();
    log.expect(["10", "20", "65"]);
}

#[test]
fn refresh_in_an_intervals_own_callback_has_no_effect() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    set_interval(ms(10), {
        let (log, lp) = (log.clone(), lp.clone());
        move |id| {
            log.push((lp.now() - start).as_millis());
            clock.advance(ms(4));
            id.refresh();
            if lp.now() - start > ms(25) {
                id.clear();
            }
        }
    });
    lp.run().unwrap();
    log.expect(["10", "20", "30"]);
}

#[test]
fn an_interval_cleared_by_another_timer_ends() {
    let (mut lp, _clock, log, _guards) = manual();
    let id = set_interval(ms(10), note_id(&log, "interval"));
    set_timeout(ms(25), move || id.clear());
    assert!(!lp.run().unwrap());
    log.expect(["interval", "interval"]);
}

#[test]
fn an_unreferenced_interval_runs_as_long_as_something_else_does() {
    let (mut lp, _clock, log, _guards) = manual();
    let id = set_interval(ms(10), note_id(&log, "interval")).unref();
    assert!(!id.has_ref());
    set_timeout(ms(35), log.mark("timeout"));
    assert!(!lp.run().unwrap());
    log.expect(["interval", "interval", "interval", "timeout"]);
}

#[test]
fn unref_in_its_own_callback_ends_an_interval() {
    let (mut lp, _clock, log, _guards) = manual();
    set_interval(ms(10), {
        let log = log.clone();
        move |id| {
            log.push("interval");
            id.unref();
        }
    });
    assert!(!lp.run().unwrap());
    log.expect(["interval"]);
}

#[test]
fn timers_of_the_loop_and_timer_handles_share_one_order() {
    let (mut lp, _clock, log, _guards) = manual();
    Timer::new().start(ms(2), None, note(&log, "handle at 2")).unwrap();
    set_timeout(ms(2), log.mark("timeout at 2"));
    set_timeout(ms(1), log.mark("timeout at 1"));
    Timer::new().start(ms(3), None, note(&log, "handle at 3")).unwrap();
    lp.run().unwrap();
    log.expect(["timeout at 1", "handle at 2", "timeout at 2", "handle at 3"]);
}

#[test]
fn a_sleeping_task_is_a_timer_of_its_list_and_its_ticks_come_first() {
    let (mut lp, _clock, log, _guards) = manual();
    drop(spawn({
        let log = log.clone();
        async move {
            sleep(ms(5)).await;
            log.push("task");
            next_tick(log.mark("tick of the task"));
        }
    }));
    lp.run_nowait().unwrap(); // the task arms its timer
    set_timeout(ms(5), log.mark("timeout"));
    lp.run().unwrap();
    log.expect(["task", "tick of the task", "timeout"]);
}

#[test]
fn a_dropped_sleep_clears_its_timer() {
    let (mut lp, _clock, _log, _guards) = manual();
    let task = spawn(sleep(secs(10)));
    lp.run_nowait().unwrap();
    assert!(lp.is_alive());
    task.abort();
    lp.run_nowait().unwrap();
    assert!(!lp.is_alive());
}

#[test]
fn an_error_in_a_timeout_does_not_lose_the_rest_of_the_pass() {
    let (mut lp, clock, log, _guards) = manual();
    set_timeout(ms(1), log.mark("first"));
    set_timeout(ms(1), || -> runtime::Result { Err("broken".into()) });
    set_timeout(ms(1), log.mark("third"));
    set_timeout(ms(2), log.mark("fourth"));
    clock.advance(ms(5));
    assert_eq!(lp.run().unwrap_err().to_string(), "broken");
    log.expect(["first"]);
    lp.run().unwrap();
    log.expect(["third", "fourth"]);
}

#[test]
fn an_interval_that_panics_goes_on() {
    let (mut lp, _clock, log, _guards) = manual();
    let mut count = 0;
    set_interval(ms(1), {
        let log = log.clone();
        move |id| {
            count += 1;
            log.push(count);
            if count == 3 {
                id.clear();
            }
            assert!(count != 1, "the first");
        }
    });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run())).is_err());
    lp.run().unwrap();
    log.expect(["1", "2", "3"]);
}

#[test]
fn a_closure_dropped_by_clear_may_use_timers_itself() {
    struct Sets(behaviour::EventLog, Option<runtime::TimerId>);
    impl Drop for Sets {
        fn drop(&mut self) {
            self.0.push("dropped");
            set_timeout(ms(1), self.0.mark("set in Drop"));
            if let Some(id) = self.1 {
                id.clear();
            }
        }
    }
    let (mut lp, _clock, log, _guards) = manual();
    let other = set_timeout(ms(1), log.mark("cleared in Drop"));
    let sets = Sets(log.clone(), Some(other));
    let id = set_timeout(ms(1), move || drop(sets));
    set_timeout(ms(1), move || id.clear());
    id.clear();
    lp.run().unwrap();
    log.expect(["dropped", "set in Drop"]);
}

#[test]
fn many_durations_and_clears_leave_nothing_behind() {
    let (mut lp, _clock, _log, _guards) = manual();
    let fired = Rc::new(Cell::new(0));
    let mut ids = Vec::new();
    for number in 0..5_000_u64 {
        let fired = fired.clone();
        ids.push(set_timeout(ms(number % 777), move || fired.set(fired.get() + 1)));
    }
    for id in ids.iter().skip(1).step_by(2) {
        id.clear();
    }
    for id in ids.iter().step_by(4) {
        assert!(id.refresh());
    }
    assert!(!lp.run().unwrap());
    assert_eq!(fired.get(), 2_500);
    assert!(!lp.is_alive());
}

#[test]
fn the_real_clock_is_never_early_either() {
    let (mut lp, _log, _guards) = real();
    for micros in [0, 500, 1_000, 1_700, 3_000] {
        let (start, delay) = (std::time::Instant::now(), Duration::from_micros(micros));
        set_timeout(delay, move || assert!(start.elapsed() >= delay));
    }
    lp.run().unwrap();
}

#[test]
fn an_overdue_timeout_does_not_run_before_poll_in_run_nowait() {
    let (mut lp, clock, log, _guards) = manual();
    let sender = Async::new(note(&log, "async")).sender();
    sender.send().unwrap();
    set_timeout(ms(1), log.mark("timeout"));
    clock.advance(ms(100));
    lp.run_nowait().unwrap();
    log.expect(["async", "timeout"]);
}
