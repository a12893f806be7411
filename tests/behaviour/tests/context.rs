//! The current loop: what free functions do where there is none, where there are two, and what an id is
//! worth when its loop is gone or foreign.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use behaviour::{Deadline, EventLog};
use runtime::handle::{Async, Check, Idle, Prepare, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::{
    Loop, clear_immediate, clear_interval, clear_timeout, current, fs, ms, next_tick,
    queue_microtask, set_immediate, set_interval, set_timeout, set_timeout_mut, spawn,
    spawn_blocking, spawn_eager, try_current,
};

fn text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
        .expect("a text")
}

type Call = Box<dyn Fn()>;

/// All that is of no use without a loop.
fn calls() -> Vec<(&'static str, Call)> {
    fn call(name: &'static str, f: impl Fn() + 'static) -> (&'static str, Call) {
        (name, Box::new(f))
    }
    vec![
        call("current", || drop(current())),
        call("set_timeout", || _ = set_timeout(ms(1), || ())),
        call("set_timeout_mut", || _ = set_timeout_mut(ms(1), |_| ())),
        call("set_interval", || _ = set_interval(ms(1), |_| ())),
        call("set_immediate", || _ = set_immediate(|| ())),
        call("next_tick", || next_tick(|| ())),
        call("queue_microtask", || queue_microtask(|| ())),
        call("at_checkpoint_end", || runtime::at_checkpoint_end(|| ())),
        call("spawn", || drop(spawn(async {}))),
        call("spawn_eager", || drop(spawn_eager(async {}))),
        call("spawn_blocking", || drop(spawn_blocking(|| ()))),
        call("before_exit", || runtime::before_exit(|| ())),
        call("on_exit", || runtime::on_exit(|_| ())),
        call("on_uncaught", || runtime::on_uncaught(|_| ())),
        call("on_unhandled", || runtime::on_unhandled(|_| ())),
        call("exit", || runtime::exit(1)),
        call("Timer::new", || drop(Timer::new())),
        call("Idle::new", || drop(Idle::new())),
        call("Prepare::new", || drop(Prepare::new())),
        call("Check::new", || drop(Check::new())),
        call("Async::new", || drop(Async::new(|_| ()))),
        call("TcpListener::bind", || drop(TcpListener::bind("127.0.0.1:0"))),
        call("TcpStream::connect", || drop(TcpStream::connect("127.0.0.1:1"))),
        call("fs::read", || drop(fs::read("x"))),
        call("fs::read_to_string", || drop(fs::read_to_string("x"))),
        call("fs::metadata", || drop(fs::metadata("x"))),
        call("fs::write", || drop(fs::write("/nowhere/at/all", "x"))),
        call("fs::read_limited", || drop(fs::read_limited("x", 1))),
        call("fs::read_lines", || drop(fs::read_lines("x"))),
        call("fs::append", || drop(fs::append("/nowhere/at/all", "x"))),
        call("fs::write_atomic", || drop(fs::write_atomic("/nowhere/at/all", "x"))),
        call("fs::truncate", || drop(fs::truncate("/nowhere/at/all", 0))),
        call("fs::rename", || drop(fs::rename("/nowhere/at/all", "x"))),
        call("fs::rename_no_replace", || drop(fs::rename_no_replace("/nowhere/at/all", "x"))),
        call("fs::remove_file", || drop(fs::remove_file("/nowhere/at/all"))),
        call("fs::hard_link", || drop(fs::hard_link("/nowhere/at/all", "x"))),
        call("fs::read_link", || drop(fs::read_link("x"))),
        call("fs::canonicalize", || drop(fs::canonicalize("x"))),
        call("fs::symlink_metadata", || drop(fs::symlink_metadata("x"))),
        call("fs::exists", || drop(fs::exists("x"))),
        call("fs::access", || drop(fs::access("x", fs::Access::READ))),
        call("fs::statfs", || drop(fs::statfs("x"))),
        call("fs::set_times", || {
            drop(fs::set_times("/nowhere/at/all", fs::FileTime::Now, fs::FileTime::Now));
        }),
        call("fs::set_symlink_times", || {
            drop(fs::set_symlink_times("/nowhere/at/all", fs::FileTime::Now, fs::FileTime::Now));
        }),
        call("fs::mkdtemp", || drop(fs::mkdtemp("/nowhere/at/all"))),
        call("fs::mkstemp", || drop(fs::mkstemp("/nowhere/at/all"))),
        call("Instant::now", || _ = runtime::time::Instant::now()),
        call("sleep", || {
            futures_lite::future::block_on(futures_lite::future::poll_once(runtime::time::sleep(
                ms(1),
            )));
        }),
        call("yield_now", || {
            futures_lite::future::block_on(futures_lite::future::poll_once(runtime::yield_now()));
        }),
    ]
}

#[test]
fn without_a_loop_each_free_function_panics_and_names_the_remedy() {
    let _guard = Deadline::secs(20);
    for (name, call) in calls() {
        let payload = catch_unwind(AssertUnwindSafe(call)).expect_err(name);
        let message = text(&*payload);
        assert!(message.contains("no current loop"), "{name}: {message}");
        assert!(message.contains("Loop::enter"), "{name}: {message}");
    }
}

#[test]
fn the_panic_points_at_the_caller() {
    let _guard = Deadline::secs(20);
    use std::sync::{Arc, Mutex};
    // A hook is the process's: noted is what this thread does.
    let (me, place) = (thread::current().id(), Arc::<Mutex<String>>::default());
    let (noting, former) = (place.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == me {
            *noting.lock().unwrap() = info.location().unwrap().file().to_owned();
        } else {
            former(info);
        }
    }));
    let mut wrong = Vec::new();
    for (name, call) in calls() {
        let _ = catch_unwind(AssertUnwindSafe(call));
        // These are polled by somebody else, who is the caller.
        let is_future = ["sleep", "yield_now"].contains(&name);
        if !is_future && !place.lock().unwrap().ends_with("context.rs") {
            wrong.push(format!("{name}: {}", place.lock().unwrap()));
        }
    }
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn try_current_asks_first() {
    let _guard = Deadline::secs(20);
    assert!(try_current().is_none());
    let mut lp = Loop::new().unwrap();
    assert!(try_current().is_none(), "a loop that is made is not yet current");
    let reference = (*lp).clone();
    {
        let _here = lp.enter();
        assert_eq!(try_current().as_ref(), Some(&reference));
        assert_eq!(current(), reference);
    }
    assert!(try_current().is_none());
    lp.next_tick(move || assert_eq!(current(), reference));
    lp.run().unwrap();
    assert!(try_current().is_none());
    lp.block_on(async { current() });
    assert!(try_current().is_none());
}

#[test]
fn a_loop_is_not_current_on_other_threads_nor_in_its_pool() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    assert!(thread::spawn(|| try_current().is_none()).join().unwrap());
    assert!(lp.block_on(async { spawn_blocking(|| try_current().is_none()).await.unwrap() }));
    let error = lp.block_on(async { spawn_blocking(|| set_immediate(|| ())).await.map(drop) });
    assert!(text(&*error.unwrap_err().into_panic().unwrap()).contains("no current loop"));
}

#[test]
fn it_is_not_current_any_more_after_an_error_or_panic_came_out_of_run() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.next_tick(|| -> runtime::Result { Err("thrown".into()) });
    lp.run().unwrap_err();
    assert!(try_current().is_none());
    lp.next_tick(|| panic!("thrown"));
    assert!(catch_unwind(AssertUnwindSafe(|| lp.run())).is_err());
    assert!(try_current().is_none());
    lp.next_tick(|| runtime::exit(1));
    lp.run().unwrap();
    assert!(try_current().is_none());
}

#[test]
fn entering_is_nested() {
    let _guard = Deadline::secs(20);
    let (mut one, mut two, log) = (Loop::new().unwrap(), Loop::new().unwrap(), EventLog::new());
    {
        let _one = one.enter();
        set_immediate(log.mark("one"));
        {
            let _two = two.enter();
            set_immediate(log.mark("two"));
            {
                let _one = one.enter();
                set_immediate(log.mark("one again"));
            }
            set_immediate(log.mark("two again"));
        }
        set_immediate(log.mark("one at last"));
    }
    two.run().unwrap();
    log.expect(["two", "two again"]);
    one.run().unwrap();
    log.expect(["one", "one again", "one at last"]);
}

#[test]
fn another_loop_may_run_inside_a_callback_and_blocks_this_one() {
    let _guard = Deadline::secs(20);
    let (mut outer, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = outer.enter();
    let noting = log.clone();
    let reference = (*outer).clone();
    set_immediate(move || {
        next_tick(noting.mark("outer tick"));
        let mut inner = Loop::new().unwrap();
        {
            let _there = inner.enter();
            let more = noting.clone();
            set_timeout(ms(1), move || {
                more.push("inner timer");
                next_tick(more.mark("inner tick"));
                // To the outer one, by name.
                let most = more.clone();
                reference.next_tick(move || most.push("outer tick from inside"));
            });
        }
        inner.run().unwrap();
        noting.push("inner is over");
        let output = inner.block_on(async { spawn(async { 5 }).await.unwrap() });
        noting.push(output);
        set_immediate(noting.mark("outer immediate 3"));
    });
    set_immediate(log.mark("outer immediate 2"));
    outer.run().unwrap();
    log.expect([
        "inner timer",
        "inner tick",
        "inner is over",
        "5",
        "outer tick",
        "outer tick from inside",
        "outer immediate 2",
        "outer immediate 3",
    ]);
}

#[test]
fn another_loop_may_run_inside_a_tasks_poll_and_in_a_drop() {
    struct RunOnDrop(EventLog);
    impl Drop for RunOnDrop {
        fn drop(&mut self) {
            let mut inner = Loop::new().unwrap();
            let noting = self.0.clone();
            inner.block_on(async move {
                runtime::yield_microtask().await;
                runtime::yield_now().await;
                noting.push("ran in the drop");
            });
        }
    }
    let _guard = Deadline::secs(20);
    let (mut outer, log) = (Loop::new().unwrap(), EventLog::new());
    let noting = log.clone();
    outer.block_on(async {
        let task = spawn(async move {
            let _run = RunOnDrop(noting.clone());
            runtime::yield_microtask().await;
            let mut inner = Loop::new().unwrap();
            inner.block_on(async {
                for _ in 0..200 {
                    runtime::yield_microtask().await;
                }
            });
            noting.push("ran in the poll");
        });
        task.await.unwrap();
    });
    log.expect(["ran in the poll", "ran in the drop"]);
    assert_eq!(outer.metrics().deferrals, 0);
}

#[test]
fn an_error_or_panic_of_the_inner_loop_is_the_callbacks_own_affair() {
    let _guard = Deadline::secs(20);
    let (mut outer, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = outer.enter();
    let noting = log.clone();
    set_immediate(move || -> runtime::Result {
        let mut inner = Loop::new()?;
        inner.next_tick(|| -> runtime::Result { Err("inner error".into()) });
        noting.push(inner.run().unwrap_err());
        inner.next_tick(|| runtime::exit(4));
        inner.run()?;
        assert_eq!(inner.exit_code(), Some(4));
        assert_eq!(current().exit_code(), None);
        let mut last = Loop::new()?;
        last.next_tick(|| -> runtime::Result { Err("for the outer one".into()) });
        last.run()?;
        Ok(())
    });
    set_immediate(log.mark("goes on"));
    assert_eq!(outer.run().unwrap_err().to_string(), "for the outer one");
    outer.run().unwrap();
    log.expect(["inner error", "goes on"]);
}

#[test]
fn a_loop_may_be_dropped_inside_a_callback_of_another() {
    let _guard = Deadline::secs(20);
    let (mut outer, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = outer.enter();
    let inner = Loop::new().unwrap();
    let (noting, counted) = (log.clone(), Rc::new(()));
    let held = counted.clone();
    inner.spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    set_immediate(move || {
        drop(inner);
        noting.push("dropped");
        next_tick(noting.mark("tick"));
    });
    outer.run().unwrap();
    log.expect(["dropped", "tick"]);
    assert_eq!(Rc::strong_count(&counted), 1);
}

// --- ids ---

#[test]
fn ids_work_while_another_loop_is_current_or_none() {
    let _guard = Deadline::secs(20);
    let (mut one, two, log) = (Loop::new().unwrap(), Loop::new().unwrap(), EventLog::new());
    let timer = one.set_timeout(ms(1), log.mark("timer"));
    let interval = one.set_interval(ms(1), |_| ());
    let immediate = one.set_immediate(log.mark("immediate"));
    {
        let _there = two.enter();
        assert!(timer.has_ref() && immediate.has_ref());
        clear_interval(interval);
        assert!(!timer.unref().has_ref());
    }
    clear_immediate(immediate);
    assert!(!one.run().unwrap(), "an unref'd timer alone keeps nothing alive");
    log.expect([]);
    assert!(timer.ref_().refresh());
    one.run().unwrap();
    log.expect(["timer"]);
    assert!(!timer.refresh());
}

#[test]
fn ids_of_a_loop_that_is_gone_do_nothing() {
    let _guard = Deadline::secs(20);
    let (lp, log) = (Loop::new().unwrap(), EventLog::new());
    let reference = (*lp).clone();
    let timer = lp.set_timeout(ms(1), log.mark("never"));
    let interval = lp.set_interval(ms(1), |_| ());
    let immediate = lp.set_immediate(log.mark("never"));
    let here = lp.enter();
    let request = fs::metadata(".").callback(|_| ());
    drop(here);
    drop(lp);
    for round in 0..2 {
        assert!(!timer.refresh() && !interval.refresh(), "round {round}");
        assert!(!timer.ref_().has_ref() && !immediate.ref_().has_ref());
        timer.unref().clear();
        interval.clear();
        immediate.unref().clear();
        assert!(!request.cancel());
        // Once with the memory of the loop still there, once without.
        if round == 0 {
            let late = reference.set_timeout(ms(1), log.mark("never"));
            assert!(!late.refresh() && !late.has_ref());
            let late = reference.set_immediate(log.mark("never"));
            late.clear();
            assert!(!late.has_ref());
        }
    }
    drop(reference);
    assert!(!timer.refresh());
    log.expect([]);
}

#[test]
fn ids_mean_nothing_on_another_thread() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let timer = lp.set_timeout(ms(1), log.mark("timer"));
    let immediate = lp.set_immediate(log.mark("immediate"));
    thread::spawn(move || {
        // Even with a loop of its own there, whose ids look alike.
        let other = Loop::new().unwrap();
        let _there = other.enter();
        let own = set_timeout(ms(1), || ());
        timer.clear();
        immediate.clear();
        assert!(!timer.refresh() && !timer.has_ref() && !immediate.has_ref());
        assert!(own.has_ref());
    })
    .join()
    .unwrap();
    assert!(timer.has_ref() && immediate.has_ref());
    lp.run().unwrap();
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, ["immediate", "timer"]);
}

#[test]
fn ids_of_one_loop_do_not_meet_those_of_another() {
    let _guard = Deadline::secs(20);
    let (mut one, mut two, log) = (Loop::new().unwrap(), Loop::new().unwrap(), EventLog::new());
    let first = one.set_timeout(ms(1), log.mark("one"));
    let second = two.set_timeout(ms(1), log.mark("two"));
    assert_ne!(first, second);
    let _there = two.enter();
    clear_timeout(first);
    one.run().unwrap();
    log.expect([]);
    two.run().unwrap();
    log.expect(["two"]);
}

#[test]
fn a_stale_id_does_not_meet_what_took_its_place() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let stale = set_timeout(ms(1), || ());
    let gone = set_immediate(|| ());
    stale.clear();
    gone.clear();
    let timer = set_timeout(ms(1), log.mark("timer"));
    let heir = set_immediate(log.mark("immediate"));
    for _ in 0..3 {
        stale.clear();
        gone.clear();
        assert!(!stale.refresh() && !stale.unref().has_ref() && !gone.unref().has_ref());
    }
    assert!(timer.has_ref() && heir.has_ref());
    lp.run().unwrap();
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, ["immediate", "timer"]);
}

#[test]
fn handles_of_another_loop_of_the_thread_work_whichever_is_current() {
    let _guard = Deadline::secs(20);
    let (mut one, two, log) = (Loop::new().unwrap(), Loop::new().unwrap(), EventLog::new());
    let timer = {
        let _here = one.enter();
        Timer::new()
    };
    let _there = two.enter();
    assert_eq!(timer.loop_ref(), *one);
    let noting = log.clone();
    timer.start(ms(1), None, move |timer| noting.push(timer.loop_ref() == current())).unwrap();
    one.run().unwrap();
    log.expect(["true"]);
    let noting = log.clone();
    timer.closed().callback(move |_| noting.push("closed"));
    timer.close();
    one.run().unwrap();
    log.expect(["closed"]);
}
