//! `sync::mpsc`: values from many senders, to a task, a callback, a thread.

mod loop_support;

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc as std_mpsc;
use std::task::Poll;
use std::thread;

use behaviour::{Deadline, EventLog};
use futures_lite::{StreamExt, future::poll_once};
use loop_support::{manual, note, note_close, real};
use runtime::handle::{Async, Check, Prepare, Waiter};
use runtime::sync::mpsc::{self, Receiver, SendError, Sender, TryRecvError, TrySendError};
use runtime::time::{sleep, timeout};
use runtime::{
    Loop, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn, spawn_blocking,
};

/// A callback that notes each value.
fn noting(log: &EventLog) -> impl FnMut(Option<u32>) + 'static {
    let log = log.clone();
    move |value| match value {
        Some(value) => log.push(value),
        None => log.push("end"),
    }
}

/// A callback that needs its own handle, which is known only when it was given away.
#[derive(Clone, Default)]
struct Own(Rc<OnceCell<Waiter>>);

impl Own {
    fn is(&self, waiter: Waiter) {
        self.0.set(waiter).unwrap();
    }

    fn get(&self) -> &Waiter {
        self.0.get().unwrap()
    }
}

#[test]
fn values_of_threads_come_in_the_order_of_each_and_none_is_lost() {
    const EACH: u32 = 2_000;
    for capacity in [1, 3, 100] {
        let (mut lp, _log, _guards) = real();
        let (sender, mut receiver) = mpsc::channel(capacity);
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let sender = sender.clone();
                thread::spawn(move || {
                    (0..EACH).for_each(|n| sender.blocking_send((thread, n)).unwrap());
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; 3];
        lp.block_on(async {
            while let Some((thread, n)) = receiver.recv().await {
                assert_eq!(n, next[thread]);
                next[thread] += 1;
            }
        });
        assert_eq!(next, [EACH; 3]);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn values_of_threads_and_pool_jobs_call_back_in_the_order_of_each_and_none_is_lost() {
    const EACH: u32 = 2_000;
    for capacity in [1, 3, 1000] {
        let (mut lp, _log, _guards) = real();
        let (sender, receiver) = mpsc::channel(capacity);
        let next = Rc::new(RefCell::new([0; 4]));
        let is_over = Rc::new(Cell::new(false));
        receiver.recv_start({
            let (next, is_over) = (next.clone(), is_over.clone());
            move |value| match value {
                Some((from, n)) => {
                    let expected: &mut u32 = &mut next.borrow_mut()[from];
                    assert_eq!(n, *expected);
                    *expected += 1;
                }
                None => assert!(!is_over.replace(true), "the end came twice"),
            }
        });
        for from in 0..4 {
            let sender = sender.clone();
            let send_all = move || {
                (0..EACH).for_each(|n| sender.blocking_send((from, n)).unwrap());
            };
            if from % 2 == 0 {
                drop(thread::spawn(send_all));
            } else {
                drop(spawn_blocking(send_all));
            }
        }
        drop(sender);
        // The senders on threads keep the loop alive, as the jobs do.
        assert!(!lp.run().unwrap());
        assert_eq!(*next.borrow(), [EACH; 4]);
        assert!(is_over.get());
    }
}

#[test]
fn callbacks_run_in_poll_each_followed_by_a_checkpoint_and_never_inside_the_call() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(8);
    (1..=2).for_each(|n| sender.try_send(n).unwrap());
    Prepare::new()
        .start({
            let log = log.clone();
            move |prepare| {
                log.push("prepare");
                prepare.close();
            }
        })
        .unwrap();
    set_immediate(log.mark("check"));
    receiver.recv_start({
        let log = log.clone();
        move |value: Option<u32>| {
            log.push(format!("{value:?}"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        }
    });
    log.push("started");
    drop(sender);
    lp.run().unwrap();
    log.expect([
        "started",
        "prepare",
        "Some(1)",
        "tick",
        "microtask",
        "Some(2)",
        "tick",
        "microtask",
        "None",
        "tick",
        "microtask",
        "check",
    ]);
}

#[test]
fn callbacks_run_behind_the_pool_and_before_what_was_posted_in_the_order_of_making() {
    let (mut lp, log, _guards) = real();
    let (one, two) = (mpsc::channel(1), mpsc::channel(1));
    one.1.recv_start(noting(&log));
    let signal = Async::new(note(&log, "async"));
    two.1.recv_start(noting(&log));
    lp.run_nowait().unwrap();
    LOG.set(Some(log.clone()));
    lp.remote().post(|| LOG.with_borrow(|log| log.as_ref().unwrap().push("posted"))).unwrap();
    two.0.try_send(2).unwrap();
    signal.sender().send().unwrap();
    one.0.try_send(1).unwrap();
    let job = spawn_blocking(|| ());
    while !job.is_finished() {
        thread::yield_now(); // done, and on its way here
    }
    job.callback({
        let log = log.clone();
        move |_| log.push("job")
    });
    lp.run_nowait().unwrap();
    log.expect(["job", "1", "async", "2", "posted"]);
}

thread_local! {
    /// For a closure that is posted, and so must be `Send`.
    static LOG: RefCell<Option<EventLog>> = const { RefCell::new(None) };
}

#[test]
fn a_flood_is_128_callbacks_an_iteration() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(1000);
    (0..300).for_each(|n| sender.try_send(n).unwrap());
    let calls = Rc::new(Cell::new(0));
    receiver.recv_start({
        let calls = calls.clone();
        move |_| calls.set(calls.get() + 1)
    });
    let check = Check::new();
    check
        .start({
            let (log, calls) = (log.clone(), calls.clone());
            move |_| log.push(calls.take())
        })
        .unwrap();
    check.unref();
    drop(sender);
    lp.run().unwrap();
    // The end is a callback as well.
    log.expect(["128", "128", "45"]);
    assert_eq!(calls.get(), 0);
}

#[test]
fn a_callback_that_always_sends_to_itself_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(1);
    let sender = Rc::new(Cell::new(Some(sender)));
    sender_with(&sender, |sender| sender.try_send(0).unwrap());
    receiver.recv_start({
        let sender = sender.clone();
        move |_| sender_with(&sender, |sender| sender.try_send(0).unwrap())
    });
    set_timeout(ms(2), {
        let (log, sender) = (log.clone(), sender.clone());
        move || {
            log.push("timer");
            drop(sender.take());
        }
    });
    lp.run().unwrap();
    log.expect(["timer"]);
}

fn sender_with<T>(sender: &Cell<Option<Sender<T>>>, f: impl FnOnce(&Sender<T>)) {
    if let Some(here) = sender.take() {
        f(&here);
        sender.set(Some(here));
    }
}

#[test]
fn a_task_that_always_finds_a_value_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    let is_over = Rc::new(Cell::new(false));
    set_timeout(ms(2), {
        let (log, is_over) = (log.clone(), is_over.clone());
        move || {
            log.push("timer");
            is_over.set(true);
        }
    });
    lp.block_on(async {
        while !is_over.get() {
            sender.send(1).await.unwrap();
            assert_eq!(receiver.recv().await, Some(1));
        }
    });
    log.expect(["timer"]);
}

#[test]
fn a_stream_that_always_has_a_value_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    let is_over = Rc::new(Cell::new(false));
    set_timeout(ms(2), {
        let (log, is_over) = (log.clone(), is_over.clone());
        move || {
            log.push("timer");
            is_over.set(true);
        }
    });
    lp.block_on(async {
        while !is_over.get() {
            sender.try_send(1).unwrap();
            assert_eq!(receiver.next().await, Some(1));
        }
    });
    log.expect(["timer"]);
}

#[test]
fn a_full_channel_says_so_and_senders_get_room_in_the_order_they_came() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    assert_eq!((sender.capacity(), sender.max_capacity()), (1, 1));
    sender.try_send(0).unwrap();
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!((sender.capacity(), receiver.len()), (0, 1));
    for n in 1..=3 {
        let (log, sending) = (log.clone(), sender.send(n));
        drop(spawn(async move {
            sending.await.unwrap();
            log.push(format!("{n} is sent"));
        }));
    }
    drop(sender);
    lp.run_nowait().unwrap();
    log.expect([]);
    lp.block_on(async {
        while let Some(n) = receiver.recv().await {
            log.push(n);
        }
    });
    // Room is a microtask of the sender, the value one of the receiver.
    log.expect(["0", "1 is sent", "1", "2 is sent", "2", "3 is sent", "3"]);
}

#[test]
fn a_send_calls_back_when_there_is_room() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    for n in 1..=2 {
        let log = log.clone();
        sender.send(n).callback(move |sent| log.push(format!("{n}: {sent:?}")));
    }
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["1: Ok(())"]);
    assert!(lp.is_alive(), "the second one waits");
    assert_eq!(receiver.try_recv(), Ok(1));
    lp.run().unwrap();
    log.expect(["2: Ok(())"]);
    drop(receiver);
    sender.send(3).callback({
        let log = log.clone();
        move |sent| log.push(format!("{sent:?}"))
    });
    lp.run().unwrap();
    log.expect([&*format!("{:?}", Err::<(), _>(SendError(3)))]);
}

#[test]
fn no_capacity_is_room_for_one() {
    let (sender, _receiver) = mpsc::channel(0);
    sender.try_send(1).unwrap();
    assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    assert!(mpsc::channel::<u8>(usize::MAX).0.max_capacity() > 1 << 20);
}

#[test]
fn a_receive_that_is_given_up_loses_nothing_and_a_send_that_is_given_up_sends_nothing() {
    let (mut lp, _clock, _log, _guards) = manual();
    let (sender, mut receiver) = mpsc::channel(1);
    lp.block_on(async {
        assert!(timeout(ms(5), receiver.recv()).await.is_err());
        sender.try_send(1).unwrap();
        assert!(timeout(ms(5), sender.send(2)).await.is_err());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        // Woken, and given up before it looks.
        let mut receiving = Box::pin(receiver.recv());
        assert!(poll_once(&mut receiving).await.is_none());
        sender.try_send(3).unwrap();
        drop(receiving);
        assert_eq!(receiver.recv().await, Some(3));
    });
}

#[test]
fn the_end_comes_behind_all_values_to_every_way_to_receive() {
    let (mut lp, log, _guards) = real();
    let full = || {
        let (sender, receiver) = mpsc::channel(4);
        (1..=2).for_each(|n| sender.try_send(n).unwrap());
        receiver
    };
    lp.block_on(async {
        let mut receiver = full();
        assert!(receiver.is_closed() && !receiver.is_empty());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.recv().await, None);
        assert_eq!(full().collect::<Vec<u32>>().await, [1, 2]);
    });
    let mut receiver = full();
    assert_eq!([receiver.try_recv(), receiver.try_recv()], [Ok(1), Ok(2)]);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    full().recv_start(noting(&log));
    lp.run().unwrap();
    log.expect(["1", "2", "end"]);
    let mut receiver = full();
    let received = thread::spawn(move || std::iter::from_fn(|| receiver.blocking_recv()).count());
    assert_eq!(received.join().unwrap(), 2);
}

#[test]
fn a_receiver_that_was_closed_gives_what_is_there() {
    let (mut lp, _log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(4);
    sender.try_send(1).unwrap();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
    lp.block_on(async {
        assert_eq!(sender.send(2).await, Err(SendError(2)));
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, None);
        sender.closed().await;
    });
}

#[test]
fn it_keeps_the_loop_alive_while_a_sender_exists() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(4);
    let waiter = receiver.recv_start(noting(&log));
    lp.run_nowait().unwrap();
    assert!(waiter.is_active() && lp.is_alive());
    waiter.unref();
    assert!(!lp.is_alive());
    // What was sent keeps the loop alive until it is told.
    sender.try_send(1).unwrap();
    assert!(!lp.run().unwrap());
    log.expect(["1"]);
    waiter.ref_();
    let other = sender.clone();
    drop(sender);
    assert!(lp.run_nowait().unwrap());
    let dropping = thread::spawn(move || drop(other));
    assert!(!lp.run().unwrap());
    dropping.join().unwrap();
    log.expect(["end"]);
    assert!(waiter.is_closing() && !waiter.is_active());
    assert!(waiter.start().is_err(), "the end was told");
}

#[test]
fn a_waiting_task_does_not_keep_the_loop_alive() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel::<u32>(4);
    drop(spawn({
        let log = log.clone();
        async move { log.push(format!("{:?}", receiver.recv().await)) }
    }));
    assert!(!lp.run().unwrap());
    drop(sender);
    lp.run().unwrap();
    log.expect(["None"]);
}

#[test]
fn stopped_in_its_own_callback_it_calls_no_more_and_started_it_goes_on_where_it_was() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(4);
    (1..=3).for_each(|n| sender.try_send(n).unwrap());
    let own = Own::default();
    own.is(receiver.recv_start({
        let (log, own) = (log.clone(), own.clone());
        move |value: Option<u32>| {
            log.push(format!("{value:?}"));
            own.get().stop();
        }
    }));
    assert!(!lp.run().unwrap(), "stopped, it keeps nothing alive");
    log.expect(["Some(1)"]);
    sender.try_send(4).unwrap();
    lp.run().unwrap();
    log.expect([]);
    drop(sender);
    for expected in ["Some(2)", "Some(3)", "Some(4)", "None"] {
        own.get().start().unwrap();
        log.expect([]);
        lp.run().unwrap();
        log.expect([expected]);
    }
    assert!(own.get().start().is_err());
}

#[test]
fn closed_in_its_own_callback_it_drops_the_rest_and_senders_are_told() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(4);
    let value = Rc::new(());
    (1..=3).for_each(|_| sender.try_send(value.clone()).unwrap());
    let own = Own::default();
    own.is(receiver.recv_start({
        let (log, own) = (log.clone(), own.clone());
        move |value| {
            log.push(format!("{}", value.is_some()));
            own.get().close();
        }
    }));
    own.get().closed().callback(note_close(&log, "closed"));
    assert!(!lp.run().unwrap());
    log.expect(["true", "closed"]);
    assert!(sender.is_closed());
    assert_eq!(Rc::strong_count(&value), 1, "what was not received is dropped");
}

#[test]
fn stopped_by_its_last_owner_in_its_own_callback_it_ends() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(4);
    (1..=2).for_each(|n| sender.try_send(n).unwrap());
    let own = Rc::new(Cell::new(None::<Waiter>));
    own.set(Some(receiver.recv_start({
        let (log, own) = (log.clone(), own.clone());
        move |value: Option<u32>| {
            log.push(format!("{value:?}"));
            own.take().into_iter().for_each(|own| own.stop());
        }
    })));
    assert!(!lp.run().unwrap());
    log.expect(["Some(1)"]);
    assert!(sender.is_closed());
}

#[test]
fn closed_by_one_before_it_in_the_same_turn_it_does_not_call() {
    let (mut lp, log, _guards) = real();
    let (one, two) = (mpsc::channel(1), mpsc::channel(1));
    let second = Own::default();
    one.1.recv_start({
        let (log, second) = (log.clone(), second.clone());
        move |value: Option<u32>| {
            log.push(format!("{value:?}"));
            second.get().close();
        }
    });
    second.is(two.1.recv_start(noting(&log)));
    one.0.try_send(1).unwrap();
    two.0.try_send(2).unwrap();
    drop(one.0);
    assert!(!lp.run().unwrap());
    log.expect(["Some(1)", "None"]);
}

#[test]
fn the_last_senders_drop_in_the_callback_is_the_end_in_the_same_turn() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(1);
    sender.try_send(1).unwrap();
    let sender = Cell::new(Some(sender));
    receiver.recv_start({
        let log = log.clone();
        move |value: Option<u32>| {
            log.push(format!("{value:?}"));
            drop(sender.take());
        }
    });
    lp.run_nowait().unwrap();
    log.expect(["Some(1)", "None"]);
}

#[test]
fn a_callback_that_fails_loses_no_value_and_the_end_is_told_once() {
    for panics in [false, true] {
        let (mut lp, log, _guards) = real();
        let (sender, receiver) = mpsc::channel(4);
        (1..=3).for_each(|n| sender.try_send(n).unwrap());
        drop(sender);
        receiver.recv_start({
            let log = log.clone();
            move |value: Option<u32>| -> runtime::Result {
                log.push(format!("{value:?}"));
                match value {
                    Some(2) | None if panics => panic!("on purpose"),
                    Some(2) | None => Err("on purpose".into()),
                    _ => Ok(()),
                }
            }
        });
        let mut run =
            || catch_unwind(AssertUnwindSafe(|| lp.run())).is_ok_and(|result| result.is_ok());
        assert!(!run());
        log.expect(["Some(1)", "Some(2)"]);
        assert!(!run());
        log.expect(["Some(3)", "None"]);
        assert!(run());
        log.expect([]);
    }
}

#[test]
fn a_loop_that_goes_tells_the_senders_and_drops_the_values() {
    let (lp, log, guards) = real();
    let value = Rc::new(());
    let (sender, receiver) = mpsc::channel(2);
    (0..2).for_each(|_| sender.try_send(value.clone()).unwrap());
    receiver.recv_start({
        let log = log.clone();
        move |_| log.push("NEVER")
    });
    let (blocked, receiver) = mpsc::channel(1);
    receiver.recv_start(|_| ());
    blocked.try_send(1).unwrap();
    let blocked = thread::spawn(move || blocked.blocking_send(2));
    let (late, receiver) = mpsc::channel::<u32>(1);
    let task = spawn(async move {
        let mut receiver: Receiver<u32> = receiver;
        receiver.recv().await
    });
    drop((guards.0, lp, task));
    assert!(sender.is_closed() && late.is_closed());
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(blocked.join().unwrap(), Err(SendError(2)));
    log.expect([]);
}

#[test]
fn to_block_a_loops_thread_is_refused_with_what_to_do_instead() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.blocking_send(1).unwrap();
    assert_eq!(receiver.blocking_recv(), Some(1));
    let (_lp, _log, _guards) = real();
    let refused = catch_unwind(AssertUnwindSafe(|| sender.blocking_send(1))).unwrap_err();
    let text = refused.downcast::<String>().unwrap();
    assert!(text.contains("`blocking_send`") && text.contains("`send(value).await`"), "{text}");
    let refused = catch_unwind(AssertUnwindSafe(|| receiver.blocking_recv())).unwrap_err();
    assert!(refused.downcast::<String>().unwrap().contains("`recv().await`"));
}

#[test]
fn two_loops_on_two_threads_talk_both_ways() {
    let _deadline = Deadline::secs(20);
    let (to_b, mut at_b) = mpsc::channel(1);
    let (to_a, mut at_a) = mpsc::channel(1);
    let other = thread::spawn(move || {
        Loop::new().unwrap().block_on(async move {
            while let Some(n) = at_b.recv().await {
                to_a.send(n + 1).await.unwrap();
            }
        });
    });
    Loop::new().unwrap().block_on(async move {
        let mut n = 0;
        while n < 2_000 {
            to_b.send(n).await.unwrap();
            n = at_a.recv().await.unwrap() + 1;
        }
    });
    other.join().unwrap();
}

#[test]
fn what_is_not_send_may_be_sent_on_its_own_thread() {
    let (mut lp, _log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    drop(spawn(async move { sender.send(Rc::new(1)).await.unwrap() }));
    assert_eq!(lp.block_on(receiver.recv()), Some(Rc::new(1)));
}

thread_local! {
    static HELD: Cell<Option<Sender<u32>>> = const { Cell::new(None) };
}

/// It can't be told from one on another thread: no exit code 13. Here one turns up that has it sent, though
/// nothing that the loop knows of was to.
#[test]
fn a_main_that_waits_for_a_sender_of_its_own_waits_on() {
    let (mut lp, _log, _guards) = real();
    let (here, waits) = std_mpsc::channel();
    let before_poll = Prepare::new();
    before_poll.start(move |_| here.send(()).unwrap_or_default()).unwrap();
    before_poll.unref();
    let remote = lp.remote();
    let posting = thread::spawn(move || {
        // The loop had nothing left to do, and goes into poll.
        waits.recv().unwrap();
        remote.post(|| HELD.take().unwrap().try_send(1).unwrap()).unwrap();
    });
    let received = lp.block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        HELD.set(Some(sender));
        receiver.recv().await
    });
    assert_eq!(received, Some(1));
    posting.join().unwrap();
}

#[test]
fn made_on_a_loop_that_is_gone_it_drops_the_receiver() {
    struct InDrop(Rc<Cell<bool>>);
    impl Drop for InDrop {
        fn drop(&mut self) {
            let (sender, receiver) = mpsc::channel::<u32>(1);
            let waiter = receiver.recv_start(|_| panic!("called back on a loop that is gone"));
            assert!(sender.is_closed() && waiter.is_closing() && !waiter.is_active());
            assert!(runtime::LoopGone::is_in(&waiter.start().unwrap_err()));
            self.0.set(true);
        }
    }
    let is_dropped = Rc::new(Cell::new(false));
    let mut lp = Loop::new().unwrap();
    let in_drop = InDrop(is_dropped.clone());
    drop(lp.spawn(async move {
        let _in_drop = in_drop;
        sleep(ms(1_000_000)).await;
    }));
    lp.run_nowait().unwrap();
    drop(lp);
    assert!(is_dropped.get());
}

#[test]
fn a_wake_for_a_waiter_that_is_gone_is_for_nobody() {
    let (mut lp, log, _guards) = real();
    let (sender, receiver) = mpsc::channel(4);
    let waiter = receiver.recv_start(noting(&log));
    lp.run_nowait().unwrap();
    sender.try_send(1).unwrap(); // its mail is on the way
    waiter.close();
    drop(waiter);
    lp.run_nowait().unwrap();
    // The next handle gets the place, and nothing of the other's.
    let (_other, receiver) = mpsc::channel(4);
    let next = receiver.recv_start(noting(&log));
    lp.run_nowait().unwrap();
    log.expect([]);
    next.close();
    assert!(!lp.run().unwrap());
    drop(sender);
}

#[test]
fn a_task_goes_on_in_a_microtask_of_the_send() {
    let (mut lp, log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(4);
    drop(spawn({
        let log = log.clone();
        async move {
            while let Some(n) = receiver.recv().await {
                log.push(n);
            }
        }
    }));
    set_immediate({
        let log = log.clone();
        move || {
            queue_microtask(log.mark("microtask before"));
            sender.try_send(1).unwrap();
            queue_microtask(log.mark("microtask behind"));
            next_tick(log.mark("tick"));
            log.push("sent");
        }
    });
    set_immediate(log.mark("next callback"));
    lp.run().unwrap();
    log.expect(["sent", "tick", "microtask before", "1", "microtask behind", "next callback"]);
}

#[test]
fn several_senders_of_one_channel_know_it() {
    let (one, _receiver) = mpsc::channel::<u8>(1);
    let (other, _other_receiver) = mpsc::channel::<u8>(1);
    assert!(one.same_channel(&one.clone()) && !one.same_channel(&other));
}

#[test]
fn a_send_that_waits_is_a_sender() {
    let (mut lp, _log, _guards) = real();
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(1).unwrap();
    let mut sending = pin!(sender.send(2));
    drop(sender);
    lp.block_on(async {
        assert!(poll_once(&mut sending).await.is_none());
        assert_eq!(receiver.recv().await, Some(1));
        assert!(std::future::poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx).is_ready())).await);
        assert_eq!(receiver.recv().await, Some(2));
    });
}
