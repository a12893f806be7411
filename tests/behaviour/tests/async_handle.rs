//! `Async`: a loop woken from other threads.

mod loop_support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use loop_support::{note, note_close, real};
use runtime::handle::{Async, Check, Timer};
use runtime::{Loop, LoopGone, queue_microtask, secs, set_immediate};

#[test]
fn sends_before_the_callback_are_one_callback() {
    let (mut lp, log, _guards) = real();
    let sender = Async::new(note(&log, "async")).sender();
    for _ in 0..100 {
        sender.send().unwrap();
    }
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["async"]);
    sender.send().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["async"]);
}

#[test]
fn several_run_in_the_order_they_were_made_once_each() {
    let (mut lp, log, _guards) = real();
    let senders: Vec<_> = (0..3).map(|number| Async::new(note(&log, number)).sender()).collect();
    for number in [2, 1, 0, 0] {
        senders[number].send().unwrap();
    }
    lp.run_nowait().unwrap();
    log.expect(["0", "1", "2"]);
}

#[test]
fn the_order_of_making_holds_though_slots_are_used_again() {
    let (mut lp, log, _guards) = real();
    let old = Timer::new(); // takes the first slot
    let first = Async::new(note(&log, "first")).sender();
    old.close();
    lp.run_nowait().unwrap();
    let second = Async::new(note(&log, "second")).sender();
    second.send().unwrap();
    first.send().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["first", "second"]);
}

#[test]
fn a_send_in_its_own_callback_is_for_the_next_iteration() {
    let (mut lp, log, _guards) = real();
    let sender = Rc::new(std::cell::RefCell::new(None::<runtime::handle::AsyncSender>));
    let handle = Async::new({
        let (log, sender) = (log.clone(), sender.clone());
        move |_| {
            log.push("async");
            sender.take().into_iter().for_each(|sender| sender.send().unwrap());
        }
    });
    let first = handle.sender();
    sender.replace(Some(first.clone()));
    first.send().unwrap();
    assert!(lp.run_nowait().unwrap());
    log.expect(["async"]);
    lp.run_nowait().unwrap();
    log.expect(["async"]);
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn a_send_to_a_later_one_of_the_same_phase_is_not_heard_twice() {
    let (mut lp, log, _guards) = real();
    let second = Rc::new(std::cell::OnceCell::<runtime::handle::AsyncSender>::new());
    let first = Async::new({
        let (log, second) = (log.clone(), second.clone());
        move |_| {
            log.push("first");
            second.get().unwrap().send().unwrap();
        }
    })
    .sender();
    second.set(Async::new(note(&log, "second")).sender()).unwrap();
    second.get().unwrap().send().unwrap();
    first.send().unwrap();
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    // The callback came after the last send, so once is enough.
    log.expect(["first", "second"]);
}

#[test]
fn it_is_active_while_a_sender_exists() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new(note(&log, "async"));
    assert!(!handle.is_active() && !lp.is_alive());
    let one = handle.sender();
    let two = one.clone();
    assert!(handle.is_active() && lp.is_alive());
    drop(one);
    lp.run_nowait().unwrap();
    assert!(handle.is_active());
    drop(two);
    assert!(!lp.run().unwrap());
    assert!(!handle.is_active() && !handle.is_closing());
    // It can have senders again.
    let three = handle.sender();
    assert!(handle.is_active());
    three.send().unwrap();
    drop(three);
    assert!(!lp.run().unwrap());
    log.expect(["async"]);
}

#[test]
fn the_last_senders_drop_on_another_thread_wakes_the_loop_and_lets_it_end() {
    let (mut lp, log, _guards) = real();
    let sender = Async::new(note(&log, "async")).sender();
    let dropping = thread::spawn(move || drop(sender));
    assert!(!lp.run().unwrap());
    dropping.join().unwrap();
    log.expect([]);
}

#[test]
fn a_send_right_before_the_last_senders_drop_is_heard() {
    for _ in 0..200 {
        let (mut lp, log, _guards) = real();
        let sender = Async::new(note(&log, "async")).sender();
        let sending = thread::spawn(move || sender.send().unwrap());
        lp.run().unwrap();
        sending.join().unwrap();
        log.expect(["async"]);
    }
}

#[test]
fn a_new_sender_made_after_the_last_ones_drop_keeps_it_active() {
    let (mut lp, _log, _guards) = real();
    let handle = Async::new(|_| ());
    drop(handle.sender());
    let sender = handle.sender();
    assert!(lp.run_nowait().unwrap());
    assert!(handle.is_active());
    drop(sender);
    assert!(!lp.run().unwrap());
}

#[test]
fn the_last_senders_drop_in_its_own_callback_ends_it() {
    let (mut lp, log, _guards) = real();
    let sender = Rc::new(Cell::new(None));
    let handle = Async::new({
        let (log, sender) = (log.clone(), sender.clone());
        move |_| {
            log.push("async");
            drop(sender.take());
        }
    });
    let first = handle.sender();
    first.send().unwrap();
    sender.set(Some(first));
    assert!(!lp.run().unwrap());
    log.expect(["async"]);
}

#[test]
fn the_owner_may_go_while_a_sender_stays() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new(note(&log, "async"));
    let closed = handle.closed();
    closed.callback(note_close(&log, "closed"));
    let sender = handle.sender();
    drop(handle);
    sender.send().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["async"]);
    drop(sender);
    assert!(!lp.run().unwrap());
    log.expect(["closed"]);
}

#[test]
fn send_after_close_is_an_error_and_calls_nothing_back() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new(note(&log, "async"));
    let sender = handle.sender();
    handle.close();
    assert_eq!(sender.send(), Err(LoopGone));
    lp.run().unwrap();
    assert_eq!(sender.send(), Err(LoopGone));
    let late = handle.sender();
    assert_eq!(late.send(), Err(LoopGone));
    assert!(!handle.is_active() && !lp.is_alive());
    drop((sender, late));
    assert!(!lp.run().unwrap());
    log.expect([]);
}

#[test]
fn a_send_that_was_on_its_way_when_it_was_closed_calls_nothing_back() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new(note(&log, "async"));
    let sender = handle.sender();
    sender.send().unwrap();
    handle.close();
    handle.closed().callback(note_close(&log, "closed"));
    lp.run().unwrap();
    log.expect(["closed"]);
}

#[test]
fn closing_another_one_that_is_signalled_too_suppresses_it() {
    let (mut lp, log, _guards) = real();
    let victim = Rc::new(std::cell::OnceCell::<Async>::new());
    let first = Async::new({
        let (log, victim) = (log.clone(), victim.clone());
        move |_| {
            log.push("first");
            victim.get().unwrap().close();
        }
    })
    .sender();
    let second = Async::new(note(&log, "second"));
    let sender = second.sender();
    victim.set(second).unwrap();
    sender.send().unwrap();
    first.send().unwrap();
    lp.run_nowait().unwrap();
    log.expect(["first"]);
}

#[test]
fn a_microtask_that_closes_the_next_one_suppresses_it() {
    let (mut lp, log, _guards) = real();
    let victim = Rc::new(std::cell::OnceCell::<Async>::new());
    let first = Async::new({
        let victim = victim.clone();
        move |_| {
            let victim = victim.clone();
            queue_microtask(move || victim.get().unwrap().close());
        }
    })
    .sender();
    let second = Async::new(note(&log, "second"));
    let sender = second.sender();
    victim.set(second).unwrap();
    sender.send().unwrap();
    first.send().unwrap();
    lp.run_nowait().unwrap();
    log.expect([]);
}

#[test]
fn it_may_close_itself() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new({
        let log = log.clone();
        move |handle| {
            log.push("async");
            handle.close();
        }
    });
    let sender = handle.sender();
    handle.closed().callback(note_close(&log, "closed"));
    let sending = thread::spawn(move || {
        let mut sent = 0;
        while sender.send().is_ok() {
            sent += 1;
            thread::yield_now();
        }
        sent
    });
    lp.run().unwrap();
    assert!(sending.join().unwrap() > 0);
    log.expect(["async", "closed"]);
}

#[test]
fn send_to_a_loop_that_is_gone_is_an_error() {
    let (lp, log, guards) = real();
    let handle = Async::new(note(&log, "async"));
    let sender = handle.sender();
    let clone = sender.clone();
    sender.send().unwrap();
    drop((guards, lp));
    assert_eq!(sender.send(), Err(LoopGone));
    thread::spawn(move || assert_eq!(clone.send(), Err(LoopGone))).join().unwrap();
    log.expect([]);
}

#[test]
fn a_handle_made_on_a_loop_that_is_gone_is_closed() {
    let (lp, log, guards) = real();
    drop(lp);
    let handle = Async::new(note(&log, "async"));
    assert!(handle.is_closing());
    let sender = handle.sender();
    for _ in 0..2 {
        assert_eq!(sender.send(), Err(LoopGone));
    }
    drop(guards);
}

#[test]
fn unreferenced_it_lets_the_loop_end() {
    let (mut lp, log, _guards) = real();
    let handle = Async::new(note(&log, "async"));
    let sender = handle.sender();
    handle.unref();
    assert!(!lp.run().unwrap());
    sender.send().unwrap();
    // What is in the mailbox is delivered all the same.
    assert!(!lp.run().unwrap());
    log.expect(["async"]);
}

#[test]
fn a_panic_does_not_lose_the_other_signalled_ones() {
    let (mut lp, log, _guards) = real();
    let first = Async::new(|_| panic!("first")).sender();
    let second = Async::new(note(&log, "second")).sender();
    first.send().unwrap();
    second.send().unwrap();
    set_immediate(log.mark("immediate"));
    assert!(catch_unwind(AssertUnwindSafe(|| lp.run_nowait())).is_err());
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["second", "immediate"]);
}

#[test]
fn there_is_always_a_callback_after_the_last_send() {
    let (mut lp, _log, _guards) = real();
    let sent = Arc::new(AtomicU32::new(0));
    let seen = Rc::new(Cell::new((0, 0)));
    let handle = Async::new({
        let (sent, seen) = (sent.clone(), seen.clone());
        move |_| seen.set((sent.load(SeqCst), seen.get().1 + 1))
    });
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (sender, sent) = (handle.sender(), sent.clone());
            thread::spawn(move || {
                for _ in 0..5_000 {
                    sent.fetch_add(1, SeqCst);
                    sender.send().unwrap();
                }
            })
        })
        .collect();
    drop(handle);
    lp.run().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    let (seen, callbacks) = seen.get();
    assert_eq!(seen, 20_000);
    assert!((1..=20_000).contains(&callbacks));
}

#[test]
fn two_loops_may_play_ping_pong() {
    const ROUNDS: u32 = 2_000;
    let _guard = behaviour::Deadline::secs(20);
    let (to_here, at_there) = std::sync::mpsc::channel::<runtime::handle::AsyncSender>();
    let (to_there, at_here) = std::sync::mpsc::channel();
    let play = |mut left: u32, peer: runtime::handle::AsyncSender| {
        move |handle: &Async| {
            left -= 1;
            // The peer may have had its last turn.
            let _ = peer.send();
            if left == 0 {
                handle.close();
            }
        }
    };
    let there = thread::spawn(move || {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let peer = at_there.recv().unwrap();
        let handle = Async::new(play(ROUNDS, peer));
        to_there.send(handle.sender()).unwrap();
        lp.run().unwrap();
    });
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let slot = Rc::new(Cell::new(None::<Box<dyn FnMut(&Async)>>));
    let handle = Async::new({
        let slot = slot.clone();
        move |handle| {
            let mut f = slot.take().unwrap();
            f(handle);
            slot.set(Some(f));
        }
    });
    to_here.send(handle.sender()).unwrap();
    let peer = at_here.recv().unwrap();
    peer.send().unwrap();
    slot.set(Some(Box::new(play(ROUNDS, peer))));
    lp.run().unwrap();
    there.join().unwrap();
}

#[test]
fn an_async_runs_before_check_and_wakes_a_loop_that_waits() {
    let (mut lp, log, _guards) = real();
    Timer::new().start(secs(3600), None, note(&log, "timer")).unwrap();
    let sender = Async::new(note(&log, "async")).sender();
    Check::new().start(note(&log, "check")).unwrap();
    let sending = thread::spawn(move || {
        sender.send().unwrap();
        sender
    });
    lp.run_once().unwrap();
    let sender = sending.join().unwrap();
    log.expect(["async", "check"]);
    drop(sender);
}

#[test]
fn a_thousand_handles_hear_their_own_sends_only() {
    let (mut lp, _log, _guards) = real();
    let heard: Rc<Vec<_>> = Rc::new((0..1_000).map(|_| Cell::new(0)).collect());
    let senders: Vec<_> = (0..1_000)
        .map(|number| {
            let heard = heard.clone();
            Async::new(move |_| heard[number].set(heard[number].get() + 1)).sender()
        })
        .collect();
    for sender in senders.iter().step_by(3) {
        sender.send().unwrap();
    }
    lp.run_nowait().unwrap();
    for (number, heard) in heard.iter().enumerate() {
        assert_eq!(heard.get(), u32::from(number % 3 == 0));
    }
}
