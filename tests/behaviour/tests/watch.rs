//! `sync::watch`: the latest value, for many who look.

mod loop_support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use futures_lite::StreamExt;
use loop_support::{manual, real};
use runtime::sync::watch::{self, RecvError, SendError};
use runtime::time::timeout;
use runtime::{ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn};

#[test]
fn only_the_latest_value_is_seen() {
    let (mut lp, _log, _guards) = real();
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!(receiver.has_changed(), Ok(false), "what it began with is seen");
    lp.block_on(async {
        (1..=3).for_each(|n| sender.send(n).unwrap());
        assert_eq!(receiver.has_changed(), Ok(true));
        assert_eq!(*receiver.borrow(), 3);
        assert_eq!(receiver.has_changed(), Ok(true), "borrowing is not seeing");
        assert_eq!(receiver.recv().await.as_deref(), Some(&3));
        sender.send(4).unwrap();
        assert_eq!(*receiver.borrow_and_update(), 4);
        assert_eq!(receiver.has_changed(), Ok(false));
        receiver.mark_changed();
        assert_eq!(receiver.changed().await, Ok(()));
        sender.send(5).unwrap();
        drop(sender);
        assert_eq!(receiver.recv().await.as_deref(), Some(&5));
        assert_eq!(receiver.recv().await, None);
        assert_eq!(receiver.changed().await, Err(RecvError));
        assert_eq!(receiver.has_changed(), Err(RecvError));
        assert_eq!(*receiver.borrow(), 5, "the last value stays");
    });
}

#[test]
fn callbacks_see_changes_in_poll_and_then_the_end() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = watch::channel(0);
    let waiter = receiver.recv_start({
        let log = log.clone();
        move |value| {
            log.push(format!("{value:?}"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        }
    });
    lp.run_nowait().unwrap();
    log.expect([]);
    assert!(waiter.is_active() && lp.is_alive());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    log.expect([]);
    set_immediate(log.mark("check"));
    lp.run_nowait().unwrap();
    log.expect(["Some(2)", "tick", "microtask", "check"]);
    sender.send(3).unwrap();
    drop(sender);
    assert!(!lp.run().unwrap());
    log.expect(["Some(3)", "tick", "microtask", "None", "tick", "microtask"]);
    assert!(waiter.is_closing());
}

#[test]
fn the_last_value_of_a_thread_is_seen_in_order_and_never_lost() {
    for _ in 0..50 {
        let (mut lp, _log, _guards) = real();
        let (sender, mut receiver) = watch::channel(0);
        let (awaited, called) = (receiver.clone(), Rc::new(RefCell::new(Vec::new())));
        awaited.recv_start({
            let called = called.clone();
            move |value| called.borrow_mut().extend(value.as_deref())
        });
        let sending = thread::spawn(move || (1..=100).for_each(|n| sender.send(n).unwrap()));
        let mut seen = Vec::new();
        lp.block_on(async {
            while let Some(value) = receiver.recv().await {
                seen.push(*value);
            }
        });
        lp.run().unwrap();
        sending.join().unwrap();
        for seen in [&seen, &*called.borrow()] {
            assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
            assert_eq!(seen.last(), Some(&100));
        }
    }
}

#[test]
fn who_holds_a_value_does_not_hold_up_a_sender_of_the_same_thread() {
    let (_lp, _log, _guards) = real();
    let (sender, mut receiver) = watch::channel(1);
    let (old, same) = (receiver.borrow(), receiver.borrow_and_update());
    sender.send(2).unwrap();
    assert_eq!((*old, *same, *receiver.borrow(), *sender.borrow()), (1, 1, 2, 2));
}

/// Its drop is foreign code: here it calls into the channel that it was the value of.
struct Looks(Rc<RefCell<Option<watch::Sender<Looks>>>>, Rc<Cell<u32>>);

impl Drop for Looks {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
        if let Some(sender) = &*self.0.borrow() {
            drop(sender.borrow());
            assert_eq!(sender.receiver_count(), 1);
        }
    }
}

#[test]
fn nothing_is_locked_while_the_old_value_is_dropped() {
    let (_lp, _log, _guards) = real();
    let (home, drops) = (Rc::default(), Rc::new(Cell::new(0)));
    let looks = || Looks(Rc::clone(&home), drops.clone());
    let (sender, _receiver) = watch::channel(looks());
    home.replace(Some(sender.clone()));
    assert!(sender.send(looks()).is_ok());
    assert_eq!(drops.get(), 1);
    drop(sender.send_replace(looks()));
    assert_eq!(drops.get(), 2);
    drop(home.take());
}

#[test]
fn a_send_without_receivers_gives_the_value_back_and_a_replace_takes_it() {
    let (mut lp, _log, _guards) = real();
    let (sender, receiver) = watch::channel(1);
    assert_eq!((sender.receiver_count(), sender.is_closed()), (1, false));
    drop(receiver);
    assert!(sender.is_closed());
    lp.block_on(sender.closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(*sender.send_replace(3), 1);
    let mut late = sender.subscribe();
    assert_eq!(late.has_changed(), Ok(false));
    assert_eq!(*late.borrow_and_update(), 3);
}

#[test]
fn each_receiver_sees_for_itself_and_all_wake_in_order() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = watch::channel(0);
    for n in 0..3 {
        let (log, mut receiver) = (log.clone(), receiver.clone());
        drop(spawn(async move {
            while let Some(value) = receiver.recv().await {
                log.push(format!("{n}: {value}"));
            }
        }));
    }
    lp.run_nowait().unwrap();
    sender.send(1).unwrap();
    lp.run_nowait().unwrap();
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, ["0: 1", "1: 1", "2: 1"]);
}

#[test]
fn a_stream_gives_what_recv_gives() {
    let (mut lp, _log, _guards) = real();
    let (sender, receiver) = watch::channel(0);
    let mut values = receiver.into_stream();
    lp.block_on(async {
        for n in 1..=3 {
            sender.send(n).unwrap();
            assert_eq!(values.next().await.as_deref(), Some(&n));
        }
        drop(sender);
        assert_eq!(values.next().await, None);
        assert_eq!(values.next().await, None);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let (mut lp, _clock, _log, _guards) = manual();
    let (sender, mut receiver) = watch::channel(0);
    lp.block_on(async {
        assert!(timeout(ms(5), receiver.recv()).await.is_err());
        sender.send(1).unwrap();
        assert_eq!(receiver.recv().await.as_deref(), Some(&1));
    });
}

#[test]
fn a_task_that_always_finds_a_change_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let is_over = Rc::new(Cell::new(false));
    set_timeout(ms(2), {
        let (log, is_over) = (log.clone(), is_over.clone());
        move || {
            log.push("timer");
            is_over.set(true);
        }
    });
    let (sender, mut receiver) = watch::channel(0);
    lp.block_on(async {
        while !is_over.get() {
            sender.send(1).unwrap();
            receiver.changed().await.unwrap();
        }
    });
    log.expect(["timer"]);
}

#[test]
fn a_receiver_on_a_thread_is_told_by_the_loop_and_a_loop_that_goes_tells_senders() {
    let (mut lp, _log, guards) = real();
    let (sender, receiver) = watch::channel(0);
    let latest = Arc::new(AtomicU32::new(0));
    let mut elsewhere = receiver.clone();
    let following = thread::spawn({
        let latest = latest.clone();
        move || {
            futures_lite::future::block_on(async {
                while let Some(value) = elsewhere.recv().await {
                    latest.store(*value, SeqCst);
                }
            });
        }
    });
    receiver.recv_start(|_| ());
    sender.send(7).unwrap();
    lp.run_nowait().unwrap();
    drop((guards.0, lp));
    assert_eq!(sender.receiver_count(), 1, "the callback's went with the loop");
    drop(sender);
    following.join().unwrap();
    assert_eq!(latest.load(SeqCst), 7);
}
