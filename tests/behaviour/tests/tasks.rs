//! Tasks: where their polls stand in the order of things, and what their handles do.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use behaviour::{Deadline, EventLog};
use runtime::time::sleep;
use runtime::{
    Clock, JoinError, JoinHandle, Loop, ms, next_tick, queue_microtask, set_immediate, set_timeout,
    spawn, spawn_eager, yield_microtask, yield_now,
};

/// Notes when it is dropped.
struct NoteDrop(EventLog, &'static str);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

/// A future that waits until its waker, put into `place`, is used and `is_open` is set.
async fn gate(place: Rc<RefCell<Option<Waker>>>, is_open: Rc<Cell<bool>>) {
    poll_fn(|cx| {
        if is_open.get() {
            return Poll::Ready(());
        }
        let former = place.borrow_mut().replace(cx.waker().clone());
        drop(former);
        Poll::Pending
    })
    .await;
}

fn panic_text(error: JoinError) -> String {
    let payload = error.into_panic().expect("a panic");
    payload.downcast_ref::<&str>().expect("a text").to_string()
}

#[test]
fn the_first_poll_of_a_spawned_task_is_a_microtask_in_the_order_of_the_calls() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    queue_microtask(log.mark("microtask 1"));
    let noting = log.clone();
    spawn(async move { noting.push("task") });
    queue_microtask(log.mark("microtask 2"));
    next_tick(log.mark("tick"));
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "tick", "microtask 1", "task", "microtask 2"]);
}

#[test]
fn spawn_eager_polls_inside_the_call_up_to_the_first_wait() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    spawn_eager(async move {
        noting.push("at once");
        std::future::ready(()).await;
        noting.push("still at once");
        yield_microtask().await;
        noting.push("a turn later");
    });
    log.push("after the call");
    queue_microtask(log.mark("microtask"));
    lp.run().unwrap();
    log.expect(["at once", "still at once", "after the call", "a turn later", "microtask"]);
}

#[test]
fn spawn_eager_that_is_done_at_once_has_its_output() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let here = lp.enter();
    let task = spawn_eager(async { 7 });
    assert!(task.is_finished());
    drop(here);
    assert_eq!(lp.block_on(task).unwrap(), 7);
}

#[test]
fn spawn_eager_inside_of_a_poll_leaves_the_outer_task_as_it_was() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let outer = log.clone();
    spawn(async move {
        outer.push("outer 1");
        let inner = outer.clone();
        let task = spawn_eager(async move {
            inner.push("inner 1");
            yield_microtask().await;
            inner.push("inner 2");
            "inner"
        });
        outer.push("outer 2");
        let output = task.await.unwrap();
        outer.push(output);
    });
    lp.run().unwrap();
    log.expect(["outer 1", "inner 1", "outer 2", "inner 2", "inner"]);
}

#[test]
fn the_main_futures_first_poll_is_the_main_script_before_ticks() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.block_on(async move {
        next_tick(noting.mark("tick"));
        queue_microtask(noting.mark("microtask"));
        noting.push("script");
        yield_microtask().await;
        noting.push("main again");
    });
    log.expect(["script", "tick", "microtask", "main again"]);
}

#[test]
fn a_main_future_may_borrow_from_the_stack() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let mut text = String::from("a");
    let length = lp.block_on(async {
        text.push('b');
        yield_now().await;
        text.push('c');
        text.len()
    });
    assert_eq!((length, text.as_str()), (3, "abc"));
}

#[test]
fn awaiting_what_is_ready_does_not_yield() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.block_on(async move {
        let done = spawn_eager(async { 1 });
        queue_microtask(noting.mark("microtask"));
        done.await.unwrap();
        noting.push("went on");
        yield_microtask().await;
    });
    log.expect(["went on", "microtask"]);
}

#[test]
fn yield_microtask_waits_for_what_is_queued_and_not_for_ticks() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    spawn(async move {
        noting.push("task 1");
        next_tick(noting.mark("tick"));
        queue_microtask(noting.mark("microtask"));
        yield_microtask().await;
        noting.push("task 2");
    });
    lp.run().unwrap();
    log.expect(["task 1", "microtask", "task 2", "tick"]);
}

#[test]
fn two_tasks_that_yield_microtasks_alternate() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    for name in ["a", "b"] {
        let noting = log.clone();
        spawn(async move {
            for n in 1..=3 {
                noting.push(format!("{name}{n}"));
                yield_microtask().await;
            }
        });
    }
    lp.run().unwrap();
    log.expect(["a1", "b1", "a2", "b2", "a3", "b3"]);
}

#[test]
fn yield_now_goes_on_in_the_drain_after_its_immediate() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    set_immediate(log.mark("immediate 1"));
    let noting = log.clone();
    spawn_eager(async move {
        yield_now().await;
        noting.push("task");
        next_tick(noting.mark("tick of the task"));
    });
    set_immediate(log.mark("immediate 2"));
    lp.run().unwrap();
    log.expect(["immediate 1", "task", "tick of the task", "immediate 2"]);
}

#[test]
fn a_due_timer_comes_between_two_yields() {
    let _guard = Deadline::secs(20);
    let log = EventLog::new();
    let mut lp = Loop::builder().clock(Clock::manual()).build().unwrap();
    let (noting, clock) = (log.clone(), Rc::new(Cell::new(0)));
    let (turns, timers) = (clock.clone(), log.clone());
    let _here = lp.enter();
    spawn(async move {
        sleep(ms(5)).await;
        set_timeout(ms(1), timers.mark("timer"));
        while turns.get() < 2 {
            turns.set(turns.get() + 1);
            yield_now().await;
        }
        noting.push("done");
    });
    lp.run().unwrap();
    // The manual clock stands while the task yields: the timer waits for it.
    log.expect(["done", "timer"]);
}

#[test]
fn a_wake_at_home_is_a_microtask_and_many_of_them_are_one_poll() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (place, is_open) = (Rc::default(), Rc::new(Cell::new(false)));
    let polls = Rc::new(Cell::new(0));
    let (counting, noting) = (polls.clone(), log.clone());
    let mut waiting = Box::pin(gate(Rc::clone(&place), is_open.clone()));
    spawn_eager(async move {
        poll_fn(|cx| {
            counting.set(counting.get() + 1);
            waiting.as_mut().poll(cx)
        })
        .await;
        noting.push("task");
    });
    let noting = log.clone();
    set_immediate(move || {
        let waker: Waker = place.borrow_mut().take().unwrap();
        is_open.set(true);
        queue_microtask(noting.mark("microtask 1"));
        waker.wake_by_ref();
        waker.wake_by_ref();
        waker.wake();
        queue_microtask(noting.mark("microtask 2"));
        next_tick(noting.mark("tick"));
    });
    lp.run().unwrap();
    log.expect(["tick", "microtask 1", "task", "microtask 2"]);
    assert_eq!(polls.get(), 2);
}

#[test]
fn wakes_keep_their_order() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let is_open = Rc::new(Cell::new(false));
    let places: Vec<Rc<RefCell<Option<Waker>>>> = (0..4).map(|_| Rc::default()).collect();
    for (n, place) in places.iter().enumerate() {
        let (noting, waiting) = (log.clone(), gate(place.clone(), is_open.clone()));
        spawn_eager(async move {
            waiting.await;
            noting.push(n);
        });
    }
    is_open.set(true);
    for n in [2, 0, 3, 1] {
        let waker = places[n].borrow_mut().take().unwrap();
        waker.wake();
    }
    lp.run().unwrap();
    log.expect(["2", "0", "3", "1"]);
}

#[test]
fn a_wake_while_another_loop_is_current_comes_in_poll() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let (place, is_open) = (Rc::default(), Rc::new(Cell::new(false)));
    {
        let _here = lp.enter();
        let (noting, waiting) = (log.clone(), gate(Rc::clone(&place), is_open.clone()));
        spawn_eager(async move {
            waiting.await;
            noting.push("task");
        });
        is_open.set(true);
        let waker: Waker = place.borrow_mut().take().unwrap();
        let other = Loop::new().unwrap();
        let _there = other.enter();
        waker.wake();
    }
    lp.next_tick(log.mark("tick"));
    lp.set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.expect(["tick", "task", "immediate"]);
}

#[test]
fn spawn_works_from_everywhere() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let spawned = {
        let log = log.clone();
        move |name: &'static str| {
            let log = log.clone();
            spawn(async move { log.push(name) });
        }
    };
    /// Spawns when dropped.
    struct SpawnOnDrop<F: Fn(&'static str)>(F);
    impl<F: Fn(&'static str)> Drop for SpawnOnDrop<F> {
        fn drop(&mut self) {
            (self.0)("drop");
        }
    }
    let from = spawned.clone();
    next_tick(move || from("tick"));
    let from = spawned.clone();
    queue_microtask(move || from("microtask"));
    let from = spawned.clone();
    runtime::at_checkpoint_end(move || from("checkpoint end"));
    let from = spawned.clone();
    spawn(async move { from("task") });
    let from = spawned.clone();
    spawn(async { panic!("on purpose") }).callback(move |_| from("join callback"));
    let from = spawned.clone();
    set_immediate(move || from("immediate"));
    let from = spawned.clone();
    runtime::before_exit(move || from("before exit"));
    let captured = SpawnOnDrop(spawned.clone());
    set_immediate(move || drop(captured));
    let from = spawned.clone();
    let timer = runtime::handle::Timer::new();
    timer.closed().callback(move |_| from("closed"));
    timer.close();
    lp.run().unwrap();
    let mut seen = log.take();
    assert_eq!(seen.pop().as_deref(), Some("before exit"));
    seen.sort();
    let all =
        ["checkpoint end", "closed", "drop", "immediate", "join callback", "microtask", "task"];
    assert_eq!(seen[..7], all);
    assert_eq!(seen[7..], ["tick"]);
}

#[test]
fn a_spawned_task_alone_does_not_keep_the_loop_alive() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = NoteDrop(log.clone(), "dropped with the loop");
    spawn(async move {
        let _noting = noting;
        pending::<()>().await;
    });
    assert!(!lp.run().unwrap());
    assert_eq!(lp.metrics().tasks, 1);
    log.expect([]);
    drop(lp);
    log.expect(["dropped with the loop"]);
}

// --- JoinHandle ---

#[test]
fn a_join_handle_gives_the_output_one_turn_after_the_task() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    let output = lp.block_on(async move {
        let inner = noting.clone();
        let task = spawn(async move {
            inner.push("task");
            queue_microtask(inner.mark("microtask"));
            "output".to_owned()
        });
        let output = task.await.unwrap();
        noting.push("main");
        output
    });
    assert_eq!(output, "output");
    // The microtask was queued before the task was done, and so before its waiter was woken.
    log.expect(["task", "microtask", "main"]);
}

#[test]
fn a_join_handle_may_be_awaited_by_reference_and_dropped_half_way() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let mut task = spawn(async {
            yield_now().await;
            3
        });
        for _ in 0..3 {
            assert!(futures_lite::future::poll_once(&mut task).await.is_none());
        }
        assert_eq!((&mut task).await.unwrap(), 3);
        assert!(task.is_finished());
    });
}

#[test]
fn a_panic_goes_to_the_join_handle_and_the_loop_lives_on() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let error = lp.block_on(async {
        let task = spawn(async {
            yield_microtask().await;
            panic!("in the task")
        });
        let error: Result<(), JoinError> = task.await;
        yield_now().await;
        error.unwrap_err()
    });
    assert!(!error.is_cancelled());
    assert_eq!(panic_text(error), "in the task");
}

#[test]
fn a_panic_in_the_drop_of_what_a_done_future_held_goes_to_the_join_handle() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let error = lp.block_on(async {
        let bomb = Bomb;
        spawn(poll_fn(move |_| {
            let _held = &bomb;
            Poll::Ready(())
        }))
        .await
        .unwrap_err()
    });
    assert_eq!(panic_text(error), "in the drop");
}

#[test]
fn a_join_callback_is_a_microtask_queued_at_the_end_of_the_task() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (inner, noting) = (log.clone(), log.clone());
    spawn(async move {
        inner.push("task");
        queue_microtask(inner.mark("queued before the end"));
        next_tick(inner.mark("tick"));
        5
    })
    .callback(move |output| noting.push(format!("output {}", output.unwrap())));
    queue_microtask(log.mark("microtask"));
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "task", "microtask", "queued before the end", "output 5", "tick"]);
}

#[test]
fn a_join_callback_of_a_task_that_is_done_never_runs_inside_the_call() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let task = spawn_eager(async { 1 });
    let noting = log.clone();
    task.callback(move |output| noting.push(output.unwrap()));
    log.push("after the call");
    lp.run().unwrap();
    log.expect(["after the call", "1"]);
}

#[test]
fn the_error_of_a_join_callback_is_the_runs() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    spawn(async {}).callback(|_| -> runtime::Result { Err("thrown".into()) });
    queue_microtask(log.mark("the rest"));
    assert_eq!(lp.run().unwrap_err().to_string(), "thrown");
    lp.run().unwrap();
    log.expect(["the rest"]);
}

#[test]
fn abort_drops_the_future_at_the_next_turn() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = NoteDrop(log.clone(), "dropped");
    let task = spawn_eager(async move {
        let _noting = noting;
        pending::<()>().await;
    });
    queue_microtask(log.mark("microtask 1"));
    task.abort();
    task.abort();
    assert!(!task.is_finished());
    queue_microtask(log.mark("microtask 2"));
    let noting = log.clone();
    task.callback(move |output| noting.push(output.unwrap_err()));
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "microtask 1", "dropped", "microtask 2", "the task was cancelled"]);
    assert_eq!(lp.metrics().tasks, 0);
}

#[test]
fn abort_before_the_first_poll_means_no_poll() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.block_on(async move {
        let held = NoteDrop(noting.clone(), "dropped");
        let inner = noting.clone();
        let task = spawn(async move {
            let _held = held;
            inner.push("polled");
        });
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    log.expect(["dropped"]);
}

#[test]
fn abort_of_a_task_that_is_done_changes_nothing_not_even_for_who_took_its_place() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let done = spawn_eager(async { 1 });
        let heir = spawn(async {
            yield_microtask().await;
            2
        });
        done.abort();
        assert_eq!(done.await.unwrap(), 1);
        assert_eq!(heir.await.unwrap(), 2);
    });
}

#[test]
fn a_task_that_aborts_itself_and_is_done_in_that_poll_has_its_output() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let own = Rc::new(RefCell::new(None::<JoinHandle<u8>>));
        let mine = own.clone();
        let task = spawn(async move {
            mine.borrow().as_ref().unwrap().abort();
            9
        });
        own.borrow_mut().replace(task);
        yield_now().await;
        let task = own.borrow_mut().take().unwrap();
        assert!(task.is_finished());
        assert_eq!(task.await.unwrap(), 9);
    });
}

#[test]
fn a_task_that_aborts_itself_and_waits_is_cancelled() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
        let mine = own.clone();
        let task = spawn(async move {
            mine.borrow().as_ref().unwrap().abort();
            yield_microtask().await;
            unreachable!("aborted");
        });
        own.borrow_mut().replace(task);
        yield_now().await;
        let task = own.borrow_mut().take().unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_dropped_handle_detaches() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    drop(spawn(async move {
        yield_now().await;
        noting.push("went on");
    }));
    lp.run().unwrap();
    log.expect(["went on"]);
}

#[test]
fn abort_on_drop_aborts_and_an_awaited_one_does_not() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    lp.block_on(async move {
        let held = NoteDrop(noting.clone(), "dropped");
        let task = spawn_eager(async move {
            let _held = held;
            pending::<()>().await;
        })
        .abort_on_drop();
        drop(task);
        noting.push("handle gone");
        yield_microtask().await;
        assert_eq!(spawn(async { 4 }).abort_on_drop().await.unwrap(), 4);
    });
    log.expect(["handle gone", "dropped"]);
}

#[test]
fn abort_on_drop_with_a_callback_lets_the_task_go_on() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    spawn(async {
        yield_now().await;
        6
    })
    .abort_on_drop()
    .callback(move |output| noting.push(output.unwrap()));
    lp.run().unwrap();
    log.expect(["6"]);
}

#[test]
fn detach_reports_an_err_at_the_end_of_the_checkpoint_and_a_drop_swallows_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    runtime::on_unhandled(move |error| noting.push(format!("unhandled {error}")));
    spawn(async { Err::<(), String>("detached".into()) }).detach();
    drop(spawn(async { Err::<(), String>("dropped".into()) }));
    spawn(async { Ok::<(), String>(()) }).detach();
    next_tick(log.mark("tick"));
    let noting = log.clone();
    queue_microtask(move || next_tick(noting.mark("late tick")));
    lp.run().unwrap();
    log.expect(["tick", "late tick", "unhandled detached"]);
}

#[test]
fn the_panic_of_a_detached_task_goes_to_on_unhandled() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    runtime::on_unhandled(move |error| noting.push(error));
    drop(spawn(async { panic!("nobody waits") }));
    spawn(async { panic!("detach") as Result<(), String> }).detach();
    // Done, and then its handle is dropped with the panic in it.
    let late = spawn_eager(async { panic!("dropped late") });
    set_immediate(move || drop(late));
    set_immediate(log.mark("next immediate"));
    lp.run().unwrap();
    log.expect(["nobody waits", "detach", "dropped late", "next immediate"]);
}

#[test]
fn an_unobserved_panic_ends_the_run_by_default() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    drop(spawn(async { panic!("nobody waits") }));
    queue_microtask(log.mark("microtask"));
    set_immediate(log.mark("immediate"));
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run()));
    assert_eq!(run.unwrap_err().downcast_ref::<&str>(), Some(&"nobody waits"));
    log.expect(["microtask"]);
    lp.run().unwrap();
    log.expect(["immediate"]);
}

#[test]
fn spawn_on_a_loop_that_is_gone_drops_the_future_and_says_cancelled() {
    let _guard = Deadline::secs(20);
    let (lp, log) = (Loop::new().unwrap(), EventLog::new());
    let reference = (*lp).clone();
    drop(lp);
    let noting = NoteDrop(log.clone(), "dropped");
    let task = reference.spawn(async move { drop(noting) });
    log.expect(["dropped"]);
    assert!(task.is_finished());
    let eager = reference.spawn_eager(async { unreachable!("never polled") as () });
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(task).unwrap_err().is_cancelled());
    assert!(other.block_on(eager).unwrap_err().is_cancelled());
}

#[test]
fn a_join_callback_on_a_loop_that_is_gone_is_dropped() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let task = lp.spawn(pending::<()>());
    let reference = (*lp).clone();
    drop(lp);
    let counted = Rc::new(());
    let held = counted.clone();
    task.callback(move |_| drop(held));
    let held = counted.clone();
    reference.spawn(async {}).callback(move |_| drop(held));
    assert_eq!(Rc::strong_count(&counted), 1, "the callbacks are leaked");
}

#[test]
fn metrics_count_the_tasks_that_are_not_done() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let waiting: Vec<_> = (0..10).map(|_| spawn(pending::<()>())).collect();
    spawn(async {});
    assert_eq!(lp.metrics().tasks, 11);
    lp.run().unwrap();
    assert_eq!(lp.metrics().tasks, 10);
    waiting.iter().for_each(JoinHandle::abort);
    lp.run().unwrap();
    assert_eq!(lp.metrics().tasks, 0);
}

#[test]
fn a_task_is_not_finished_before_its_future_is_dropped() {
    struct Then<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Then<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    /// Ends at once, and drops what it has in order.
    struct Held<A, B>(A, B);
    impl<A: Unpin, B: Unpin> Future for Held<A, B> {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let _deadline = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let log = EventLog::new();
    let handle = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let asks = Then({
        let (handle, log) = (handle.clone(), log.clone());
        move || {
            let handle = handle.take().unwrap();
            assert!(!handle.is_finished());
            let log = log.clone();
            handle.callback(move |_| log.push("the task ended"));
        }
    });
    let queues = Then({
        let log = log.clone();
        move || {
            let log = log.clone();
            queue_microtask(move || log.push("a microtask of before"));
        }
    });
    handle.replace(Some(spawn(Held(asks, queues))));
    lp.run().unwrap();
    log.expect(["a microtask of before", "the task ended"]);
}
