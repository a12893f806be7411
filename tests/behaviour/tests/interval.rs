//! `time::interval`: ticks, on a manual clock.

mod loop_support;

use behaviour::Deadline;
use futures_lite::StreamExt;
use futures_lite::future::poll_once;
use loop_support::{manual, real};
use runtime::time::{Duration, Instant, MissedTickBehavior, interval, interval_at, timeout};
use runtime::{Clock, Loop, ms, secs, set_timeout, spawn};

use MissedTickBehavior::{Burst, Delay, Skip};

/// Runs `program` on a loop with a manual clock.
fn run<F: Future<Output = ()>>(program: impl FnOnce(Clock, Instant) -> F) {
    let (mut lp, clock, _log, _guards) = manual();
    let start = lp.now();
    lp.block_on(program(clock, start));
}

#[test]
fn it_ticks_at_once_and_then_every_period() {
    run(|_, start| async move {
        let mut ticks = interval(ms(10));
        assert_eq!((ticks.period(), ticks.missed_tick_behavior()), (ms(10), Burst));
        for n in 0..5 {
            assert_eq!(ticks.tick().await, start + ms(10 * n));
            assert_eq!(Instant::now(), start + ms(10 * n));
        }
    });
}

#[test]
fn it_begins_when_it_is_told_and_at_once_if_that_is_past() {
    run(|clock, start| async move {
        let mut ticks = interval_at(start + ms(7), ms(10));
        assert_eq!(ticks.tick().await - start, ms(7));
        assert_eq!(ticks.tick().await - start, ms(17));
        assert_eq!(Instant::now() - start, ms(17));
        clock.advance(ms(100));
        let mut past = interval_at(start + ms(100), ms(10));
        assert_eq!(past.tick().await - start, ms(100));
        assert_eq!(Instant::now() - start, ms(117));
    });
}

#[test]
fn a_period_is_whole_milliseconds_and_one_at_least() {
    run(|_, start| async move {
        for (asked, got) in
            [(Duration::ZERO, 1), (Duration::from_micros(1), 1), (Duration::from_micros(1001), 2)]
        {
            assert_eq!(interval(asked).period(), ms(got));
        }
        let mut ticks = interval(Duration::ZERO);
        for n in 0..3 {
            assert_eq!(ticks.tick().await - start, ms(n));
        }
        // As long as one likes: it is just never reached.
        let mut never = interval(Duration::MAX);
        never.tick().await;
        assert!(timeout(secs(1_000_000), never.tick()).await.is_err());
    });
}

/// The moments at which ticks are taken, and those they were due, if the one of 10 ms is taken at 35.
fn missed(behavior: MissedTickBehavior) -> (Vec<u128>, Vec<u128>) {
    let (mut lp, clock, _log, _guards) = manual();
    let start = lp.now();
    lp.block_on(async {
        let mut ticks = interval(ms(10));
        ticks.set_missed_tick_behavior(behavior);
        assert_eq!(ticks.missed_tick_behavior(), behavior);
        ticks.tick().await;
        clock.advance(ms(35));
        let (mut taken, mut due) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            due.push((ticks.tick().await - start).as_millis());
            taken.push((Instant::now() - start).as_millis());
        }
        (taken, due)
    })
}

#[test]
fn ticks_that_were_missed_are_made_up_or_put_off_or_left_out() {
    assert_eq!(missed(Burst), (vec![35, 35, 35, 40, 50], vec![10, 20, 30, 40, 50]));
    assert_eq!(missed(Delay), (vec![35, 45, 55, 65, 75], vec![10, 45, 55, 65, 75]));
    assert_eq!(missed(Skip), (vec![35, 40, 50, 60, 70], vec![10, 40, 50, 60, 70]));
    assert_eq!(MissedTickBehavior::default(), Burst);
}

#[test]
fn a_tick_that_is_taken_just_when_the_next_is_due_skips_that() {
    run(|clock, start| async move {
        let mut ticks = interval(ms(10));
        ticks.set_missed_tick_behavior(Skip);
        ticks.tick().await;
        clock.advance(ms(20));
        assert_eq!(ticks.tick().await - start, ms(10));
        assert_eq!(ticks.tick().await - start, ms(30));
    });
}

#[test]
fn burst_and_skip_do_not_drift_and_delay_does() {
    for behavior in [Burst, Skip, Delay] {
        run(|clock, start| async move {
            let mut ticks = interval(ms(10));
            ticks.set_missed_tick_behavior(behavior);
            ticks.tick().await;
            for n in 1..=9 {
                // Each is late, by no period yet.
                clock.advance(ms(11));
                let due = ticks.tick().await - start;
                assert_eq!(due, ms(if behavior == Delay { 11 * n - 1 } else { 10 * n }));
            }
        });
    }
}

#[test]
fn reset_begins_anew() {
    run(|clock, start| async move {
        let mut ticks = interval(ms(10));
        ticks.tick().await;
        clock.advance(ms(4));
        ticks.reset();
        assert_eq!(ticks.tick().await - start, ms(14));
        // Also while a wait was begun.
        assert!(poll_once(std::pin::pin!(ticks.next())).await.is_none());
        clock.advance(ms(3));
        ticks.reset();
        assert_eq!(ticks.tick().await - start, ms(27));
        assert_eq!(ticks.tick().await - start, ms(37));
    });
}

#[test]
fn a_tick_that_is_given_up_is_the_next_and_keeps_nothing_alive() {
    let (mut lp, _clock, _log, _guards) = manual();
    let start = lp.now();
    let mut ticks = interval(ms(10));
    lp.block_on(async {
        ticks.tick().await;
        for _ in 0..3 {
            assert!(timeout(ms(2), ticks.tick()).await.is_err());
        }
        assert_eq!(ticks.tick().await - start, ms(10));
        assert!(timeout(ms(2), ticks.tick()).await.is_err());
    });
    assert!(!lp.is_alive(), "nobody waits for the tick");
    drop(spawn(async move {
        ticks.tick().await;
    }));
    lp.run().unwrap();
    assert_eq!(lp.now() - start, ms(20));
}

#[test]
fn it_is_a_stream_without_an_end() {
    run(|_, start| async move {
        let ticks = interval(ms(10)).take(3);
        let all: Vec<_> = ticks.map(|due| due - start).collect().await;
        assert_eq!(all, [ms(0), ms(10), ms(20)]);
        assert_eq!(Instant::now() - start, ms(20));
    });
}

#[test]
fn it_is_a_timer_among_the_others() {
    let (mut lp, _clock, log, _guards) = manual();
    set_timeout(ms(10), log.mark("set before"));
    drop(spawn({
        let log = log.clone();
        async move {
            let mut ticks = interval(ms(10));
            ticks.tick().await;
            log.push("at once");
            ticks.tick().await;
            log.push("tick");
        }
    }));
    set_timeout(ms(1), {
        let log = log.clone();
        move || {
            set_timeout(ms(9), log.mark("set behind"));
        }
    });
    lp.run().unwrap();
    log.expect(["at once", "set before", "tick", "set behind"]);
}

#[test]
fn a_task_that_is_behind_its_ticks_does_not_keep_others_waiting() {
    let (mut lp, clock, log, _guards) = manual();
    let mut ticks = interval(ms(1));
    clock.advance(secs(10));
    runtime::set_immediate(log.mark("immediate"));
    lp.block_on(async {
        for _ in 0..10_000 {
            ticks.tick().await;
        }
        log.push("caught up");
    });
    log.expect(["immediate", "caught up"]);
}

#[test]
fn on_a_real_clock_no_tick_is_early() {
    let (mut lp, _log, _guards) = real();
    let start = lp.now();
    lp.block_on(async {
        let mut ticks = interval(ms(2));
        let first = ticks.tick().await;
        assert!(first >= start);
        for n in 1..=20 {
            let due = ticks.tick().await;
            assert_eq!(due - first, ms(2 * n));
            assert!(Instant::now() >= due);
        }
    });
}

#[test]
fn a_loop_that_goes_takes_its_waits_along() {
    let _deadline = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let waiting = lp.spawn(async {
        let mut ticks = interval(secs(1_000));
        loop {
            ticks.tick().await;
        }
    });
    lp.run_nowait().unwrap();
    assert!(lp.is_alive());
    drop(lp);
    drop::<runtime::JoinHandle<()>>(waiting);
}
