//! Abort signals: who is told, in which order, what follows what, and what is left when somebody goes.

mod loop_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{Future, pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use behaviour::EventLog;
use loop_support::{manual, real};
use runtime::sync::{AbortController, AbortListener, AbortSignal, Aborted};
use runtime::time::sleep;
use runtime::{
    Loop, Result, exit, ms, next_tick, on_uncaught, queue_microtask, secs, set_timeout, spawn,
};

/// A controller and its signal.
fn pair() -> (AbortController, AbortSignal) {
    let controller = AbortController::new();
    let signal = controller.signal();
    (controller, signal)
}

/// A value whose end shows.
struct Owned(EventLog, &'static str);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.push(format!("drop {}", self.1));
    }
}

/// A listener that notes its end, and its call if there is one.
fn owning(log: &EventLog, name: &'static str) -> impl FnOnce() + 'static {
    let owned = Owned(log.clone(), name);
    move || owned.0.push(format!("call {name}"))
}

/// How many listeners and followers a signal has, as it says itself.
fn counts(signal: &AbortSignal) -> String {
    let text = format!("{signal:?}");
    text[text.find("listeners").unwrap()..].trim_end_matches(" }").to_owned()
}

const NONE: &str = "listeners: 0, followers: 0";

// Order.

#[test]
fn listeners_are_called_at_once_in_order_and_once() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    signal.on_abort(log.mark("one"));
    signal.clone().on_abort(log.mark("two"));
    controller.signal().on_abort(log.mark("three"));
    assert!(!signal.is_aborted());
    assert_eq!(signal.check(), Ok(()));
    controller.abort();
    log.expect(["one", "two", "three"]);
    assert!(signal.is_aborted());
    assert_eq!(signal.check(), Err(Aborted));
    controller.clone().abort();
    log.expect([]);
}

#[test]
fn an_abort_in_a_listener_does_nothing() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    signal.on_abort({
        let (log, controller) = (log.clone(), controller.clone());
        move || {
            assert!(controller.signal().is_aborted());
            log.push("one");
            controller.abort();
            log.push("end of one");
        }
    });
    signal.on_abort(log.mark("two"));
    controller.abort();
    log.expect(["one", "end of one", "two"]);
}

#[test]
fn what_a_listener_adds_is_called_unless_that_listener_is_the_last() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    for name in ["one", "two"] {
        signal.on_abort({
            let (log, signal) = (log.clone(), signal.clone());
            move || {
                log.push(name);
                signal.on_abort(owning(&log, if name == "one" { "of one" } else { "of two" }));
                if name == "two" {
                    signal.on_abort(owning(&log, "second of two"));
                }
            }
        });
    }
    controller.abort();
    // "of one" was there when "two" was called, and is the last after it.
    log.expect([
        "one",
        "two",
        "call of one",
        "drop of one",
        "call of two",
        "drop of two",
        "call second of two",
        "drop second of two",
    ]);
    let (controller, signal) = pair();
    signal.on_abort({
        let (log, signal) = (log.clone(), signal.clone());
        move || drop(signal.on_abort(owning(&log, "late")))
    });
    controller.abort();
    log.expect(["drop late"]);
}

#[test]
fn a_listener_that_is_removed_is_not_called_also_by_one_before_it() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    let never = signal.on_abort(owning(&log, "never"));
    never.remove();
    never.clone().remove();
    log.expect(["drop never"]);
    let next = Rc::new(RefCell::new(None::<AbortListener>));
    signal.on_abort({
        let (log, next) = (log.clone(), next.clone());
        move || {
            log.push("one");
            next.borrow().as_ref().unwrap().remove();
        }
    });
    next.replace(Some(signal.on_abort(owning(&log, "two"))));
    signal.on_abort(log.mark("three"));
    controller.abort();
    log.expect(["one", "drop two", "three"]);
    next.borrow().as_ref().unwrap().remove();
}

/// As Node: the pass stands before what came after the one that was removed, at that time.
#[test]
fn the_last_listener_may_be_removed_by_the_one_before_it() {
    for adds_first in [true, false] {
        let (log, (controller, signal)) = (EventLog::new(), pair());
        let last = Rc::new(RefCell::new(None::<AbortListener>));
        signal.on_abort({
            let (log, signal, last) = (log.clone(), signal.clone(), last.clone());
            move || {
                let add = || drop(signal.on_abort(log.mark("added")));
                if adds_first {
                    add();
                }
                last.take().unwrap().remove();
                if !adds_first {
                    add();
                }
            }
        });
        last.replace(Some(signal.on_abort(log.mark("last"))));
        controller.abort();
        assert_eq!(log.take(), if adds_first { vec!["added"] } else { vec![] });
    }
}

#[test]
fn a_listener_that_comes_too_late_is_never_called() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    controller.abort();
    let late = signal.on_abort(owning(&log, "late"));
    log.expect(["drop late"]);
    late.remove();
    controller.abort();
    assert_eq!(counts(&signal), NONE);
}

/// The events are those of Node 20.
#[test]
fn what_a_listener_throws_is_thrown_by_a_tick_after_the_others_were_called() {
    for throws in [|name: &str| Err(name.into()), |name: &str| -> Result { panic!("{name}") }] {
        let (mut lp, log, _guards) = real();
        on_uncaught({
            let log = log.clone();
            move |error| log.push(format!("uncaught {error}"))
        });
        let (controller, signal) = pair();
        for name in ["one", "two"] {
            let log = log.clone();
            signal.on_abort(move || {
                next_tick(log.mark(format!("tick of {name}")));
                queue_microtask(log.mark(format!("microtask of {name}")));
                throws(name)
            });
        }
        signal.on_abort(log.mark("three"));
        set_timeout(ms(1), {
            let log = log.clone();
            move || {
                controller.abort();
                log.push("after abort");
                next_tick(log.mark("tick after abort"));
            }
        });
        lp.run().unwrap();
        log.expect([
            "three",
            "after abort",
            "tick of one",
            "uncaught one",
            "tick of two",
            "uncaught two",
            "tick after abort",
            "microtask of one",
            "microtask of two",
        ]);
    }
}

#[test]
fn without_a_loop_abort_itself_throws_when_all_were_called() {
    let log = EventLog::new();
    let abort = |throws: fn() -> Result| {
        let (controller, signal) = pair();
        signal.on_abort(throws);
        signal.on_abort(|| -> Result { Err("the second".into()) });
        AbortSignal::any([&signal]).on_abort(log.mark("follower"));
        catch_unwind(AssertUnwindSafe(|| controller.abort())).unwrap_err()
    };
    let payload = abort(|| Err("broken".into()));
    assert!(payload.downcast_ref::<String>().unwrap().ends_with("broken"));
    log.expect(["follower"]);
    let payload = abort(|| std::panic::panic_any(7_u32));
    assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    log.expect(["follower"]);
}

#[test]
fn exit_in_a_listener_is_the_end() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    signal.on_abort(log.mark("one"));
    signal.on_abort(|| exit(3));
    signal.on_abort(log.mark("NEVER"));
    AbortSignal::any([&signal]).on_abort(log.mark("NEVER"));
    set_timeout(ms(1), move || controller.abort());
    next_tick(log.mark("tick"));
    lp.run().unwrap();
    assert_eq!(lp.exit_code(), Some(3));
    log.expect(["tick", "one"]);
}

// Tasks.

#[test]
fn tasks_and_listeners_are_one_line() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let microtask = |name: &'static str| {
        let mark = log.mark(name);
        signal.on_abort(move || queue_microtask(mark));
    };
    let task = |name: &'static str| {
        let (log, signal) = (log.clone(), signal.clone());
        spawn(async move {
            signal.aborted().await;
            assert_eq!(signal.race(pending::<()>()).await, Err(Aborted));
            log.push(name);
        });
    };
    task("task 1");
    lp.run().unwrap();
    microtask("microtask 1");
    task("task 2");
    task("task 3");
    lp.run().unwrap();
    microtask("microtask 2");
    set_timeout(ms(1), {
        let log = log.clone();
        move || {
            next_tick(log.mark("tick"));
            controller.abort();
            log.push("after abort");
        }
    });
    lp.run().unwrap();
    log.expect(["after abort", "tick", "task 1", "microtask 1", "task 2", "task 3", "microtask 2"]);
    assert_eq!(lp.metrics().tasks, 0);
}

#[test]
fn a_thousand_tasks_await_one_signal() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let woken = Rc::new(RefCell::new(Vec::new()));
    for n in 0..1_000 {
        let (woken, signal) = (woken.clone(), signal.clone());
        let task = spawn(async move {
            signal.aborted().await;
            woken.borrow_mut().push(n);
        });
        if n % 10 == 0 {
            next_tick(move || task.abort());
        }
    }
    lp.run().unwrap();
    lp.run().unwrap();
    assert_eq!(counts(&signal), "listeners: 900, followers: 0");
    next_tick(move || controller.abort());
    lp.run().unwrap();
    assert!(woken.take().into_iter().eq((0..1_000).filter(|n| n % 10 != 0)));
}

#[test]
fn an_abort_from_outside_of_a_run_wakes_as_well() {
    let (mut lp, log, guards) = real();
    let (controller, signal) = pair();
    spawn({
        let log = log.clone();
        async move {
            signal.aborted().await;
            log.push("task");
        }
    });
    lp.run().unwrap();
    drop(guards);
    controller.abort();
    lp.run().unwrap();
    log.expect(["task"]);
}

#[test]
fn awaiting_an_aborted_signal_is_ready_at_once() {
    let (controller, signal) = pair();
    controller.abort();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(signal.aborted()).poll(&mut cx).is_ready());
    let mut unpolled = pin!(signal.race(async { panic!("polled") }));
    assert_eq!(unpolled.as_mut().poll(&mut cx), Poll::<Result<(), _>>::Ready(Err(Aborted)));
}

#[test]
fn a_race_gives_what_is_first() {
    let (mut lp, _clock, log, _guards) = manual();
    lp.block_on(async {
        let signal = AbortSignal::timeout(ms(10));
        assert_eq!(signal.race(ready(1)).await, Ok(1));
        assert_eq!(signal.race(async { sleep(ms(5)).await }).await, Ok(()));
        let owned = Owned(log.clone(), "loser");
        let loser = async move {
            let _owned = owned;
            sleep(secs(1)).await;
        };
        assert_eq!(signal.race(loser).await, Err(Aborted));
        log.expect(["drop loser"]);
        assert_eq!(counts(&signal), NONE);
    });
}

#[test]
fn a_poll_that_aborts_its_own_signal() {
    let (mut lp, _log, _guards) = real();
    lp.block_on(async {
        let (controller, signal) = pair();
        let is_done = async { controller.abort() };
        assert_eq!(signal.race(is_done).await, Ok(()), "it was done");
        let (controller, signal) = pair();
        let waits = async {
            controller.abort();
            pending::<()>().await;
        };
        assert_eq!(signal.race(waits).await, Err(Aborted));
    });
}

/// A waker whose owners can be counted.
struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_future_that_is_dropped_leaves_no_waker_behind() {
    let (controller, signal) = pair();
    let wakers = [(); 2].map(|()| Arc::new(Silent));
    let [first, second] = wakers.clone().map(Waker::from);
    let owners = || wakers.each_ref().map(Arc::strong_count);
    {
        let (mut one, mut two) = (pin!(signal.aborted()), pin!(signal.race(pending::<()>())));
        for waker in [&first, &first, &second] {
            assert!(one.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            assert!(two.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!(counts(&signal), "listeners: 2, followers: 0");
        assert_eq!(owners(), [2, 4]);
    }
    assert_eq!(counts(&signal), NONE);
    assert_eq!(owners(), [2, 2]);
    {
        let mut woken = pin!(signal.aborted());
        assert!(woken.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        controller.abort();
        assert_eq!(owners(), [2, 2]);
    }
}

#[test]
fn a_main_that_awaits_what_nobody_will_abort_is_told_so() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let stuck = catch_unwind(AssertUnwindSafe(|| lp.block_on(signal.aborted())));
    assert!(stuck.is_err(), "the controller is on its own thread, which waits");
    drop(controller);
    let stuck = catch_unwind(AssertUnwindSafe(|| lp.block_on(signal.race(pending::<()>()))));
    assert!(stuck.is_err());
}

// Followers.

#[test]
fn a_follower_is_aborted_with_the_first_it_follows_and_told_after_it() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    let (_other, idle) = pair();
    let one = AbortSignal::any([&idle, &signal, &signal]);
    let two = AbortSignal::any([&one, &signal]);
    two.on_abort(log.mark("two"));
    one.on_abort({
        let (log, two) = (log.clone(), two.clone());
        move || log.push(format!("one, two is aborted: {}", two.is_aborted()))
    });
    signal.on_abort({
        let (log, one) = (log.clone(), one.clone());
        move || {
            log.push(format!("signal, one is aborted: {}", one.is_aborted()));
            one.on_abort(log.mark("added to one"));
        }
    });
    assert_eq!(counts(&signal), "listeners: 1, followers: 2");
    assert_eq!(counts(&one), "listeners: 1, followers: 0");
    controller.abort();
    log.expect([
        "signal, one is aborted: true",
        "one, two is aborted: true",
        "added to one",
        "two",
    ]);
    assert!(one.is_aborted() && two.is_aborted() && !idle.is_aborted());
    assert_eq!(counts(&idle), NONE, "nothing is left where it is not needed");
}

#[test]
fn a_follower_of_an_aborted_signal_is_aborted() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    let (_other, idle) = pair();
    signal.on_abort({
        let (signal, idle, log) = (signal.clone(), idle.clone(), log.clone());
        move || {
            let follower = AbortSignal::any([&idle, &signal]);
            assert!(follower.is_aborted());
            follower.on_abort(log.mark("NEVER"));
        }
    });
    controller.abort();
    assert!(AbortSignal::any([&idle, &signal]).is_aborted());
    assert!(AbortSignal::any(&[signal]).is_aborted());
    assert_eq!(counts(&idle), NONE);
    log.expect([]);
}

#[test]
fn a_follower_of_none_is_never_aborted() {
    let log = EventLog::new();
    let none = AbortSignal::any([]);
    none.on_abort(owning(&log, "listener"));
    log.expect(["drop listener"]);
    assert!(!none.is_aborted());
}

#[test]
fn a_follower_leaves_nothing_with_those_it_followed() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    drop(AbortSignal::any([&signal]));
    assert_eq!(counts(&signal), NONE);
    let follower = AbortSignal::any([&AbortSignal::any([&signal])]);
    assert_eq!(counts(&signal), "listeners: 0, followers: 1");
    let listener = follower.on_abort(owning(&log, "listener"));
    drop(follower);
    assert_eq!(counts(&signal), "listeners: 0, followers: 1", "it has somebody to tell");
    listener.remove();
    log.expect(["drop listener"]);
    assert_eq!(counts(&signal), NONE);
    AbortSignal::any([&signal]).on_abort(owning(&log, "kept"));
    controller.abort();
    log.expect(["call kept", "drop kept"]);
}

#[test]
fn a_task_that_awaits_a_follower_needs_no_other_owner_of_it() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    spawn({
        let (log, signal) = (log.clone(), signal.clone());
        async move {
            AbortSignal::any([&signal, &AbortSignal::timeout(secs(60))]).aborted().await;
            log.push("task");
        }
    });
    lp.run().unwrap();
    controller.abort();
    lp.run().unwrap();
    log.expect(["task"]);
    assert_eq!(counts(&signal), NONE);
}

// Timeouts.

#[test]
fn a_timeout_aborts_in_its_place_among_the_timers() {
    let (mut lp, _clock, log, _guards) = manual();
    set_timeout(ms(5), log.mark("timer before"));
    AbortSignal::timeout(ms(5)).on_abort(log.mark("timeout"));
    set_timeout(ms(5), log.mark("timer after"));
    lp.run().unwrap();
    log.expect(["timer before", "timeout", "timer after"]);
}

#[test]
fn a_timeout_does_not_keep_the_loop_alive() {
    let (mut lp, _clock, log, _guards) = manual();
    let signal = AbortSignal::timeout(ms(5));
    signal.on_abort(log.mark("timeout"));
    let start = lp.now();
    assert!(!lp.is_alive());
    assert!(!lp.run().unwrap());
    assert_eq!(lp.now(), start);
    assert!(!signal.is_aborted());
    set_timeout(ms(5), log.mark("what keeps it alive"));
    lp.run().unwrap();
    assert!(signal.is_aborted());
    log.expect(["timeout", "what keeps it alive"]);
}

#[test]
fn a_main_that_awaits_a_timeout_is_woken_by_it() {
    let (mut lp, _clock, _log, _guards) = manual();
    let start = lp.now();
    lp.block_on(async {
        AbortSignal::timeout(ms(7)).aborted().await;
        let (_controller, signal) = pair();
        let soon = AbortSignal::any([&signal, &AbortSignal::timeout(Duration::ZERO)]);
        assert_eq!(soon.race(pending::<()>()).await, Err(Aborted));
    });
    assert_eq!(lp.now() - start, ms(8));
}

#[test]
fn a_timeout_may_be_longer_than_a_timer_of_node() {
    let (mut lp, _clock, log, _guards) = manual();
    AbortSignal::timeout(Duration::MAX).on_abort(log.mark("NEVER"));
    AbortSignal::timeout(secs(60 * 86_400)).on_abort(log.mark("sixty days"));
    set_timeout(ms((1 << 31) - 1), log.mark("24 days"));
    lp.run().unwrap();
    log.expect(["24 days"]);
    lp.block_on(sleep(secs(60 * 86_400)));
    log.expect(["sixty days"]);
}

#[test]
fn a_timeout_with_a_listener_needs_no_other_owner() {
    let (mut lp, _clock, log, _guards) = manual();
    let listener = AbortSignal::timeout(ms(1)).on_abort(owning(&log, "removed"));
    AbortSignal::any([&AbortSignal::timeout(ms(2))]).on_abort(owning(&log, "kept"));
    listener.remove();
    log.expect(["drop removed"]);
    set_timeout(ms(3), log.mark("timer"));
    lp.run().unwrap();
    log.expect(["call kept", "drop kept", "timer"]);
}

// Ends.

#[test]
fn without_a_controller_a_signal_is_never_aborted_and_its_listeners_go() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    // A cycle, but for that.
    signal.on_abort({
        let (signal, owned) = (signal.clone(), Owned(log.clone(), "listener"));
        move || drop((signal, owned))
    });
    let follower = AbortSignal::any([&signal]);
    follower.on_abort({
        let (follower, owned) = (follower.clone(), Owned(log.clone(), "listener of the follower"));
        move || drop((follower, owned))
    });
    let task = spawn({
        let signal = signal.clone();
        async move { signal.aborted().await }
    });
    lp.run().unwrap();
    let clone = controller.clone();
    drop(controller);
    log.expect([]);
    drop(clone);
    log.expect(["drop listener", "drop listener of the follower"]);
    signal.on_abort(owning(&log, "late"));
    follower.on_abort(owning(&log, "late"));
    AbortSignal::any([&signal]).on_abort(owning(&log, "late"));
    log.expect(["drop late", "drop late", "drop late"]);
    lp.run().unwrap();
    assert!(!task.is_finished() && !signal.is_aborted());
    task.abort();
    lp.run().unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_follower_has_listeners_while_one_of_its_sources_can_be_aborted() {
    let (log, (one, first), (two, second)) = (EventLog::new(), pair(), pair());
    AbortSignal::any([&first, &second]).on_abort(owning(&log, "listener"));
    drop((one, first));
    log.expect([]);
    drop(second);
    log.expect([]);
    two.abort();
    log.expect(["call listener", "drop listener"]);
}

#[test]
fn the_controller_and_all_signals_may_be_dropped_in_a_listener() {
    let log = EventLog::new();
    let controller = Rc::new(RefCell::new(Some(AbortController::new())));
    let signal = controller.borrow().as_ref().unwrap().signal();
    let follower = AbortSignal::any([&signal]);
    follower.on_abort(owning(&log, "follower"));
    signal.on_abort({
        let (controller, follower) = (controller.clone(), follower.clone());
        move || {
            drop(follower);
            controller.take();
        }
    });
    signal.on_abort(owning(&log, "second"));
    drop((signal, follower));
    let aborting = controller.borrow().clone().unwrap();
    aborting.abort();
    log.expect(["call second", "drop second", "call follower", "drop follower"]);
}

#[test]
fn the_drop_of_a_listener_may_do_everything() {
    struct Busy(AbortController, EventLog);
    impl Drop for Busy {
        fn drop(&mut self) {
            let signal = self.0.signal();
            signal.on_abort(self.1.mark("added by a drop")).remove();
            signal.on_abort(self.1.mark("added by a drop"));
            drop(AbortSignal::any([&signal]));
            self.0.abort();
            self.1.push("dropped");
        }
    }
    let (log, (controller, signal)) = (EventLog::new(), pair());
    let busy = Busy(controller.clone(), log.clone());
    let listener = signal.on_abort(move || drop(busy));
    signal.on_abort(log.mark("second"));
    listener.remove();
    log.expect(["second", "added by a drop", "dropped"]);

    // By the last drop of a controller, which is somebody else's.
    let (other, idle) = pair();
    let (controller, signal) = pair();
    let busy = Busy(controller, log.clone());
    signal.on_abort(log.mark("second"));
    idle.on_abort(move || drop(busy));
    drop(other);
    log.expect(["second", "added by a drop", "dropped"]);
}

#[test]
fn the_end_of_the_loop_ends_its_timeouts_and_tasks_and_no_signal() {
    let (log, (controller, signal)) = (EventLog::new(), pair());
    let mut lp = Loop::new().unwrap();
    let (timeout, follower) = {
        let _here = lp.enter();
        let timeout = AbortSignal::timeout(secs(60));
        timeout.on_abort(owning(&log, "timeout"));
        let follower = AbortSignal::any([&AbortSignal::timeout(secs(70))]);
        follower.on_abort({
            let (follower, owned) = (follower.clone(), Owned(log.clone(), "follower"));
            move || drop((follower, owned))
        });
        spawn({
            let (signal, owned) = (signal.clone(), Owned(log.clone(), "task"));
            async move {
                signal.aborted().await;
                drop(owned);
            }
        });
        (timeout, follower)
    };
    lp.run().unwrap();
    signal.on_abort(owning(&log, "listener"));
    assert_eq!(counts(&signal), "listeners: 2, followers: 0");
    let dead = (*lp).clone();
    drop(lp);
    let mut ended = log.take();
    ended.sort();
    assert_eq!(ended, ["drop follower", "drop task", "drop timeout"]);
    assert!(!timeout.is_aborted() && !follower.is_aborted());
    assert_eq!(counts(&signal), "listeners: 1, followers: 0");
    controller.abort();
    log.expect(["call listener", "drop listener"]);

    let _here = dead.enter();
    AbortSignal::timeout(ms(1)).on_abort(owning(&log, "of a dead loop"));
    log.expect(["drop of a dead loop"]);
    let (controller, signal) = pair();
    signal.on_abort(|| -> Result { Err("nobody".into()) });
    assert!(catch_unwind(AssertUnwindSafe(|| controller.abort())).is_err(), "no loop would tell");
}

#[test]
fn clones_are_one_signal() {
    let ((_one, first), (_two, second)) = (pair(), pair());
    assert_eq!(first, first.clone());
    assert_ne!(first, second);
    assert_ne!(first, AbortSignal::any([&first]));
    #[expect(clippy::mutable_key_type, reason = "hashed by identity")]
    let all: HashSet<_> = [first.clone(), second, first].into();
    assert_eq!(all.len(), 2);
}

#[test]
fn aborted_is_an_io_error_like_the_others() {
    let reading = |signal: &AbortSignal| -> io::Result<()> { Ok(signal.check()?) };
    let (controller, signal) = pair();
    reading(&signal).unwrap();
    controller.abort();
    let error = reading(&signal).unwrap_err();
    assert!(Aborted::is_in(&error));
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert_eq!(error.to_string(), "the operation was aborted");
}

// Memory.

thread_local! {
    /// Bytes that this thread allocated, less those that it freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    // Gone while the thread ends: then nobody asks.
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: all is passed on to the system's allocator; the count neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn ten_thousand_short_lives_leave_no_memory_with_a_long_one() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let mut cx = Context::from_waker(Waker::noop());
    let mut lives = |n: usize| {
        for _ in 0..n {
            signal.on_abort(|| ()).remove();
            assert!(pin!(signal.race(pending::<()>())).poll(&mut cx).is_pending());
            drop(AbortSignal::timeout(secs(3600)));
            let own = AbortController::new();
            let limit = AbortSignal::timeout(secs(3600));
            let any = AbortSignal::any([&signal, &own.signal(), &limit]);
            any.on_abort({
                let (any, limit) = (any.clone(), limit.clone());
                move || drop((any, limit))
            });
            own.abort();
            assert!(any.is_aborted());
            let any = AbortSignal::any([&signal, &limit]);
            AbortSignal::any([&any, &AbortSignal::timeout(secs(60))]).on_abort(|| ()).remove();
            AbortSignal::any([&own.signal(), &AbortController::new().signal()]).on_abort(|| ());
        }
        BYTES.get()
    };
    let before = lives(100);
    assert_eq!(lives(10_000), before);
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    lp.run().unwrap();
}
