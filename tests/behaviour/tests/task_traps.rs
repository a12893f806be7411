//! Tasks in odd places: wakers that outlive them, threads that wake at the wrong time, and drops that do
//! what drops should not.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};

use behaviour::{Deadline, EventLog};
use runtime::handle::{Async, Idle, Timer};
use runtime::net::TcpListener;
use runtime::{
    JoinHandle, Loop, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn,
    spawn_blocking, spawn_eager, try_current, yield_microtask, yield_now,
};

/// Runs a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> OnDrop<F> {
    /// Something to call in a closure that is to own this.
    fn is_there(&self) -> bool {
        true
    }
}

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Waits for ever and gives its waker away.
async fn give_waker(to: mpsc::Sender<Waker>) {
    poll_fn(|cx| {
        to.send(cx.waker().clone()).ok();
        Poll::<()>::Pending
    })
    .await;
}

fn text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<&str>() {
        Ok(text) => text.to_string(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

// --- the four traps ---

#[test]
fn a_wake_on_another_thread_after_the_loops_end_drops_nothing_there() {
    let _guard = Deadline::secs(20);
    let (to, wakers) = mpsc::channel();
    let dropped_on = Rc::new(Cell::new(None::<ThreadId>));
    let lp = Loop::new().unwrap();
    let noting = dropped_on.clone();
    let held = OnDrop(move || noting.set(Some(thread::current().id())));
    lp.spawn_eager(async move {
        let _held = held;
        give_waker(to).await;
    });
    let waker = wakers.recv().unwrap();
    drop(lp);
    assert_eq!(dropped_on.get(), Some(thread::current().id()));
    thread::spawn(move || {
        let clone = waker.clone();
        waker.wake_by_ref();
        drop(clone);
        waker.wake();
    })
    .join()
    .unwrap();
}

#[test]
fn a_task_in_the_mailbox_at_the_loops_end_is_dropped_on_the_loops_thread() {
    let _guard = Deadline::secs(20);
    let (to, wakers) = mpsc::channel();
    let dropped_on = Rc::new(Cell::new(None::<ThreadId>));
    let lp = Loop::new().unwrap();
    let noting = dropped_on.clone();
    let held = OnDrop(move || noting.set(Some(thread::current().id())));
    lp.spawn_eager(async move {
        let _held = held;
        give_waker(to).await;
    });
    let waker = wakers.recv().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    drop(lp);
    assert_eq!(dropped_on.get(), Some(thread::current().id()));
}

#[test]
fn a_detached_task_that_left_no_waker_is_dropped_with_the_loop() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let mut lp = Loop::new().unwrap();
    let noting = log.clone();
    let held = OnDrop(move || noting.push("dropped"));
    drop(lp.spawn(async move {
        let _held = held;
        pending::<()>().await;
    }));
    lp.run().unwrap();
    log.expect([]);
    assert_eq!(lp.metrics().tasks, 1);
    drop(lp);
    log.expect(["dropped"]);
}

#[test]
fn a_panic_in_the_drop_of_an_aborted_future_is_reported_as_unhandled() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    runtime::on_unhandled(move |error| noting.push(error));
    let task = spawn_eager(async {
        let _bomb = OnDrop(|| panic!("in the drop"));
        pending::<()>().await;
    });
    task.abort();
    let noting = log.clone();
    task.callback(move |output| noting.push(output.unwrap_err()));
    queue_microtask(log.mark("microtask"));
    lp.run().unwrap();
    log.expect(["microtask", "the task was cancelled", "in the drop"]);
}

#[test]
fn a_panic_in_the_drop_of_a_task_that_is_left_comes_out_of_the_loops_drop_or_is_swallowed() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::new().unwrap();
    for n in 0..3 {
        let noting = log.clone();
        let bomb = OnDrop(move || {
            noting.push(format!("drop {n}"));
            panic!("bomb {n}");
        });
        lp.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
    }
    let timer = OnDrop({
        let noting = log.clone();
        move || noting.push("timer dropped")
    });
    lp.set_timeout(ms(1), move || drop(timer));
    // A panic in one drop keeps no other from happening.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(lp)));
    log.expect(["drop 0", "drop 1", "drop 2", "timer dropped"]);
}

#[test]
fn the_first_panic_of_teardown_is_raised_at_its_end() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::new().unwrap();
    for n in 0..3 {
        let noting = log.clone();
        let bomb = OnDrop(move || {
            noting.push(format!("drop {n}"));
            panic!("bomb {n}");
        });
        lp.set_immediate(move || drop(bomb));
    }
    let raised = catch_unwind(AssertUnwindSafe(|| drop(lp))).unwrap_err();
    assert_eq!(text(raised), "bomb 0");
    log.expect(["drop 0", "drop 1", "drop 2"]);
}

#[test]
fn a_wake_during_the_own_poll_queues_the_task_once_when_the_poll_returns() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (noting, polls) = (log.clone(), Rc::new(Cell::new(0)));
    let counting = polls.clone();
    spawn(poll_fn(move |cx| {
        counting.set(counting.get() + 1);
        noting.push(format!("poll {}", counting.get()));
        if counting.get() == 3 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        let kept = cx.waker().clone();
        kept.wake_by_ref();
        drop(kept);
        queue_microtask(noting.mark("microtask"));
        Poll::Pending
    }));
    lp.run().unwrap();
    log.expect(["poll 1", "microtask", "poll 2", "microtask", "poll 3"]);
}

// --- wakers that outlive ---

#[test]
fn a_waker_of_a_task_that_is_done_does_nothing_here_and_elsewhere() {
    let _guard = Deadline::secs(20);
    let (to, wakers) = mpsc::channel();
    let mut lp = Loop::new().unwrap();
    let task = lp.spawn(poll_fn(move |cx| {
        to.send(cx.waker().clone()).unwrap();
        Poll::Ready(1)
    }));
    assert_eq!(lp.block_on(task).unwrap(), 1);
    let waker = wakers.recv().unwrap();
    let elsewhere = waker.clone();
    thread::spawn(move || elsewhere.wake()).join().unwrap();
    {
        let _here = lp.enter();
        waker.wake_by_ref();
    }
    waker.wake();
    assert!(!lp.run().unwrap());
}

#[test]
fn a_waker_of_main_that_outlives_it_does_nothing() {
    let _guard = Deadline::secs(20);
    let (to, wakers) = mpsc::channel::<Waker>();
    let mut lp = Loop::new().unwrap();
    let sending = to.clone();
    lp.block_on(poll_fn(move |cx| {
        sending.send(cx.waker().clone()).unwrap();
        Poll::Ready(())
    }));
    let waker = wakers.recv().unwrap();
    waker.wake_by_ref();
    // The next main is not polled for it: it is woken by its own wakers only.
    let polls = Cell::new(0);
    lp.block_on(async {
        let mut turn = Box::pin(yield_now());
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            turn.as_mut().poll(cx)
        })
        .await;
    });
    assert!(polls.get() <= 3, "{} polls", polls.get());
    drop(lp);
    waker.wake_by_ref();
    thread::spawn(move || waker.wake()).join().unwrap();
}

#[test]
fn the_last_waker_may_be_dropped_on_another_thread_while_the_task_lives() {
    let _guard = Deadline::secs(20);
    let (to, wakers) = mpsc::channel();
    let mut lp = Loop::new().unwrap();
    let dropped_on = Rc::new(Cell::new(None::<ThreadId>));
    let noting = dropped_on.clone();
    let held = OnDrop(move || noting.set(Some(thread::current().id())));
    drop(lp.spawn_eager(async move {
        let _held = held;
        give_waker(to).await;
    }));
    let waker = wakers.recv().unwrap();
    thread::spawn(move || drop(waker)).join().unwrap();
    lp.run().unwrap();
    assert_eq!(dropped_on.get(), None, "the task still lives");
    drop(lp);
    assert_eq!(dropped_on.get(), Some(thread::current().id()));
}

#[test]
fn a_waker_in_the_thread_local_of_the_loops_thread_may_be_used_when_that_ends() {
    type Late = OnDrop<Box<dyn FnMut()>>;
    thread_local! {
        static LATE: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
    }
    let _guard = Deadline::secs(20);
    thread::spawn(|| {
        LATE.with(|late| late.borrow_mut().clear());
        let (to, wakers) = mpsc::channel();
        let lp = Loop::new().unwrap();
        lp.spawn_eager(give_waker(to));
        let waker = wakers.recv().unwrap();
        LATE.with(|late| late.borrow_mut().push(OnDrop(Box::new(move || waker.wake_by_ref()))));
        // The loop as well: whichever of the two goes first.
        let mut lp = Some(lp);
        LATE.with(|late| late.borrow_mut().push(OnDrop(Box::new(move || drop(lp.take())))));
    })
    .join()
    .unwrap();
}

#[test]
fn threads_that_wake_before_during_and_after_the_loops_end() {
    let _guard = Deadline::secs(60);
    for round in 0..200 {
        let (to, wakers) = mpsc::channel();
        let mut lp = Loop::new().unwrap();
        let dropped = Rc::new(Cell::new(0));
        for _ in 0..8 {
            let (to, dropped) = (to.clone(), dropped.clone());
            let home = thread::current().id();
            let held = OnDrop(move || {
                assert_eq!(thread::current().id(), home);
                dropped.set(dropped.get() + 1);
            });
            lp.spawn_eager(async move {
                let _held = held;
                give_waker(to).await;
            });
        }
        let wakers: Vec<Waker> = (0..8).map(|_| wakers.recv().unwrap()).collect();
        let (started, start) = mpsc::channel();
        let threads: Vec<_> = wakers
            .into_iter()
            .map(|waker| {
                let started = started.clone();
                thread::spawn(move || {
                    for n in 0..200 {
                        waker.wake_by_ref();
                        if n == 10 {
                            started.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        start.recv().unwrap();
        if round % 2 == 0 {
            lp.run_nowait().unwrap();
        }
        drop(lp);
        for thread in threads {
            thread.join().unwrap();
        }
        // What a wake had half-way may be leaked, but is dropped nowhere else.
        assert!(dropped.get() <= 8);
    }
}

#[test]
fn remote_posts_that_spawn_race_with_the_loops_end() {
    let _guard = Deadline::secs(60);
    for _ in 0..100 {
        let lp = Loop::new().unwrap();
        let remote = lp.remote();
        let posting = thread::spawn(move || {
            while remote.post(|| drop(spawn(pending::<()>()))).is_ok() {
                thread::yield_now();
            }
        });
        let mut lp = lp;
        lp.run_nowait().unwrap();
        drop(lp);
        posting.join().unwrap();
    }
}

// --- drops that do things ---

#[test]
fn the_drop_of_a_future_may_spawn_wake_and_close() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let handles = lp.metrics().handles;
    let (to, wakers) = mpsc::channel();
    let other = spawn_eager(give_waker(to));
    let waker = wakers.recv().unwrap();
    let idle = Idle::new();
    idle.start(|_| ()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.listen(|_, _| ());
    let noting = log.clone();
    let held = OnDrop(move || {
        noting.push("dropped");
        waker.wake_by_ref();
        other.abort();
        idle.close();
        listener.close();
        let inner = noting.clone();
        spawn(async move { inner.push("spawned by the drop") });
        let inner = noting.clone();
        spawn_eager(async move { inner.push("eagerly") });
        next_tick(noting.mark("tick"));
        set_timeout(ms(1), noting.mark("timer"));
        drop(spawn_blocking(|| ()));
    });
    let task = spawn_eager(async move {
        let _held = held;
        pending::<()>().await;
    });
    task.abort();
    lp.run().unwrap();
    log.expect(["dropped", "eagerly", "spawned by the drop", "tick", "timer"]);
    assert_eq!((lp.metrics().tasks, lp.metrics().handles), (0, handles));
}

#[test]
fn the_drops_of_teardown_may_use_the_loop_which_is_inert() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::new().unwrap();
    let remote = lp.remote();
    let reference = (*lp).clone();
    let use_it = {
        let (log, lp) = (log.clone(), reference.clone());
        move |from: &'static str| {
            log.push(from);
            assert_eq!(try_current().as_ref(), Some(&lp), "current while it is dropped");
            let fail = || -> () { unreachable!("ran on a loop that is gone") };
            assert!(!lp.is_alive());
            lp.set_timeout(ms(0), fail).clear();
            assert!(!lp.set_interval(ms(1), move |_| fail()).refresh());
            lp.set_immediate(fail).unref().clear();
            lp.next_tick(fail);
            lp.queue_microtask(fail);
            lp.at_checkpoint_end(fail);
            runtime::before_exit(fail);
            runtime::on_exit(move |_| fail());
            runtime::on_uncaught(move |_| fail());
            assert!(lp.spawn(async move { fail() }).is_finished());
            assert!(lp.spawn_eager(async move { fail() }).is_finished());
            assert!(Timer::new().start(ms(1), None, move |_| fail()).is_err());
            assert!(Idle::new().start(move |_| fail()).is_err());
            assert!(TcpListener::bind("127.0.0.1:0").is_err());
            drop(runtime::fs::read("/"));
            runtime::fs::write("/proc/none", "x").callback(move |_| fail());
            drop(spawn_blocking(|| ()));
            assert!(remote.post(|| ()).is_err(), "a post to a loop that is gone");
            let asynchronous = Async::new(move |_| fail());
            assert!(asynchronous.sender().send().is_err());
            lp.stop();
            lp.walk(|handle| handle.close());
        }
    };
    let held = |name: &'static str| {
        let mut use_it = Some(use_it.clone());
        OnDrop(move || use_it.take().unwrap()(name))
    };
    let _here = lp.enter();
    let in_task = held("task");
    lp.spawn_eager(async move {
        let _held = in_task;
        pending::<()>().await;
    });
    let in_queue = held("queued task");
    lp.spawn(async move { drop(in_queue) });
    let in_handle = held("handle");
    Idle::new().start(move |_| assert!(in_handle.is_there())).unwrap();
    let in_closing = held("closing handle");
    let closing = Idle::new();
    closing.start(move |_| assert!(in_closing.is_there())).unwrap();
    closing.close();
    let in_timer = held("timeout");
    lp.set_timeout(ms(1), move || drop(in_timer));
    let in_immediate = held("immediate");
    lp.set_immediate(move || drop(in_immediate));
    let in_tick = held("tick");
    lp.next_tick(move || drop(in_tick));
    let in_microtask = held("microtask");
    lp.queue_microtask(move || drop(in_microtask));
    let in_hook = held("hook");
    runtime::before_exit(move || assert!(in_hook.is_there()));
    let in_request = held("request");
    // Whoever waits for a job that is under way: the answer's callback.
    let (go, may_go) = mpsc::channel::<()>();
    spawn_blocking(move || may_go.recv()).callback(move |_| drop(in_request));
    drop(lp);
    drop(go);
    let mut seen = log.take();
    seen.sort();
    let all = [
        "closing handle",
        "handle",
        "hook",
        "immediate",
        "microtask",
        "queued task",
        "request",
        "task",
        "tick",
        "timeout",
    ];
    assert_eq!(seen, all);
}

#[test]
fn tasks_that_hold_each_others_join_handles_end_with_the_loop() {
    let _guard = Deadline::secs(20);
    for aborts in [false, true] {
        let lp = Loop::new().unwrap();
        let counted = Rc::new(());
        let places: Vec<Rc<RefCell<Option<JoinHandle<()>>>>> =
            (0..3).map(|_| Rc::default()).collect();
        for n in 0..3 {
            let (next, held) = (places[(n + 1) % 3].clone(), counted.clone());
            let task = lp.spawn(async move {
                let _held = held;
                let task = next.borrow_mut().take();
                if let Some(task) = task {
                    let _ = task.await;
                }
            });
            let task = if aborts { task.abort_on_drop() } else { task };
            places[n].borrow_mut().replace(task);
        }
        drop(places);
        let mut lp = lp;
        lp.run_nowait().unwrap();
        assert_eq!(lp.metrics().tasks, 3);
        drop(lp);
        assert_eq!(Rc::strong_count(&counted), 1, "abort_on_drop: {aborts}");
    }
}

#[test]
fn a_task_may_hold_its_own_join_handle() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let counted = Rc::new(());
    let (held, own) = (counted.clone(), Rc::new(RefCell::new(None::<JoinHandle<()>>)));
    let mine = own.clone();
    let task = lp.spawn(async move {
        let _held = held;
        let task = mine.borrow_mut().take().unwrap().abort_on_drop();
        pending::<()>().await;
        drop(task);
    });
    own.borrow_mut().replace(task);
    let mut lp = lp;
    lp.run().unwrap();
    drop(lp);
    assert_eq!(Rc::strong_count(&counted), 1);
}

#[test]
fn join_handles_that_outlive_the_loop_say_cancelled_or_give_the_output() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let waiting = lp.spawn(pending::<()>());
    let done = lp.spawn_eager(async { 5 });
    let panicked = lp.spawn_eager(async { panic!("kept") });
    drop(lp);
    waiting.abort();
    assert!(waiting.is_finished() && done.is_finished() && panicked.is_finished());
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(waiting).unwrap_err().is_cancelled());
    assert_eq!(other.block_on(done).unwrap(), 5);
    let panic: Result<(), _> = other.block_on(panicked);
    assert_eq!(text(panic.unwrap_err().into_panic().unwrap()), "kept");
}

#[test]
fn a_task_of_one_loop_may_be_awaited_on_another_of_the_thread() {
    let _guard = Deadline::secs(20);
    let (mut one, mut two) = (Loop::new().unwrap(), Loop::new().unwrap());
    let is_open = Rc::new(Cell::new(false));
    let seen = is_open.clone();
    let task = one.spawn(async move {
        while !seen.get() {
            yield_now().await;
        }
        8
    });
    let remote = one.remote();
    let waiting = two.spawn(task);
    two.run().unwrap();
    assert!(!waiting.is_finished());
    is_open.set(true);
    remote.post(|| ()).unwrap();
    one.run().unwrap();
    // The waiter was woken while the other loop was current: by mail.
    two.run().unwrap();
    assert!(waiting.is_finished());
    assert_eq!(two.block_on(waiting).unwrap().unwrap(), 8);
}

#[test]
fn the_future_of_a_task_that_exits_in_its_poll_is_dropped() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let mut lp = Loop::new().unwrap();
    let noting = log.clone();
    let held = OnDrop(move || noting.push("dropped"));
    lp.spawn(async move {
        let _held = held;
        yield_microtask().await;
        runtime::exit(3);
    });
    lp.next_tick(log.mark("tick"));
    lp.set_immediate(log.mark("never"));
    assert!(!lp.run().unwrap());
    assert_eq!(lp.exit_code(), Some(3));
    log.expect(["tick", "dropped"]);
}

#[test]
fn exit_in_the_drops_of_teardown_changes_nothing() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::new().unwrap();
    let exits = |name: &'static str| {
        let noting = log.clone();
        OnDrop(move || {
            noting.push(name);
            runtime::exit(4);
        })
    };
    let (in_task, in_immediate, in_tick) = (exits("task"), exits("immediate"), exits("tick"));
    lp.spawn(async move { drop(in_task) });
    lp.set_immediate(move || drop(in_immediate));
    lp.next_tick(move || drop(in_tick));
    let dropping = catch_unwind(AssertUnwindSafe(|| drop(lp)));
    assert!(dropping.is_ok(), "an exit came out of the loop's drop as a panic");
    log.expect(["task", "tick", "immediate"]);
}

#[test]
fn a_panic_in_a_callback_that_was_dropped_while_jobs_were_waited_for_ends_no_teardown() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::builder().shutdown_timeout(ms(10_000)).build().unwrap();
    let _here = lp.enter();
    let noting = log.clone();
    let bomb = OnDrop(move || {
        noting.push("bomb");
        panic!("in the drop");
    });
    spawn_blocking(|| ()).callback(move |_| drop(bomb));
    let noting = log.clone();
    let held = OnDrop(move || noting.push("task dropped"));
    lp.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    let raised = catch_unwind(AssertUnwindSafe(|| drop(lp))).unwrap_err();
    assert_eq!(text(raised), "in the drop");
    log.expect(["bomb", "task dropped"]);
}

#[test]
fn dropping_the_loop_while_a_panic_unwinds_does_not_abort() {
    let _guard = Deadline::secs(20);
    let raised = catch_unwind(|| {
        let lp = Loop::new().unwrap();
        let bomb = OnDrop(|| panic!("bomb"));
        lp.set_immediate(move || drop(bomb));
        lp.spawn(async {
            let _bomb = OnDrop(|| panic!("bomb"));
            pending::<()>().await;
        });
        panic!("the first");
    });
    assert_eq!(text(raised.unwrap_err()), "the first");
}

#[test]
fn a_loop_that_is_dropped_inside_of_a_poll_takes_that_future_along_when_the_poll_returns() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let lp = Loop::new().unwrap();
    let (reference, noting) = ((*lp).clone(), log.clone());
    let other = OnDrop(move || noting.push("other dropped"));
    lp.spawn(async move {
        let _held = other;
        pending::<()>().await;
    });
    let noting = log.clone();
    let held = OnDrop(move || noting.push("own dropped"));
    let noting = log.clone();
    let task = reference.spawn_eager(async move {
        let _held = held;
        drop(lp);
        noting.push("loop dropped");
        yield_microtask().await;
        unreachable!("polled on a loop that is gone");
    });
    log.expect(["other dropped", "loop dropped", "own dropped"]);
    assert!(task.is_finished());
    let mut next = Loop::new().unwrap();
    let joined: Result<(), _> = next.block_on(task);
    assert!(joined.unwrap_err().is_cancelled());
}

#[test]
fn a_future_dropped_by_its_own_wake_in_a_drop_is_dropped_once() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (to, wakers) = mpsc::channel::<Waker>();
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let (mine, noting) = (waker.clone(), log.clone());
    let held = OnDrop(move || {
        noting.push("dropped");
        if let Some(waker) = mine.borrow().as_ref() {
            waker.wake_by_ref();
        }
    });
    let task = spawn_eager(async move {
        let _held = held;
        give_waker(to).await;
    });
    waker.replace(Some(wakers.recv().unwrap()));
    task.abort();
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.expect(["dropped", "immediate"]);
    drop((task, lp));
    log.expect([]);
}
