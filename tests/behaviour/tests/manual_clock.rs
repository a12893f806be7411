//! The manual clock: it stands still while the loop works, and jumps when only timers are waited for.

mod loop_support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use loop_support::{manual, note, note_id};
use runtime::handle::{Async, Check, Idle, Prepare, Timer};
use runtime::time::{sleep, timeout};
use runtime::{
    Clock, Loop, ms, secs, set_immediate, set_interval, set_timeout, spawn, spawn_blocking,
};

#[test]
fn it_jumps_to_each_timer_in_turn() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    for hours in [3, 1, 2] {
        let (log, lp) = (log.clone(), lp.clone());
        set_timeout(secs(hours * 3600), move || {
            log.push(format!("{:?}", lp.now() - start));
        });
    }
    lp.run().unwrap();
    log.expect(["3600s", "7200s", "10800s"]);
}

#[test]
fn it_stands_still_while_the_loop_works() {
    let (mut lp, _clock, log, _guards) = manual();
    let (start, left) = (lp.now(), Rc::new(Cell::new(1_000)));
    set_timeout(ms(1), log.mark("timer"));
    Idle::new()
        .start({
            let left = left.clone();
            move |idle| {
                left.set(left.get() - 1);
                assert_eq!(idle.loop_ref().now(), start);
                if left.get() == 0 {
                    idle.close();
                }
            }
        })
        .unwrap();
    lp.run().unwrap();
    assert_eq!(left.get(), 0);
    assert_eq!(lp.now() - start, ms(1));
    log.expect(["timer"]);
}

#[test]
fn timers_of_one_millisecond_and_their_order_are_the_same_in_every_run() {
    let run = || {
        let (mut lp, _clock, log, _guards) = manual();
        set_interval(ms(2), {
            let mut left = 4;
            let log = log.clone();
            move |id| {
                left -= 1;
                log.push("interval");
                if left == 0 {
                    id.clear();
                }
            }
        });
        for delay in [5, 4, 4, 1, 0] {
            set_timeout(ms(delay), log.mark(delay));
        }
        Timer::new().start(ms(3), None, note(&log, "handle")).unwrap();
        lp.run().unwrap();
        log.take()
    };
    let first = run();
    assert_eq!(
        first,
        ["1", "0", "interval", "handle", "4", "4", "interval", "5", "interval", "interval"]
    );
    for _ in 0..10 {
        assert_eq!(run(), first);
    }
}

#[test]
fn it_waits_in_real_time_for_work_in_the_pool() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    set_timeout(secs(3600), log.mark("timer"));
    spawn_blocking(std::thread::yield_now).callback({
        let (log, lp) = (log.clone(), lp.clone());
        move |_| {
            assert_eq!(lp.now(), start);
            log.push("work");
        }
    });
    lp.run().unwrap();
    log.expect(["work", "timer"]);
}

#[test]
fn it_waits_in_real_time_for_a_signal_of_another_thread() {
    let (mut lp, _clock, log, _guards) = manual();
    set_timeout(secs(3600), log.mark("timer"));
    let sender = Async::new(note(&log, "async")).sender();
    let sending = std::thread::spawn(move || sender.send().unwrap());
    lp.run().unwrap();
    sending.join().unwrap();
    log.expect(["async", "timer"]);
}

#[test]
fn handles_that_run_in_each_iteration_do_not_hold_it_up() {
    let (mut lp, _clock, log, _guards) = manual();
    let (prepare, check) = (Prepare::new(), Check::new());
    prepare.start(note(&log, "prepare")).unwrap();
    check.start(note(&log, "check")).unwrap();
    set_timeout(secs(3600), move || {
        prepare.close();
        check.close();
    });
    lp.run().unwrap();
    log.expect(["prepare", "check"]);
    // The counts are even again: an idle one that is unreferenced and stopped meanwhile, too.
    let idle = Idle::new();
    idle.start(|idle| idle.stop()).unwrap();
    idle.unref();
    idle.ref_();
    set_timeout(secs(3600), log.mark("timer"));
    lp.run().unwrap();
    log.expect(["timer"]);
}

#[test]
fn an_unreferenced_handle_does_not_hold_it_up() {
    let (mut lp, _clock, log, _guards) = manual();
    let handle = Async::new(note(&log, "async"));
    let _sender = handle.sender();
    handle.unref();
    set_timeout(secs(3600), log.mark("timer"));
    lp.run().unwrap();
    log.expect(["timer"]);
}

#[test]
fn advance_moves_it_and_clones_are_one_clock() {
    let (mut lp, clock, log, _guards) = manual();
    set_timeout(secs(10), log.mark("timer"));
    let sender = Async::new(|_| ()).sender();
    lp.run_nowait().unwrap();
    log.expect([]);
    clock.clone().advance(secs(9));
    lp.run_nowait().unwrap();
    log.expect([]);
    clock.advance(secs(1));
    lp.run_nowait().unwrap();
    log.expect(["timer"]);
    drop(sender);
}

#[test]
fn two_loops_may_share_one_clock() {
    let clock = Clock::manual();
    let _guard = behaviour::Deadline::secs(20);
    let mut one = Loop::builder().clock(clock.clone()).build().unwrap();
    let mut two = Loop::builder().clock(clock).build().unwrap();
    let log = behaviour::EventLog::new();
    let start = two.now();
    one.set_timeout(secs(5), log.mark("one"));
    one.run().unwrap();
    assert_eq!(two.now(), start, "cached");
    two.run_nowait().unwrap();
    assert_eq!(two.now() - start, secs(5));
    log.expect(["one"]);
}

#[test]
fn only_timers_left_unreferenced_end_the_run_without_a_jump() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    set_timeout(secs(5), log.mark("timer")).unref();
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.expect(["immediate"]);
    assert_eq!(lp.now(), start);
}

#[test]
fn it_jumps_to_an_unreferenced_timer_that_comes_first() {
    let (mut lp, _clock, log, _guards) = manual();
    set_timeout(secs(5), log.mark("unreferenced")).unref();
    set_timeout(secs(6), log.mark("referenced"));
    lp.run().unwrap();
    log.expect(["unreferenced", "referenced"]);
}

#[test]
fn it_serves_sleeping_tasks_and_block_on() {
    let (mut lp, _clock, log, _guards) = manual();
    let start = lp.now();
    lp.block_on(async {
        let task = spawn({
            let log = log.clone();
            async move {
                sleep(secs(60)).await;
                log.push("task");
                "done"
            }
        });
        assert!(timeout(secs(59), std::future::pending::<()>()).await.is_err());
        log.push("timeout");
        assert_eq!(task.await.unwrap(), "done");
    });
    log.expect(["timeout", "task"]);
    assert_eq!(lp.now() - start, secs(60));
}

#[runtime::test(clock = "manual")]
async fn a_test_with_a_manual_clock_sleeps_for_a_year_at_once() {
    let start = runtime::current().now();
    sleep(secs(365 * 24 * 3600)).await;
    assert_eq!(runtime::current().now() - start, secs(365 * 24 * 3600));
}

#[test]
fn the_longest_sleep_is_far_and_never_due_by_overflow() {
    let (mut lp, clock, log, _guards) = manual();
    let task = spawn({
        let log = log.clone();
        async move {
            sleep(Duration::MAX).await;
            log.push("never");
        }
    });
    set_interval(secs(1_000_000_000), {
        // Longer than 2^31-1 ms: every millisecond.
        let mut left = 3;
        let mut push = note_id(&log, "interval");
        move |id| {
            push(id);
            left -= 1;
            if left == 0 {
                id.clear();
                runtime::current().stop();
            }
        }
    });
    lp.run().unwrap();
    clock.advance(secs(1 << 32));
    lp.run_nowait().unwrap();
    log.expect(["interval", "interval", "interval"]);
    drop(task);
}

#[test]
#[should_panic = "manual"]
fn a_real_clock_can_not_be_advanced() {
    Clock::real().advance(ms(1));
}
