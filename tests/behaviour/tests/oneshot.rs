//! `sync::oneshot`: one value, to a task, a callback, a thread.

mod loop_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use loop_support::{manual, note_close, real};
use runtime::sync::oneshot::{self, RecvError, TryRecvError};
use runtime::time::timeout;
use runtime::{ms, next_tick, queue_microtask, set_immediate, spawn, spawn_blocking};

#[test]
fn a_value_of_a_thread_comes_to_a_main_that_waits() {
    for _ in 0..200 {
        let (mut lp, _log, _guards) = real();
        let (sender, receiver) = oneshot::channel();
        let sending = thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(lp.block_on(receiver), Ok(7));
        sending.join().unwrap();
    }
}

#[test]
fn a_value_of_a_thread_comes_to_a_callback_which_keeps_the_loop_alive() {
    for _ in 0..200 {
        let (mut lp, log, _guards) = real();
        let (sender, receiver) = oneshot::channel();
        receiver.callback({
            let log = log.clone();
            move |received| log.push(format!("{received:?}"))
        });
        let sending = thread::spawn(move || sender.send(7).unwrap());
        assert!(!lp.run().unwrap());
        sending.join().unwrap();
        log.expect(["Ok(7)"]);
    }
}

#[test]
fn a_sender_that_goes_without_a_value_is_told_to_every_way_to_receive() {
    let (mut lp, log, _guards) = real();
    let gone = || oneshot::channel::<u32>().1;
    assert_eq!(lp.block_on(gone()), Err(RecvError));
    assert_eq!(gone().try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(thread::spawn(move || gone().blocking_recv()).join().unwrap(), Err(RecvError));
    gone().callback({
        let log = log.clone();
        move |received| log.push(format!("{received:?}"))
    });
    lp.run().unwrap();
    log.expect(["Err(RecvError)"]);
}

#[test]
fn a_callback_runs_in_poll_followed_by_a_checkpoint_and_never_inside_the_call() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = oneshot::channel();
    sender.send(1).unwrap();
    set_immediate(log.mark("check"));
    receiver.callback({
        let log = log.clone();
        move |received| {
            log.push(format!("{received:?}"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        }
    });
    log.push("called");
    lp.run().unwrap();
    log.expect(["called", "Ok(1)", "tick", "microtask", "check"]);
}

#[test]
fn a_task_goes_on_in_a_microtask_of_the_send() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = oneshot::channel();
    drop(spawn({
        let log = log.clone();
        async move { log.push(receiver.await.unwrap()) }
    }));
    set_immediate({
        let log = log.clone();
        move || {
            queue_microtask(log.mark("microtask before"));
            sender.send("value").unwrap();
            queue_microtask(log.mark("microtask behind"));
        }
    });
    lp.run().unwrap();
    log.expect(["microtask before", "value", "microtask behind"]);
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let (mut lp, _clock, _log, _guards) = manual();
    let (sender, mut receiver) = oneshot::channel();
    lp.block_on(async {
        assert!(timeout(ms(5), &mut receiver).await.is_err());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        sender.send(1).unwrap();
        assert_eq!((&mut receiver).await, Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_value_that_was_taken_is_not_there_again() {
    let (mut lp, _log, _guards) = real();
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    receiver.close();
    let again = catch_unwind(AssertUnwindSafe(|| lp.block_on(&mut receiver))).unwrap_err();
    let text = again.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("after it was done"), "{text}");
}

#[test]
fn who_sends_is_told_that_nobody_waits_and_gets_the_value_back() {
    let (mut lp, _log, _guards) = real();
    let (mut sender, mut receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    receiver.close();
    assert!(sender.is_closed());
    lp.block_on(sender.closed());
    assert_eq!(sender.send(3), Err(3));
    let (mut sender, receiver) = oneshot::channel::<u32>();
    let waiting = spawn(async move { sender.closed().await });
    lp.run_nowait().unwrap();
    assert!(!waiting.is_finished());
    drop(receiver);
    lp.run_nowait().unwrap();
    assert!(waiting.is_finished());
}

#[test]
fn a_value_that_was_sent_is_there_after_a_close() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn closing_the_waiter_drops_the_receiver_and_the_callback() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = oneshot::channel::<u32>();
    let captured = Rc::new(());
    let waiter = receiver.callback({
        let (log, captured) = (log.clone(), captured.clone());
        move |_| {
            log.push("NEVER");
            drop(captured);
        }
    });
    waiter.closed().callback(note_close(&log, "closed"));
    waiter.close();
    assert!(!lp.run().unwrap());
    log.expect(["closed"]);
    assert_eq!(Rc::strong_count(&captured), 1);
    assert_eq!(sender.send(1), Err(1));
}

#[test]
fn after_its_callback_the_waiter_is_closed_and_nothing_is_left() {
    let (mut lp, log, _guards) = real();
    let handles = lp.metrics().handles;
    for n in 0..3 {
        let (sender, receiver) = oneshot::channel();
        let waiter = receiver.callback({
            let log = log.clone();
            move |received| log.push(format!("{received:?}"))
        });
        waiter.closed().callback(note_close(&log, "closed"));
        sender.send(n).unwrap();
        lp.run().unwrap();
        assert!(waiter.is_closing());
        log.expect([&*format!("Ok({n})"), "closed"]);
    }
    lp.run().unwrap();
    assert_eq!(lp.metrics().handles, handles);
}

#[test]
fn an_unreferenced_wait_keeps_nothing_alive_but_what_was_sent_arrives() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = oneshot::channel();
    receiver
        .callback({
            let log = log.clone();
            move |received| log.push(format!("{received:?}"))
        })
        .unref();
    assert!(!lp.run().unwrap());
    sender.send(1).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["Ok(1)"]);
}

#[test]
fn a_thread_waits_for_the_loop() {
    let (mut lp, _log, _guards) = real();
    let (sender, receiver) = oneshot::channel();
    let job = spawn_blocking(move || receiver.blocking_recv());
    set_immediate(move || sender.send(5).unwrap());
    assert_eq!(lp.block_on(job).unwrap(), Ok(5));
    let (_sender, receiver) = oneshot::channel::<u32>();
    let refused = catch_unwind(AssertUnwindSafe(|| receiver.blocking_recv())).unwrap_err();
    assert!(refused.downcast::<String>().unwrap().contains("`receiver.await`"));
}

#[test]
fn a_loop_that_goes_drops_the_ends_it_has() {
    let (mut lp, log, guards) = real();
    let (kept, receiver) = oneshot::channel::<u32>();
    receiver.callback({
        let log = log.clone();
        move |_| log.push("NEVER")
    });
    let (sender, mut kept_receiver) = oneshot::channel::<u32>();
    drop(spawn(async move {
        std::future::pending::<()>().await;
        drop(sender);
    }));
    lp.run_nowait().unwrap();
    drop((guards.0, lp));
    assert_eq!(kept.send(1), Err(1));
    assert_eq!(kept_receiver.try_recv(), Err(TryRecvError::Disconnected));
    log.expect([]);
}

#[test]
fn a_task_that_always_finds_a_value_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let is_over = Rc::new(std::cell::Cell::new(false));
    runtime::set_timeout(ms(2), {
        let (log, is_over) = (log.clone(), is_over.clone());
        move || {
            log.push("timer");
            is_over.set(true);
        }
    });
    lp.block_on(async {
        while !is_over.get() {
            let (sender, receiver) = oneshot::channel();
            sender.send(1).unwrap();
            assert_eq!(receiver.await, Ok(1));
        }
    });
    log.expect(["timer"]);
}
