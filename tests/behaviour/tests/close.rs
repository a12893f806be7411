//! Closing: `close`, `closed`, `close_on_drop`, the last owner, and what the loop holds.

mod loop_support;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::rc::Rc;

use behaviour::EventLog;
use loop_support::{manual, note, note_close, real};
use runtime::handle::{Async, Check, Handle, Idle, Kind, Prepare, Timer};
use runtime::{Closed, Loop, LoopGone, ms, next_tick, queue_microtask, secs, set_immediate, spawn};

macro_rules! started {
    ($(#[$meta:meta])* $module:ident, $make:expr) => {
        $(#[$meta])*
        mod $module {
            use super::*;

            /// Runs a test with a handle that is started.
            #[test]
            fn is_active_and_is_closing_tell_its_state() {
                let (mut lp, _log, _guards) = real();
                let (handle, kept) = $make;
                assert!(handle.is_active() && !handle.is_closing() && handle.has_ref());
                handle.close();
                assert!(!handle.is_active() && handle.is_closing());
                lp.run().unwrap();
                assert!(!handle.is_active() && handle.is_closing());
                drop(kept);
            }

            #[test]
            fn ref_and_unref_are_flags_and_change_liveness_at_once() {
                let (mut lp, _log, _guards) = real();
                let (handle, kept) = $make;
                assert!(lp.is_alive());
                handle.unref();
                handle.unref();
                assert!(!lp.is_alive() && !handle.has_ref() && handle.is_active());
                assert!(!lp.run().unwrap());
                handle.ref_();
                handle.ref_();
                assert!(lp.is_alive() && handle.has_ref());
                handle.unref();
                assert!(!lp.is_alive());
                handle.close();
                // While it closes the flag is kept, and counts nothing.
                handle.ref_();
                assert!(handle.has_ref() && lp.is_alive());
                handle.unref();
                assert!(!handle.has_ref() && lp.is_alive());
                assert!(!lp.run().unwrap());
                handle.ref_();
                assert!(!lp.is_alive());
                drop(kept);
            }

            #[test]
            fn the_loop_holds_it_while_it_is_active_and_close_is_the_end_of_it() {
                let (mut lp, log, _guards) = real();
                let (handle, kept) = $make;
                handle.closed().callback(note_close(&log, "closed"));
                drop(handle);
                lp.run_nowait().unwrap();
                log.expect([]);
                lp.walk(Handle::close);
                assert!(!lp.run().unwrap());
                log.expect(["closed"]);
                lp.walk(|handle| panic!("{handle:?} is left"));
                drop(kept);
            }

            #[test]
            fn closing_twice_is_closing_once() {
                let (mut lp, log, _guards) = real();
                let (handle, kept) = $make;
                handle.closed().callback(note_close(&log, "one"));
                handle.closed().callback(note_close(&log, "two"));
                handle.close();
                handle.close();
                assert!(!lp.run().unwrap());
                handle.close();
                assert!(!lp.is_alive());
                log.expect(["one", "two"]);
                drop(kept);
            }

            #[test]
            fn a_dropped_loop_closes_it_without_a_callback() {
                let (lp, log, guards) = real();
                let (handle, kept) = $make;
                handle.closed().callback(note_close(&log, "closed"));
                let waiting = handle.closed();
                drop(lp);
                assert!(!handle.is_active() && handle.is_closing());
                handle.close();
                handle.unref();
                let mut other = Loop::new().unwrap();
                assert!(LoopGone::is_in(&other.block_on(waiting).unwrap_err()));
                log.expect([]);
                drop((kept, guards));
            }
        }
    };
}

started!(timer, {
    let timer = Timer::new();
    timer.start(secs(3600), None, |_| ()).unwrap();
    (timer, [(); 0].to_vec())
});
started!(idle, {
    let idle = Idle::new();
    idle.start(|_| ()).unwrap();
    (idle, [(); 0].to_vec())
});
started!(prepare, {
    let prepare = Prepare::new();
    prepare.start(|_| ()).unwrap();
    (prepare, [(); 0].to_vec())
});
started!(check, {
    let check = Check::new();
    check.start(|_| ()).unwrap();
    (check, [(); 0].to_vec())
});
started!(async_, {
    let handle = Async::new(|_| ());
    let sender = handle.sender();
    (handle, sender)
});
started!(
    #[cfg(unix)]
    poll,
    {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let poll = runtime::handle::Poll::new(&one).unwrap();
        poll.start(runtime::handle::Interest::READABLE, |_, _| ());
        (poll, (one, other))
    }
);

#[test]
fn an_inactive_handle_ends_with_its_last_owner() {
    let (mut lp, log, _guards) = real();
    let handle = Check::new();
    let clone = handle.clone();
    handle.closed().callback(note_close(&log, "closed"));
    drop(handle);
    lp.run_nowait().unwrap();
    log.expect([]);
    drop(clone);
    assert!(lp.is_alive(), "it is closing");
    assert!(!lp.run().unwrap());
    log.expect(["closed"]);
}

#[test]
fn a_stopped_handle_ends_with_its_last_owner_also_in_its_own_callback() {
    let (mut lp, log, _guards) = real();
    let check = Check::new();
    check.closed().callback(note_close(&log, "closed"));
    check
        .start({
            let log = log.clone();
            move |check| {
                log.push("check");
                check.stop();
            }
        })
        .unwrap();
    drop(check);
    set_immediate(log.mark("immediate"));
    assert!(!lp.run_nowait().unwrap());
    log.expect(["check", "immediate", "closed"]);
}

#[test]
fn close_is_now_and_its_callback_is_later() {
    let (mut lp, clock, log, _guards) = manual();
    let timer = Timer::new();
    timer.start(ms(1), ms(1), note(&log, "timer")).unwrap();
    clock.advance(ms(1));
    set_immediate({
        let (log, timer) = (log.clone(), timer.clone());
        move || {
            timer.closed().callback(note_close(&log, "closed"));
            timer.close();
            next_tick(log.mark("tick"));
            queue_microtask(log.mark("microtask"));
            log.push("close returns");
        }
    });
    lp.run_nowait().unwrap();
    log.expect(["close returns", "tick", "microtask", "closed"]);
}

#[test]
fn closed_may_be_awaited_before_and_after() {
    let (mut lp, _log, _guards) = real();
    lp.block_on(async {
        let handle = Check::new();
        let closed = handle.closed();
        handle.close();
        closed.await.unwrap();
        handle.closed().await.unwrap();
    });
}

#[test]
fn closed_may_outlive_the_handle() {
    let (mut lp, _log, _guards) = real();
    let handle = Check::new();
    let closed = handle.closed();
    drop(handle);
    lp.block_on(closed).unwrap();
}

#[test]
fn a_task_that_waits_for_closed_goes_on_in_the_closing_phase() {
    let (mut lp, clock, log, _guards) = manual();
    let handle = Check::new();
    drop(spawn({
        let (log, handle) = (log.clone(), handle.clone());
        async move {
            handle.closed().await.unwrap();
            log.push("task");
        }
    }));
    lp.run_nowait().unwrap();
    set_immediate({
        let log = log.clone();
        move || {
            log.push("immediate");
            handle.close();
        }
    });
    Timer::new().start(ms(1), None, note(&log, "timer")).unwrap();
    clock.advance(ms(1));
    lp.run_nowait().unwrap();
    log.expect(["immediate", "task", "timer"]);
}

#[test]
fn a_dropped_closed_does_not_stop_the_closing() {
    let (mut lp, log, _guards) = real();
    let handle = Check::new();
    drop(handle.closed());
    handle.closed().callback(note_close(&log, "closed"));
    handle.close();
    drop(handle.closed());
    lp.run().unwrap();
    log.expect(["closed"]);
}

#[test]
fn close_on_drop_ends_with_its_scope_although_the_handle_is_active() {
    let (mut lp, log, _guards) = real();
    let clone = {
        let timer = Timer::new().close_on_drop();
        timer.start(secs(3600), None, note(&log, "timer")).unwrap();
        timer.closed().callback(note_close(&log, "closed"));
        Timer::clone(&timer)
    };
    assert!(clone.is_closing());
    assert!(!lp.run().unwrap());
    log.expect(["closed"]);
}

#[test]
fn close_drops_the_callback_in_the_closing_phase_and_breaks_cycles() {
    let (mut lp, _clock, _log, _guards) = manual();
    let captured = Rc::new(());
    let timer = Timer::new();
    timer
        .start(ms(1), None, {
            let (timer, captured) = (timer.clone(), captured.clone());
            move |_| drop((timer.clone(), captured.clone()))
        })
        .unwrap();
    assert_eq!(Rc::strong_count(&captured), 2);
    timer.close();
    lp.run().unwrap();
    assert_eq!(Rc::strong_count(&captured), 1);
}

#[test]
fn what_the_drop_of_a_callback_sets_off_runs_before_the_next_handle_is_closed() {
    struct OnDrop(EventLog);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            let log = self.0.clone();
            log.push("dropped");
            next_tick(log.mark("tick"));
            drop(spawn(async move { log.push("task") }));
        }
    }
    let (mut lp, log, _guards) = real();
    let (first, last) = (Timer::new(), Timer::new());
    let owned = OnDrop(log.clone());
    last.start(secs(60), None, move |_| _ = &owned).unwrap();
    first.close();
    first.closed().callback(note_close(&log, "first"));
    last.close();
    // The last iteration: nothing is alive behind it.
    assert!(!lp.run_nowait().unwrap());
    log.expect(["dropped", "tick", "task", "first"]);
}

#[test]
fn a_dropped_loop_breaks_cycles_too() {
    let (lp, _log, guards) = real();
    let captured = Rc::new(());
    let check = Check::new();
    check
        .start({
            let (check, captured) = (check.clone(), captured.clone());
            move |_| drop((check.clone(), captured.clone()))
        })
        .unwrap();
    check.stop();
    check.start(|_| ()).unwrap();
    let timer = Timer::new();
    timer
        .start(secs(1), None, {
            let (timer, captured) = (timer.clone(), captured.clone());
            move |_| drop((timer.clone(), captured.clone()))
        })
        .unwrap();
    timer.stop(); // it remembers its callback, and so itself
    drop(timer);
    drop(lp);
    assert_eq!(Rc::strong_count(&captured), 1);
    drop(guards);
}

#[test]
fn a_handle_may_close_itself_in_its_callback() {
    let (mut lp, log, _guards) = real();
    let closing = |log: &EventLog, name: &'static str| {
        let log = log.clone();
        move |handle: &Handle| {
            log.push(name);
            handle.close();
            assert!(handle.is_closing() && !handle.is_active());
        }
    };
    let each = [closing(&log, "idle"), closing(&log, "prepare"), closing(&log, "check")];
    let [idle, prepare, check] = each;
    Idle::new().start(move |handle| idle(handle)).unwrap();
    Prepare::new().start(move |handle| prepare(handle)).unwrap();
    Check::new().start(move |handle| check(handle)).unwrap();
    let timer = closing(&log, "timer");
    Timer::new().start(ms(0), ms(1), move |handle| timer(handle)).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["timer", "idle", "prepare", "check"]);
}

#[test]
fn what_a_callback_captured_lives_until_it_returns_though_it_closes_its_handle() {
    struct Drops(EventLog);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.push("dropped");
        }
    }
    let (mut lp, log, _guards) = real();
    let check = Check::new();
    check.closed().callback(note_close(&log, "closed"));
    check
        .start({
            let drops = Drops(log.clone());
            move |check| {
                check.close();
                check.loop_ref().walk(Handle::close);
                drops.0.push("still here");
            }
        })
        .unwrap();
    drop(check);
    assert!(!lp.run_nowait().unwrap());
    log.expect(["still here", "closed", "dropped"]);
}

#[test]
fn a_handle_made_in_a_close_callback_is_open() {
    let (mut lp, _clock, log, _guards) = manual();
    let first = Timer::new();
    first.closed().callback({
        let log = log.clone();
        move |_: io::Result<()>| {
            log.push("closed");
            Timer::new().start(ms(1), None, note(&log, "new timer")).unwrap();
        }
    });
    first.close();
    drop(first);
    lp.run().unwrap();
    log.expect(["closed", "new timer"]);
}

#[test]
fn a_panic_in_a_close_callback_does_not_lose_the_others() {
    let (mut lp, log, _guards) = real();
    let (one, two, three) = (Timer::new(), Timer::new(), Timer::new());
    one.closed().callback(note_close(&log, "one"));
    two.closed().callback(|_| panic!("two"));
    two.closed().callback(note_close(&log, "two again"));
    three.closed().callback(note_close(&log, "three"));
    for handle in [&one, &two, &three] {
        handle.close();
    }
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run())).is_err());
    log.expect(["three"]);
    assert!(lp.is_alive());
    assert!(!lp.run().unwrap());
    log.expect(["two again", "one"]);
}

#[test]
fn a_drop_that_closes_another_handle_in_the_closing_phase_is_fine() {
    struct Closes(Rc<RefCell<Option<Timer>>>, EventLog);
    impl Drop for Closes {
        fn drop(&mut self) {
            if let Some(other) = self.0.take() {
                self.1.push("drop");
                other.close();
            }
        }
    }
    let (mut lp, log, _guards) = real();
    let other = Timer::new();
    other.start(secs(3600), None, |_| ()).unwrap();
    other.closed().callback(note_close(&log, "other"));
    let check = Check::new();
    let closes = Closes(Rc::new(RefCell::new(Some(other))), log.clone());
    check.start(move |_| assert!(closes.0.borrow().is_some())).unwrap();
    check.close();
    assert!(!lp.run().unwrap());
    log.expect(["drop", "other"]);
}

#[test]
fn clones_are_equal_and_hash_alike() {
    let (_lp, _log, _guards) = real();
    let (one, two) = (Timer::new(), Timer::new());
    assert_eq!(one, one.clone());
    assert_ne!(one, two);
    #[expect(clippy::mutable_key_type, reason = "hashed by identity")]
    let set: HashSet<_> = [one.clone(), two.clone(), one.clone()].into();
    assert_eq!(set.len(), 2);
    assert!(*one == *one.clone() && *one != *two);
}

#[test]
fn kind_and_loop_ref_say_what_it_is_and_where() {
    let (lp, _log, _guards) = real();
    assert_eq!(Timer::new().kind(), Kind::Timer);
    assert_eq!(Idle::new().kind(), Kind::Idle);
    assert_eq!(Prepare::new().kind(), Kind::Prepare);
    assert_eq!(Check::new().kind(), Kind::Check);
    assert_eq!(Async::new(|_| ()).kind(), Kind::Async);
    assert_eq!(Timer::new().loop_ref(), *lp);
}

#[test]
fn every_start_on_a_closed_handle_says_closed() {
    let (mut lp, log, _guards) = real();
    let (idle, prepare, check) = (Idle::new(), Prepare::new(), Check::new());
    let timer = Timer::new();
    idle.close();
    prepare.close();
    check.close();
    timer.close();
    for _ in 0..2 {
        assert!(Closed::is_in(&idle.start(|_| ()).unwrap_err()));
        assert!(Closed::is_in(&prepare.start(|_| ()).unwrap_err()));
        assert!(Closed::is_in(&check.start(|_| ()).unwrap_err()));
        assert!(Closed::is_in(&timer.start(ms(1), None, |_| ()).unwrap_err()));
        idle.stop();
        timer.stop();
        lp.run().unwrap();
    }
    log.expect([]);
}

#[test]
fn ten_thousand_handles_come_and_go() {
    let (mut lp, _log, _guards) = real();
    let closed = Rc::new(Cell::new(0));
    for round in 0..10 {
        let handles: Vec<_> = (0..1_000).map(|_| Timer::new()).collect();
        for (number, handle) in handles.into_iter().enumerate() {
            let closed = closed.clone();
            handle.closed().callback(move |_| closed.set(closed.get() + 1));
            if number % 2 == 0 {
                handle.start(secs(3600), None, |_| ()).unwrap();
                handle.close();
            }
        }
        assert!(!lp.run().unwrap());
        assert_eq!(closed.get(), (round + 1) * 1_000);
        assert_eq!(lp.metrics().handles, 0);
    }
}
