//! `JoinSet`: tasks and jobs, joined as they end.

mod loop_support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc as std_mpsc};
use std::thread;

use behaviour::Deadline;
use futures_lite::StreamExt;
use futures_lite::future::poll_once;
use loop_support::{manual, note_close, real};
use runtime::sync::{Notify, mpsc, oneshot};
use runtime::time::{sleep, timeout};
use runtime::{
    Clock, JoinError, JoinSet, Loop, Uncaught, ms, next_tick, on_unhandled, queue_microtask,
    set_immediate, set_timeout, spawn, yield_now,
};

/// Notes that it was dropped.
struct Noted(Rc<Cell<u32>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A job that has begun, on a pool of one thread, and ends when the barrier is met.
fn occupy_the_pool<T: Send + 'static>(set: &JoinSet<T>, result: T) -> Arc<Barrier> {
    let barrier = Arc::new(Barrier::new(2));
    let met = barrier.clone();
    set.spawn_blocking(move || {
        met.wait();
        met.wait();
        result
    });
    barrier.wait();
    barrier
}

#[test]
fn results_come_in_the_order_of_the_ends() {
    let (mut lp, _clock, _log, _guards) = manual();
    lp.block_on(async {
        let set = JoinSet::new();
        for n in [30, 10, 20, 0] {
            set.spawn(async move {
                if n > 0 {
                    sleep(ms(n)).await;
                }
                n
            });
        }
        assert_eq!(set.len(), 4);
        assert!(set.try_join_next().is_none(), "none has begun");
        let mut joined = Vec::new();
        while let Some(n) = set.join_next().await {
            joined.push(n.unwrap());
        }
        assert_eq!(joined, [0, 10, 20, 30]);
        assert!(set.is_empty() && set.try_join_next().is_none());
        assert!(set.join_next().await.is_none(), "again and again");
    });
}

#[test]
fn jobs_of_the_pool_and_tasks_are_in_one_set() {
    let _deadline = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    lp.block_on(async {
        let set = JoinSet::new();
        for n in 1..=3 {
            set.spawn_blocking(move || n);
        }
        set.spawn(async { 0 });
        let all: Vec<u32> = set.map(Result::unwrap).collect().await;
        assert_eq!(all, [0, 1, 2, 3]);
    });
}

#[test]
fn a_joining_task_goes_on_in_a_microtask_of_the_end() {
    let (mut lp, log, _guards) = real();
    let (set, notify) = (Rc::new(JoinSet::new()), Notify::new());
    let notified = notify.notified();
    set.spawn(notified);
    drop(spawn({
        let (log, set) = (log.clone(), set.clone());
        async move {
            assert!(set.join_next().await.is_some());
            log.push("joined");
        }
    }));
    set_immediate({
        let log = log.clone();
        move || {
            notify.notify_one();
            queue_microtask(log.mark("microtask behind the end"));
            next_tick(log.mark("tick"));
        }
    });
    set_immediate(log.mark("next callback"));
    lp.run().unwrap();
    log.expect(["tick", "microtask behind the end", "joined", "next callback"]);
}

#[test]
fn panics_and_aborts_are_results() {
    let (mut lp, _log, _guards) = real();
    lp.block_on(async {
        let set = JoinSet::new();
        set.spawn(async { panic!("of a task") });
        set.spawn_blocking(|| panic!("of a job"));
        let mut texts = Vec::new();
        while let Some(result) = set.join_next().await {
            let payload = result.unwrap_err().into_panic().unwrap();
            texts.push(*payload.downcast::<&str>().unwrap());
        }
        texts.sort();
        assert_eq!(texts, ["of a job", "of a task"]);
        set.spawn(std::future::pending());
        set.abort_all();
        assert_eq!(set.len(), 1, "its result is to be joined");
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn aborting_drops_futures_and_jobs_that_have_not_begun_and_what_is_over_stays_over() {
    let _deadline = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let drops = Rc::new(Cell::new(0));
    lp.block_on(async {
        let set = JoinSet::new();
        let (begun, is_begun) = std_mpsc::channel();
        let (go_on, may_go_on) = std_mpsc::channel::<()>();
        set.spawn_blocking(move || {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
            "a job that has begun"
        });
        set.spawn_blocking(|| "NEVER");
        set.spawn(async { "over" });
        let noted = Noted(drops.clone());
        set.spawn(async move {
            let _noted = noted;
            std::future::pending().await
        });
        yield_now().await;
        is_begun.recv().unwrap();
        set.abort_all();
        assert_eq!(drops.get(), 0, "a future is dropped at its turn");
        let mut results = Vec::new();
        for _ in 0..3 {
            results.push(set.join_next().await.unwrap());
        }
        assert_eq!(drops.get(), 1);
        assert!(matches!(
            results[..],
            [Ok("over"), Err(JoinError::Cancelled), Err(JoinError::Cancelled)]
        ));
        go_on.send(()).unwrap();
        assert_eq!(set.join_next().await.unwrap().unwrap(), "a job that has begun");
    });
}

#[test]
fn dropping_the_set_aborts_all() {
    let (mut lp, _log, _guards) = real();
    let drops = Rc::new(Cell::new(0));
    let set = JoinSet::new();
    for _ in 0..3 {
        let noted = Noted(drops.clone());
        set.spawn(async move {
            let _noted = noted;
            std::future::pending::<()>().await
        });
    }
    lp.run_nowait().unwrap();
    drop(set);
    assert_eq!(drops.get(), 0);
    assert!(!lp.run().unwrap());
    assert_eq!((drops.get(), lp.metrics().tasks), (3, 0));
}

#[test]
fn detached_they_go_on_and_who_joins_is_told_that_none_is_left() {
    let (mut lp, _clock, log, _guards) = manual();
    let set = Rc::new(JoinSet::new());
    for n in [1, 2] {
        let log = log.clone();
        set.spawn(async move {
            sleep(ms(n)).await;
            log.push(n);
        });
    }
    drop(spawn({
        let (log, set) = (log.clone(), set.clone());
        async move { log.push(format!("{:?}", set.join_next().await.is_none())) }
    }));
    lp.run_nowait().unwrap();
    set.detach_all();
    assert!(set.is_empty());
    lp.run_nowait().unwrap();
    log.expect(["true"]);
    // Nobody is told of their ends, and the places are others' by then.
    set.spawn(std::future::pending());
    lp.run().unwrap();
    log.expect(["1", "2"]);
    assert!(set.try_join_next().is_none());
    assert_eq!(set.len(), 1);
}

#[test]
fn a_panic_of_one_that_nobody_joins_is_reported() {
    let (mut lp, log, _guards) = real();
    on_unhandled({
        let log = log.clone();
        move |error| match error {
            Uncaught::Panic(payload) => log.push(payload.downcast::<&str>().unwrap()),
            Uncaught::Error(error) => log.push(error),
        }
    });
    for let_go in [JoinSet::detach_all, drop_it] {
        let set = JoinSet::<()>::new();
        set.spawn(async { panic!("nobody joins") });
        lp.run_nowait().unwrap();
        log.expect([]);
        let_go(&set);
        drop(set);
        lp.run_nowait().unwrap();
        log.expect(["nobody joins"]);
    }
    // A shutdown joins, but for nobody.
    lp.block_on(async {
        let set = JoinSet::<()>::new();
        set.spawn(async { panic!("shut down") });
        yield_now().await;
        set.shutdown().await;
        assert!(set.is_empty());
    });
    lp.run().unwrap();
    log.expect(["shut down"]);
}

fn drop_it(_: &JoinSet<()>) {}

#[test]
fn shutdown_aborts_tasks_and_waits_for_jobs_that_have_begun() {
    let (mut lp, _log, _guards) = real();
    let (is_begun, is_over) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    lp.block_on(async {
        let set = Rc::new(JoinSet::new());
        set.spawn(std::future::pending());
        let (begun, over) = (is_begun.clone(), is_over.clone());
        set.spawn_blocking(move || {
            begun.wait();
            over.wait();
        });
        is_begun.wait();
        let mut shutdown = Box::pin(set.shutdown());
        assert!(poll_once(&mut shutdown).await.is_none());
        yield_now().await;
        assert!(poll_once(&mut shutdown).await.is_none(), "the job goes on");
        assert_eq!(set.len(), 1);
        // Given up and begun again, it loses nothing.
        drop(shutdown);
        is_over.wait();
        set.shutdown().await;
        assert!(set.is_empty());
    });
}

#[test]
fn a_join_that_is_given_up_loses_nothing() {
    let (mut lp, _clock, _log, _guards) = manual();
    lp.block_on(async {
        let set = JoinSet::new();
        set.spawn(async {
            sleep(ms(10)).await;
            1
        });
        assert!(timeout(ms(5), set.join_next()).await.is_err());
        let mut joining = Box::pin(set.join_next());
        assert!(poll_once(&mut joining).await.is_none());
        sleep(ms(20)).await;
        drop(joining); // it was woken
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
    });
}

#[test]
fn several_join_one_set_and_all_are_told_of_its_end() {
    let (mut lp, _clock, log, _guards) = manual();
    let set = Rc::new(JoinSet::new());
    for n in 1..=3 {
        set.spawn(async move { sleep(ms(n)).await });
    }
    for joiner in ["a", "b"] {
        let (log, set) = (log.clone(), set.clone());
        drop(spawn(async move {
            let mut joined = 0;
            while set.join_next().await.is_some() {
                joined += 1;
            }
            log.push(format!("{joiner} is done"));
            log.push(joined);
        }));
    }
    lp.run().unwrap();
    let events = log.take();
    let joined: u32 = events.iter().filter_map(|event| event.parse::<u32>().ok()).sum();
    assert_eq!((events.len(), joined), (4, 3), "{events:?}");
}

#[test]
fn a_task_of_the_set_spawns_into_it_and_another_drops_it() {
    let (mut lp, _log, _guards) = real();
    let drops = Rc::new(Cell::new(0));
    let set = Rc::new(RefCell::new(Some(Rc::new(JoinSet::new()))));
    let get = |set: &Rc<RefCell<Option<Rc<JoinSet<u32>>>>>| set.borrow().clone();
    let here = get(&set).unwrap();
    here.spawn({
        let set = Rc::downgrade(&here);
        async move {
            for n in 2..=3 {
                let set = set.upgrade().unwrap();
                set.spawn(async move { n });
            }
            1
        }
    });
    lp.block_on(async {
        for expected in 1..=3 {
            assert_eq!(here.join_next().await.unwrap().unwrap(), expected);
        }
    });
    for _ in 0..2 {
        let noted = Noted(drops.clone());
        here.spawn(async move {
            let _noted = noted;
            std::future::pending().await
        });
    }
    drop(here);
    let noted = Noted(drops.clone());
    get(&set).unwrap().spawn({
        let set = set.clone();
        async move {
            let _noted = noted;
            drop(set.take()); // its own end is one of those aborted
            yield_now().await;
            unreachable!("it was aborted");
        }
    });
    lp.run().unwrap();
    assert_eq!((drops.get(), lp.metrics().tasks), (3, 0));
}

#[test]
fn a_drop_that_calls_in_while_all_are_aborted_finds_the_set_in_order() {
    /// In a job that is dropped because it is aborted.
    struct CallsIn(std_mpsc::Sender<usize>);
    thread_local! {
        static SET: RefCell<Option<Rc<JoinSet<u32>>>> = const { RefCell::new(None) };
    }
    impl Drop for CallsIn {
        fn drop(&mut self) {
            let Some(set) = SET.take() else { return };
            set.spawn(async { 7 });
            set.detach_all();
            self.0.send(set.len()).unwrap();
        }
    }
    let _deadline = Deadline::secs(20);
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let _here = lp.enter();
    let set = Rc::new(JoinSet::new());
    SET.set(Some(set.clone()));
    let is_over = occupy_the_pool(&set, 1);
    let (found, finds) = std_mpsc::channel();
    for _ in 0..2 {
        let calls_in = CallsIn(found.clone());
        set.spawn_blocking(move || {
            drop(calls_in);
            unreachable!("it was aborted");
        });
    }
    set.abort_all();
    assert_eq!(finds.recv().unwrap(), 0);
    assert!(set.is_empty());
    is_over.wait();
}

#[test]
fn results_call_back_in_poll_and_the_end_last_and_the_callback_may_spawn_more() {
    let (mut lp, _clock, log, _guards) = manual();
    let set = JoinSet::new();
    for n in [2, 1] {
        set.spawn(async move {
            sleep(ms(n)).await;
            n
        });
    }
    let waiter = set.join_start({
        let log = log.clone();
        move |set, result| {
            let result = result.map(Result::unwrap);
            log.push(format!("{result:?}"));
            queue_microtask(log.mark("microtask"));
            if result == Some(2) {
                set.spawn(async { 3 });
            }
        }
    });
    waiter.closed().callback(note_close(&log, "closed"));
    assert!(!waiter.has_ref(), "it keeps nothing alive itself");
    lp.run().unwrap();
    log.expect([
        "Some(1)",
        "microtask",
        "Some(2)",
        "microtask",
        "Some(3)",
        "microtask",
        "None",
        "microtask",
        "closed",
    ]);
}

#[test]
fn an_empty_set_calls_back_once_and_never_inside_the_call() {
    let (mut lp, log, _guards) = real();
    JoinSet::<()>::new().join_start({
        let log = log.clone();
        move |set, result| log.push(format!("{} {}", set.len(), result.is_none()))
    });
    log.expect([]);
    lp.run().unwrap();
    log.expect(["0 true"]);
}

#[test]
fn jobs_keep_the_loop_until_their_callbacks_ran() {
    let (mut lp, _log, _guards) = real();
    let (set, sum) = (JoinSet::new(), Rc::new(Cell::new(0)));
    (1..=100).for_each(|n| set.spawn_blocking(move || n));
    set.join_start({
        let sum = sum.clone();
        move |_, result| sum.set(sum.get() + result.map_or(100_000, Result::unwrap))
    });
    assert!(!lp.run().unwrap());
    assert_eq!(sum.get(), 105_050);
}

#[test]
fn closing_the_waiter_aborts_what_is_left_also_from_its_own_callback() {
    let (mut lp, log, _guards) = real();
    let drops = Rc::new(Cell::new(0));
    let (set, own) = (JoinSet::new(), Rc::new(Cell::new(None::<runtime::handle::Waiter>)));
    for _ in 0..2 {
        let noted = Noted(drops.clone());
        set.spawn(async move {
            let _noted = noted;
            std::future::pending::<()>().await;
        });
    }
    set.spawn(async {});
    own.set(Some(set.join_start({
        let (log, own) = (log.clone(), own.clone());
        move |set, _| {
            log.push(set.len());
            own.take().unwrap().close();
        }
    })));
    lp.run().unwrap();
    log.expect(["2"]);
    assert_eq!((drops.get(), lp.metrics().tasks), (2, 0));
}

#[test]
fn what_waits_for_another_thread_may_be_joined_by_main() {
    let (mut lp, _log, _guards) = real();
    let set = JoinSet::new();
    let (sender, receiver) = oneshot::channel();
    set.spawn(receiver);
    let sending = thread::spawn(move || sender.send(5).unwrap());
    // Nothing keeps this loop alive but main, and nothing that is known wakes main.
    let joined = lp.block_on(set.join_next());
    assert_eq!(joined.unwrap().unwrap(), Ok(5));
    sending.join().unwrap();
}

#[test]
fn a_loop_that_goes_cancels_and_one_that_is_gone_cancels_at_once() {
    struct InDrop(Rc<Cell<bool>>);
    impl Drop for InDrop {
        fn drop(&mut self) {
            let set = JoinSet::new();
            set.spawn(async {});
            set.spawn_blocking(|| ());
            set.abort_all();
            for _ in 0..2 {
                assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
            }
            assert!(set.is_empty());
            self.0.set(true);
        }
    }
    let is_dropped = Rc::new(Cell::new(false));
    let mut lp = Loop::new().unwrap();
    let here = lp.enter();
    let in_drop = InDrop(is_dropped.clone());
    let set = JoinSet::new();
    set.spawn(async move {
        let _in_drop = in_drop;
        std::future::pending::<()>().await
    });
    lp.run_nowait().unwrap();
    drop((here, lp));
    assert!(is_dropped.get());
    assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn a_hundred_thousand_take_their_turns() {
    const MANY: u32 = 100_000;
    let _deadline = Deadline::secs(60);
    let mut lp = Loop::builder().clock(Clock::manual()).build().unwrap();
    let _here = lp.enter();
    let set = Rc::new(JoinSet::new());
    for n in 0..MANY {
        set.spawn(async move {
            if n % 2 == 0 {
                sleep(ms(1)).await;
            }
            n
        });
    }
    assert_eq!(set.len(), MANY as usize);
    let sum = lp.block_on(async {
        let mut sum = 0;
        while let Some(n) = set.join_next().await {
            sum += u64::from(n.unwrap());
        }
        sum
    });
    assert_eq!(sum, u64::from(MANY) * u64::from(MANY - 1) / 2);
    // Aborted and joined, and aborted by a drop.
    for drop_it in [false, true] {
        let set = JoinSet::new();
        (0..MANY).for_each(|_| set.spawn(std::future::pending::<()>()));
        if !drop_it {
            set.abort_all();
            lp.block_on(async { while set.join_next().await.is_some() {} });
        }
        drop(set);
        lp.run().unwrap();
        assert_eq!(lp.metrics().tasks, 0);
    }
}

#[test]
fn a_task_that_always_finds_one_to_join_does_not_keep_timers_waiting() {
    let (mut lp, log, _guards) = real();
    let set = JoinSet::new();
    (0..1_000).for_each(|_| set.spawn(async {}));
    lp.run_nowait().unwrap();
    set_immediate(log.mark("immediate"));
    lp.block_on(async {
        let mut joined = 0;
        while set.join_next().await.is_some() {
            joined += 1;
            if joined == 1_000 {
                log.push("all");
            }
        }
    });
    log.expect(["immediate", "all"]);
}

#[test]
fn an_abort_that_panics_in_a_drop_leaves_the_set_whole() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let _deadline = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let _here = lp.enter();
    let set = JoinSet::new();
    let is_over = occupy_the_pool(&set, ());
    let panics = Panics;
    set.spawn_blocking(move || std::mem::forget(panics));
    assert!(catch_unwind(AssertUnwindSafe(|| set.abort_all())).is_err());
    is_over.wait();
    lp.block_on(async {
        let mut cancelled = 0;
        while let Some(result) = set.join_next().await {
            cancelled += u32::from(result.is_err());
        }
        assert_eq!(cancelled, 1);
    });
}

#[test]
fn sets_and_channels_work_together() {
    let (mut lp, _log, _guards) = real();
    let (sender, receiver) = mpsc::channel(2);
    let (set, lines) = (JoinSet::new(), Rc::new(Cell::new(0)));
    receiver.recv_start({
        let lines = lines.clone();
        move |line: Option<u32>| lines.set(lines.get() + u32::from(line.is_some()))
    });
    for job in 0..8 {
        let sender = sender.clone();
        set.spawn_blocking(move || (0..10).for_each(|n| sender.blocking_send(job * n).unwrap()));
    }
    drop(sender);
    set_timeout(ms(0), || ());
    lp.block_on(async {
        while let Some(done) = set.join_next().await {
            done.unwrap();
        }
    });
    lp.run().unwrap();
    assert_eq!(lines.get(), 80);
}
