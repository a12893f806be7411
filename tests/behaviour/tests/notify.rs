//! `sync::Notify` and `sync::Semaphore`: waits in a line.

mod loop_support;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use behaviour::EventLog;
use futures_lite::future::poll_once;
use loop_support::{manual, real};
use runtime::sync::{Notify, Semaphore};
use runtime::time::{sleep, timeout};
use runtime::{JoinSet, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn};

/// Starts a task that waits and then notes `event`.
fn waits(log: &EventLog, notify: &Notify, event: u32) {
    let (log, notified) = (log.clone(), notify.notified());
    drop(spawn(async move {
        notified.await;
        log.push(event);
    }));
}

#[test]
fn one_is_notified_at_a_time_in_the_order_of_the_waits() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    (1..=3).for_each(|n| waits(&log, &notify, n));
    lp.run_nowait().unwrap();
    log.expect([]);
    for expected in ["1", "2", "3"] {
        notify.notify_one();
        lp.run_nowait().unwrap();
        log.expect([expected]);
    }
}

#[test]
fn one_notification_is_kept_and_not_two() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    (0..2).for_each(|_| notify.notify_one());
    (1..=2).for_each(|n| waits(&log, &notify, n));
    lp.run_nowait().unwrap();
    log.expect(["1"]);
}

#[test]
fn all_waiters_are_those_there_are() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    notify.notify_waiters();
    (1..=2).for_each(|n| waits(&log, &notify, n));
    // They were asked for, though not polled yet.
    notify.notify_waiters();
    waits(&log, &notify, 3);
    lp.run_nowait().unwrap();
    log.expect(["1", "2"]);
}

#[test]
fn a_notification_for_a_wait_that_is_given_up_goes_to_the_next() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    lp.block_on(async {
        let mut first = Box::pin(notify.notified());
        assert!(poll_once(&mut first).await.is_none());
        waits(&log, &notify, 2);
        runtime::yield_now().await;
        notify.notify_one();
        drop(first);
        runtime::yield_now().await;
    });
    log.expect(["2"]);
}

#[test]
fn a_thread_wakes_main_a_task_and_a_callback() {
    for _ in 0..100 {
        let (mut lp, log, _guards) = real();
        let (notify, done) = (Notify::new(), Notify::new());
        let notified = notify.clone();
        let notifying = thread::spawn(move || (0..2).for_each(|_| notified.notify_waiters()));
        done.notified().callback({
            let log = log.clone();
            move |()| log.push("callback")
        });
        let from_elsewhere = thread::spawn(move || done.notify_one());
        lp.run().unwrap();
        log.expect(["callback"]);
        notifying.join().unwrap();
        from_elsewhere.join().unwrap();
        let main = notify.notified();
        let notifying = thread::spawn(move || notify.notify_one());
        lp.block_on(main);
        notifying.join().unwrap();
    }
}

#[test]
fn a_notified_callback_runs_in_poll_and_keeps_the_loop_alive_until_then() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    let waiter = notify.notified().callback({
        let log = log.clone();
        move |()| {
            log.push("notified");
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        }
    });
    lp.run_nowait().unwrap();
    assert!(lp.is_alive());
    waiter.unref();
    assert!(!lp.is_alive());
    waiter.ref_();
    set_immediate(log.mark("check"));
    notify.notify_one();
    log.expect([]);
    assert!(!lp.run().unwrap());
    log.expect(["notified", "tick", "microtask", "check"]);
}

#[test]
fn a_callback_that_was_closed_passes_its_notification_on() {
    let (mut lp, log, _guards) = real();
    let notify = Notify::new();
    let first = notify.notified().callback(|()| panic!("it was closed"));
    lp.run_nowait().unwrap();
    waits(&log, &notify, 2);
    lp.run_nowait().unwrap();
    notify.notify_one();
    first.close();
    lp.run().unwrap();
    log.expect(["2"]);
}

// --- permits ---

#[test]
fn permits_go_to_those_who_wait_in_order_and_many_hold_up_those_behind() {
    let (mut lp, log, _guards) = real();
    let semaphore = Semaphore::new(2);
    let first = semaphore.try_acquire().unwrap();
    let second = semaphore.try_acquire().unwrap();
    assert!(semaphore.try_acquire().is_none());
    for (name, count) in [("two", 2), ("one", 1)] {
        let (log, acquiring) = (log.clone(), semaphore.acquire_many(count));
        drop(spawn(async move {
            let permit = acquiring.await;
            assert_eq!(permit.num_permits(), count as usize);
            log.push(name);
            permit.forget();
        }));
    }
    lp.run_nowait().unwrap();
    drop(first);
    lp.run_nowait().unwrap();
    assert!(semaphore.try_acquire().is_none(), "who waits is before who tries");
    log.expect([]);
    drop(second);
    lp.run_nowait().unwrap();
    log.expect(["two"]);
    semaphore.add_permits(1);
    lp.run_nowait().unwrap();
    log.expect(["one"]);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn no_more_than_there_are_permits_at_once_in_tasks_and_jobs() {
    let (mut lp, _clock, _log, _guards) = manual();
    let (semaphore, inside) = (Semaphore::new(3), Arc::new(AtomicUsize::new(0)));
    let set = JoinSet::new();
    for n in 0..30 {
        let (semaphore, inside) = (semaphore.clone(), inside.clone());
        set.spawn(async move {
            let permit = semaphore.acquire().await;
            assert!(inside.fetch_add(1, SeqCst) < 3);
            if n % 2 == 0 {
                sleep(ms(1)).await;
                inside.fetch_sub(1, SeqCst);
            } else {
                // Given back on another thread.
                let job = runtime::spawn_blocking(move || {
                    inside.fetch_sub(1, SeqCst);
                    drop(permit);
                });
                job.await.unwrap();
            }
        });
    }
    lp.block_on(async {
        while let Some(done) = set.join_next().await {
            done.unwrap();
        }
    });
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn a_permit_calls_back_in_poll() {
    let (mut lp, log, _guards) = real();
    let semaphore = Semaphore::new(1);
    for n in 1..=2 {
        let log = log.clone();
        semaphore.acquire().callback(move |permit| {
            log.push(n);
            next_tick(move || drop(permit));
        });
    }
    log.expect([]);
    assert!(!lp.run().unwrap());
    log.expect(["1", "2"]);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_permit_of_a_wait_that_is_given_up_is_not_lost() {
    let (mut lp, _clock, _log, _guards) = manual();
    let semaphore = Semaphore::new(1);
    lp.block_on(async {
        let permit = semaphore.acquire().await;
        assert!(timeout(ms(5), semaphore.acquire()).await.is_err());
        let mut second = Box::pin(semaphore.acquire());
        assert!(poll_once(&mut second).await.is_none());
        drop(permit); // it goes to the second, which does not come for it
        assert_eq!(semaphore.available_permits(), 0);
        drop(second);
        assert_eq!(semaphore.available_permits(), 1);
        semaphore.acquire().callback(|_permit| ()).close();
    });
    lp.run().unwrap();
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(Semaphore::new(usize::MAX).available_permits(), Semaphore::MAX_PERMITS);
}

#[test]
fn a_task_that_always_gets_a_permit_or_a_notification_does_not_keep_timers_waiting() {
    for with_permits in [false, true] {
        let (mut lp, log, _guards) = real();
        let is_over = Rc::new(Cell::new(false));
        set_timeout(ms(2), {
            let (log, is_over) = (log.clone(), is_over.clone());
            move || {
                log.push("timer");
                is_over.set(true);
            }
        });
        let (semaphore, notify) = (Semaphore::new(1), Notify::new());
        lp.block_on(async {
            while !is_over.get() {
                if with_permits {
                    drop(semaphore.acquire().await);
                } else {
                    notify.notify_one();
                    notify.notified().await;
                }
            }
        });
        log.expect(["timer"]);
    }
}
