//! The limits of a checkpoint and of a poll: no task keeps the others, timers and I/O waiting for ever.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use behaviour::{Deadline, EventLog};
use futures_lite::future::yield_now as plain_self_wake;
use runtime::handle::Timer;
use runtime::{
    Loop, LoopRef, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn, spawn_eager,
    yield_microtask, yield_now,
};

fn deferrals(lp: &LoopRef) -> u64 {
    lp.metrics().deferrals
}

/// A request that is done at once: one operation of a leaf future, always ready.
async fn operation(closed: &Timer) {
    closed.closed().await.unwrap();
}

/// A handle whose `closed()` is answered.
fn closed_timer(lp: &mut Loop) -> Timer {
    let _here = lp.enter();
    let timer = Timer::new();
    timer.close();
    lp.run().unwrap();
    timer
}

#[test]
fn a_poll_has_128_operations_and_goes_on_after_the_next_poll_phase() {
    let _guard = Deadline::secs(20);
    for (operations, expected) in [(128, 0), (129, 1), (256, 1), (257, 2)] {
        let mut lp = Loop::new().unwrap();
        let timer = closed_timer(&mut lp);
        lp.block_on(async move {
            spawn(async move {
                for _ in 0..operations {
                    operation(&timer).await;
                }
            })
            .await
            .unwrap();
        });
        assert_eq!(deferrals(&lp), expected, "{operations} operations in a task");
    }
}

#[test]
fn the_main_future_has_the_same_budget() {
    let _guard = Deadline::secs(20);
    for (operations, expected) in [(128, 0), (129, 1), (256, 1), (257, 2)] {
        let mut lp = Loop::new().unwrap();
        let timer = closed_timer(&mut lp);
        lp.block_on(async move {
            for _ in 0..operations {
                operation(&timer).await;
            }
        });
        assert_eq!(deferrals(&lp), expected, "{operations} operations in main");
    }
}

#[test]
fn a_task_whose_operations_are_always_ready_lets_timers_and_immediates_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let timer = closed_timer(&mut lp);
    let _here = lp.enter();
    let is_over = Rc::new(Cell::new(false));
    let seen = is_over.clone();
    spawn(async move {
        while !seen.get() {
            operation(&timer).await;
        }
    });
    set_timeout(ms(1), move || {
        set_immediate(move || is_over.set(true));
    });
    lp.run().unwrap();
    assert!(deferrals(&lp) > 0);
    assert_eq!(lp.metrics().tasks, 0);
}

#[test]
fn spawn_eager_has_a_budget_of_its_own_and_gives_the_outer_one_back() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let timer = closed_timer(&mut lp);
    lp.block_on(async move {
        for _ in 0..100 {
            operation(&timer).await;
        }
        let inner = timer.clone();
        let eager = spawn_eager(async move {
            for _ in 0..128 {
                operation(&inner).await;
            }
        });
        assert!(eager.is_finished(), "128 operations fit into one poll");
        for _ in 0..28 {
            operation(&timer).await;
        }
    });
    assert_eq!(deferrals(&lp), 0);
}

#[test]
fn what_is_polled_outside_of_tasks_is_not_limited() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let timer = closed_timer(&mut lp);
    let _here = lp.enter();
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..1000 {
        let polled = Pin::new(&mut timer.closed()).poll(&mut cx);
        assert!(polled.is_ready(), "operation {n} outside of a task is limited");
    }
}

#[test]
fn a_futures_own_operations_outside_do_not_use_up_a_tasks_budget() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let timer = closed_timer(&mut lp);
    let here = lp.enter();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        assert!(Pin::new(&mut timer.closed()).poll(&mut cx).is_ready());
    }
    drop(here);
    lp.block_on(async move {
        for _ in 0..128 {
            operation(&timer).await;
        }
    });
    assert_eq!(deferrals(&lp), 0);
}

#[test]
fn a_task_may_wake_itself_64_times_a_checkpoint() {
    let _guard = Deadline::secs(20);
    for (wakes, expected) in [(64, 0), (65, 1), (128, 1), (129, 1), (130, 2)] {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        spawn(async move {
            for _ in 0..wakes {
                plain_self_wake().await;
            }
        });
        lp.run().unwrap();
        // The wake over the limit defers; the checkpoint after that counts anew.
        assert_eq!(deferrals(&lp), expected, "{wakes} wakes");
        assert_eq!(lp.metrics().tasks, 0, "a deferred task keeps the loop alive");
    }
}

#[test]
fn the_main_future_may_wake_itself_64_times_a_checkpoint() {
    let _guard = Deadline::secs(20);
    for (wakes, expected) in [(64, 0), (66, 1)] {
        let mut lp = Loop::new().unwrap();
        lp.block_on(async move {
            for _ in 0..wakes {
                plain_self_wake().await;
            }
        });
        assert_eq!(deferrals(&lp), expected, "{wakes} wakes");
    }
}

#[test]
fn self_wakes_are_counted_for_each_task_and_each_checkpoint() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    for _ in 0..20 {
        spawn(async {
            for _ in 0..3 {
                for _ in 0..60 {
                    plain_self_wake().await;
                }
                yield_now().await;
            }
        });
    }
    lp.run().unwrap();
    assert_eq!(deferrals(&lp), 0);
}

#[test]
fn yield_microtask_is_not_counted_among_self_wakes() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let log = EventLog::new();
    let _here = lp.enter();
    let noting = log.clone();
    spawn(async move {
        for _ in 0..1000 {
            yield_microtask().await;
        }
        noting.push("1000 turns");
    });
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.expect(["1000 turns", "immediate"]);
    assert_eq!(deferrals(&lp), 0);
}

#[test]
fn yield_microtask_in_main_is_not_counted_either() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        for _ in 0..1000 {
            yield_microtask().await;
        }
    });
    assert_eq!(deferrals(&lp), 0);
}

#[test]
fn a_yield_in_an_inner_eager_task_says_nothing_about_the_outer_ones_wakes() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    spawn(async {
        for _ in 0..200 {
            drop(spawn_eager(yield_microtask()));
            plain_self_wake().await;
        }
    });
    lp.run().unwrap();
    assert!(deferrals(&lp) >= 2, "200 plain wakes of itself are over the limit");
}

#[test]
fn a_task_that_only_wakes_itself_lets_timers_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let is_over = Rc::new(Cell::new(false));
    let seen = is_over.clone();
    spawn(async move {
        while !seen.get() {
            plain_self_wake().await;
        }
    });
    set_timeout(ms(2), move || is_over.set(true));
    lp.run().unwrap();
    assert_eq!(lp.metrics().tasks, 0);
}

#[test]
fn a_main_that_only_wakes_itself_lets_timers_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let is_over = Rc::new(Cell::new(false));
    lp.block_on(async {
        let setting = is_over.clone();
        set_timeout(ms(2), move || setting.set(true));
        while !is_over.get() {
            plain_self_wake().await;
        }
    });
}

#[test]
fn a_task_that_only_yields_microtasks_lets_timers_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let is_over = Rc::new(Cell::new(false));
    lp.block_on(async {
        let setting = is_over.clone();
        set_timeout(ms(2), move || setting.set(true));
        while !is_over.get() {
            yield_microtask().await;
        }
    });
    assert!(deferrals(&lp) > 0, "4,096 polls are the limit of a checkpoint");
}

#[test]
fn tasks_that_wake_each_other_let_timers_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let is_over = Rc::new(Cell::new(false));
    let wakers: Rc<[Cell<Option<Waker>>; 2]> = Rc::default();
    for me in [0, 1] {
        let (wakers, seen) = (wakers.clone(), is_over.clone());
        spawn(poll_fn(move |cx| {
            wakers[me].set(Some(cx.waker().clone()));
            if let Some(other) = wakers[1 - me].take() {
                other.wake();
            }
            if seen.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
    set_timeout(ms(2), move || is_over.set(true));
    lp.run().unwrap();
    assert!(deferrals(&lp) > 0);
}

#[test]
fn a_checkpoint_polls_4096_tasks_and_the_rest_goes_on_at_the_end_of_the_next_poll_phase() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let log = EventLog::new();
    let _here = lp.enter();
    let done = Rc::new(Cell::new(0));
    for _ in 0..10_000 {
        let done = done.clone();
        spawn(async move { done.set(done.get() + 1) });
    }
    let (noting, seen) = (log.clone(), done.clone());
    next_tick(move || noting.push(format!("tick at {}", seen.get())));
    let (noting, seen) = (log.clone(), done.clone());
    // Callbacks are not tasks: they are not limited, and are not held up by what is.
    queue_microtask(move || noting.push(format!("microtask at {}", seen.get())));
    let prepare = runtime::handle::Prepare::new();
    let (noting, seen) = (log.clone(), done.clone());
    prepare.start(move |_| noting.push(format!("prepare at {}", seen.get()))).unwrap();
    prepare.unref();
    let (noting, seen) = (log.clone(), done.clone());
    let check = runtime::handle::Check::new();
    check.start(move |_| noting.push(format!("check at {}", seen.get()))).unwrap();
    check.unref();
    lp.run().unwrap();
    log.expect([
        "tick at 0",
        "microtask at 4096",
        "prepare at 4096",
        "check at 8192",
        "prepare at 8192",
        "check at 10000",
    ]);
    assert_eq!(deferrals(&lp), 10_000 - 4096);
}

#[test]
fn the_builder_sets_the_polls_of_a_checkpoint() {
    let _guard = Deadline::secs(20);
    for (limit, expected) in [(0, 9), (1, 9), (5, 5), (10, 0)] {
        let mut lp = Loop::builder().task_polls_per_checkpoint(limit).build().unwrap();
        let log = EventLog::new();
        let _here = lp.enter();
        for n in 0..10 {
            let noting = log.clone();
            spawn(async move { noting.push(n) });
        }
        lp.run().unwrap();
        log.expect(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!(deferrals(&lp), expected, "limit {limit}");
    }
}

#[test]
fn run_nowait_and_run_once_make_progress_with_deferred_tasks() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::builder().task_polls_per_checkpoint(1).build().unwrap();
    let done = Rc::new(Cell::new(0));
    for _ in 0..4 {
        let done = done.clone();
        lp.spawn(async move { done.set(done.get() + 1) });
    }
    assert!(lp.run_nowait().unwrap());
    assert_eq!(done.get(), 2, "one in the first checkpoint, one at the end of poll");
    assert_eq!(lp.backend_timeout(), Some(ms(0)));
    assert!(lp.run_once().unwrap());
    assert!(!lp.run_once().unwrap());
    assert_eq!(done.get(), 4);
}

#[test]
fn a_deferred_task_can_be_aborted() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let is_over = Rc::new(Cell::new(false));
    lp.block_on(async {
        let polls = is_over.clone();
        let task = spawn(async move {
            loop {
                polls.set(true);
                plain_self_wake().await;
            }
        });
        yield_now().await;
        assert!(is_over.get());
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert!(deferrals(&lp) > 0);
}

#[test]
fn deferred_tasks_are_dropped_with_the_loop() {
    let _guard = Deadline::secs(20);
    let counted = Rc::new(());
    let mut lp = Loop::builder().task_polls_per_checkpoint(1).build().unwrap();
    for _ in 0..5 {
        let held = counted.clone();
        lp.spawn(async move {
            let _held = held;
            yield_microtask().await;
        });
    }
    lp.run_nowait().unwrap();
    assert!(lp.is_alive());
    drop(lp);
    assert_eq!(Rc::strong_count(&counted), 1);
}

/// What `FuturesUnordered` does: children have wakers of their own, which wake the parent.
struct Children {
    children: Vec<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Ready {
    queue: Mutex<Vec<usize>>,
    parent: Mutex<Option<Waker>>,
}

struct Child(usize, Arc<Ready>);

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.1.queue.lock().unwrap().push(self.0);
        let parent = self.1.parent.lock().unwrap().take();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Children {
    fn new(children: Vec<Pin<Box<dyn Future<Output = ()>>>>) -> Self {
        let ready = Arc::<Ready>::default();
        ready.queue.lock().unwrap().extend(0..children.len());
        Self { children: children.into_iter().map(Some).collect(), ready }
    }
}

impl Future for Children {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.parent.lock().unwrap().replace(cx.waker().clone());
        let ready = std::mem::take(&mut *self.ready.queue.lock().unwrap());
        for n in ready {
            let waker = Waker::from(Arc::new(Child(n, self.ready.clone())));
            if let Some(child) = &mut self.children[n]
                && child.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                self.children[n] = None;
            }
        }
        if self.children.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn many_children_of_one_task_are_all_done_and_timers_run_meanwhile() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let timer = closed_timer(&mut lp);
    let (fired, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    lp.block_on(async {
        let firing = fired.clone();
        runtime::set_interval(ms(1), move |_| firing.set(firing.get() + 1)).unref();
        let mut children: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for n in 0..300 {
            let (done, timer) = (done.clone(), timer.clone());
            children.push(Box::pin(async move {
                for turn in 0..50 {
                    match (n + turn) % 3 {
                        0 => plain_self_wake().await,
                        1 => yield_microtask().await,
                        _ => operation(&timer).await,
                    }
                }
                done.set(done.get() + 1);
            }));
        }
        let fired = fired.clone();
        children.push(Box::pin(async move {
            while fired.get() < 3 {
                plain_self_wake().await;
            }
        }));
        Children::new(children).await;
    });
    assert_eq!(done.get(), 300);
    assert!(fired.get() >= 3 && deferrals(&lp) > 0);
}
