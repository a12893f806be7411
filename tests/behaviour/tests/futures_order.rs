//! Where a future goes on: after each thing it can wait for, in a task and in the main future.
//!
//! ```text
//!   source           phase
//!   sleep, timeout   timers  ┐
//!   yield_now        check   │  the wake queues a microtask, and the checkpoint behind the source runs
//!   sockets          poll    ├▶ it: behind the ticks that wait, before the next callback of the phase
//!   the pool         poll    │
//!   other threads    poll    │
//!   signals, exits   poll    │
//!   closed           closing ┘
//!   another task, a channel, JoinHandle, yield_microtask: a microtask of the checkpoint that goes on
//! ```
//!
//! Where JavaScript has the same, Node is asked too, if it is installed.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io::{ErrorKind, Read};
use std::net::TcpListener as StdListener;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;

use behaviour::{Deadline, EventLog};
use futures_channel::{mpsc as channel, oneshot};
use futures_lite::StreamExt;
use futures_lite::future::yield_now as plain_self_wake;
use runtime::handle::{Check, Prepare, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Instant, sleep, sleep_until, timeout};
use runtime::{
    Builder, Clock, Loop, current, fs, ms, next_tick, queue_microtask, set_immediate, set_timeout,
    spawn, spawn_blocking, spawn_eager, yield_microtask, yield_now,
};
use tcp_support::{narrow_pair, two};

/// A loop on which nothing varies: its time does not pass by itself, its jobs are done one by one.
fn builder() -> Builder {
    Loop::builder().clock(Clock::manual()).pool_threads(1)
}

/// A callback is called, or a future goes on. What comes next tells which: the tick that a callback
/// queues runs before its microtask, the one that a microtask queues behind it.
fn happens(log: &EventLog, name: &'static str) {
    log.push(name);
    next_tick(log.mark(format!("{name}: tick")));
    queue_microtask(log.mark(format!("{name}: microtask")));
}

type Callback = Box<dyn FnOnce()>;

/// Awaits `source` between two callbacks of its kind: `start` starts one before it and one after it.
async fn in_between<S, T>(
    log: EventLog,
    start: impl Fn(Callback) -> S + 'static,
    source: impl Future<Output = T>,
) {
    let callback = |name| -> Callback {
        let log = log.clone();
        Box::new(move || happens(&log, name))
    };
    start(callback("before"));
    let after = callback("after");
    next_tick(move || drop(start(after)));
    source.await;
    happens(&log, "task");
}

/// The trace of that, if the three are done in one phase.
const BETWEEN: [&str; 9] = [
    "before",
    "before: tick",
    "before: microtask",
    "task",
    "task: microtask",
    "task: tick",
    "after",
    "after: tick",
    "after: microtask",
];

const PREPARE: &str = "-- prepare";
const CHECK: &str = "-- check";

/// Lets each iteration note what comes right before and right after poll.
fn note_phases(log: &EventLog) {
    let (prepare, check) = (Prepare::new(), Check::new());
    let noting = log.clone();
    prepare.start(move |_| noting.push(PREPARE)).unwrap();
    let noting = log.clone();
    check.start(move |_| noting.push(CHECK)).unwrap();
    prepare.unref();
    check.unref();
}

fn in_poll() -> Vec<&'static str> {
    [&[PREPARE], &BETWEEN[..], &[CHECK]].concat()
}

fn behind_check() -> Vec<&'static str> {
    [&[PREPARE, CHECK], &BETWEEN[..]].concat()
}

/// Runs `program` as the main future, as an eager task and as a spawned one, and expects the same of
/// all.
#[track_caller]
fn expect<F: Future<Output = ()> + 'static>(
    trace: impl AsRef<[&'static str]>,
    program: impl Fn(EventLog) -> F,
) {
    let _deadline = Deadline::secs(60);
    for way in ["main", "spawn_eager", "spawn"] {
        let (mut lp, log) = (builder().build().unwrap(), EventLog::new());
        lp.block_on(async {
            note_phases(&log);
            let program = program(log.clone());
            match way {
                "main" => program.await,
                "spawn_eager" => spawn_eager(program).await.unwrap(),
                _ => spawn(program).await.unwrap(),
            }
        });
        assert_eq!(log.take(), trace.as_ref(), "{way}");
    }
}

/// What the JavaScript of a test may use.
const JAVASCRIPT: &str = "
    const { setTimeout: sleep, setImmediate: yieldNow } = require('timers/promises');
    const trace = [], log = name => trace.push(name);
    process.on('exit', () => console.log(trace.join('\\n')));
    const happens = name => {
        log(name);
        process.nextTick(log, name + ': tick');
        queueMicrotask(() => log(name + ': microtask'));
    };
    const inBetween = async (start, source) => {
        start(() => happens('before'));
        process.nextTick(start, () => happens('after'));
        await source();
        happens('task');
    };
    // So that timers which are set one after the other are due together.
    const busy = ms => { for (const end = Date.now() + ms; Date.now() < end;); };
";

/// Node gives the same trace, but for the phases, which it does not show. Nothing is asserted where it
/// is not installed, or older than its version 20, the first with today's order of phases.
#[track_caller]
fn node_agrees(trace: impl AsRef<[&'static str]>, program: &str) {
    let _deadline = Deadline::secs(60);
    let node = |args: [&str; 2]| {
        let output =
            Command::new("node").args(args).env("UV_THREADPOOL_SIZE", "1").output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).ok()
    };
    let version = node(["-p", "parseInt(process.versions.node)"]);
    if version.is_none_or(|major| major.trim().parse::<u32>().unwrap() < 20) {
        return eprintln!("Node 20 is not there to be asked");
    }
    let printed = node(["-e", &format!("{JAVASCRIPT}{program}")]).unwrap();
    let expected = trace.as_ref().iter().copied().filter(|name| !name.starts_with("--"));
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "Node differs");
}

// --- after a source ---

#[test]
fn a_sleep_goes_on_between_the_timers_of_its_list() {
    let start = |callback: Callback| set_timeout(ms(1), callback);
    expect(behind_check(), move |log| in_between(log, start, sleep(ms(1))));
    node_agrees(
        BETWEEN,
        "inBetween(callback => setTimeout(callback, 1), () => sleep(1)); process.nextTick(busy, 5);",
    );
}

#[test]
fn sleep_until_and_a_timeout_go_on_where_a_sleep_would() {
    let start = |callback: Callback| set_timeout(ms(1), callback);
    expect(behind_check(), move |log| {
        in_between(log, start, async { sleep_until(Instant::now() + ms(1)).await })
    });
    expect(behind_check(), move |log| {
        in_between(log, start, async { timeout(ms(1), pending::<()>()).await.unwrap_err() })
    });
}

#[test]
fn a_timeout_of_what_is_done_goes_on_where_that_would() {
    let start = |callback: Callback| set_immediate(callback);
    expect(behind_check(), move |log| {
        in_between(log, start, async { timeout(ms(1), yield_now()).await.unwrap() })
    });
}

#[test]
fn yield_now_goes_on_between_immediates() {
    let start = |callback: Callback| set_immediate(callback);
    expect(behind_check(), move |log| in_between(log, start, yield_now()));
    node_agrees(BETWEEN, "inBetween(setImmediate, yieldNow)");
}

#[test]
fn a_read_goes_on_between_the_read_callbacks_of_other_sockets() {
    expect(in_poll(), |log| async move {
        let [before, task, after] = [two(), two(), two()];
        for (name, (stream, _)) in [("before", &before), ("after", &after)] {
            let log = log.clone();
            stream.read_start(move |_, _| happens(&log, name));
        }
        let peers = [before.1, task.1, after.1];
        next_tick(move || peers.iter().for_each(|peer| drop(peer.write("x"))));
        task.0.read(&mut [0]).await.unwrap();
        happens(&log, "task");
    });
}

#[test]
fn several_readers_of_one_socket_go_on_in_one_checkpoint_in_the_order_they_began_to_wait() {
    let trace = [PREPARE, "1", "2", "3", "microtask", "tick", CHECK];
    expect(trace, |log| async move {
        let (stream, peer) = two();
        let readers = [1, 2, 3].map(|number| {
            let (stream, log) = (stream.clone(), log.clone());
            spawn_eager(async move {
                stream.readable().await.unwrap();
                if number == 1 {
                    queue_microtask(log.mark("microtask"));
                    next_tick(log.mark("tick"));
                }
                log.push(number);
            })
        });
        peer.write("x").await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
    });
}

#[test]
fn an_accept_goes_on_between_the_connection_callbacks_of_other_listeners() {
    expect(in_poll(), |log| async move {
        let [before, task, after] = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        for (name, listener) in [("before", &before), ("after", &after)] {
            let log = log.clone();
            listener.listen(move |_, _| happens(&log, name));
        }
        let addresses = [&before, &task, &after].map(|listener| listener.local_addr().unwrap());
        next_tick(move || drop(addresses.map(|at| std::net::TcpStream::connect(at).unwrap())));
        task.accept().await.unwrap();
        happens(&log, "task");
    });
}

#[test]
fn a_connect_goes_on_between_the_callbacks_of_other_connects() {
    expect(in_poll(), |log| async move {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let started = Cell::new(0);
        let start = move |callback: Callback| {
            TcpStream::connect(address).callback(|_| callback());
            if started.replace(started.get() + 1) == 1 {
                // When they are accepted, all three are connected.
                (0..3).for_each(|_| drop(listener.accept().unwrap()));
            }
        };
        in_between(log, start, async { TcpStream::connect(address).await.unwrap() }).await;
    });
}

#[test]
fn a_write_that_had_to_wait_goes_on_between_the_callbacks_of_other_writes() {
    expect(in_poll(), |log| async move {
        let (stream, peer) = narrow_pair();
        while stream.try_write(&[0; 4096]).is_ok() {}
        let (writing, started) = (stream.clone(), Cell::new(0));
        let start = move |callback: Callback| {
            writing.write("x").callback(|_| callback());
            if started.replace(started.get() + 1) == 1 {
                empty(&peer);
            }
        };
        in_between(log, start, async { stream.write("x").await.unwrap() }).await;
    });
}

/// Reads all there is.
fn empty(mut peer: &std::net::TcpStream) {
    peer.set_nonblocking(true).unwrap();
    let would_block = loop {
        if let Err(error) = peer.read(&mut [0; 65536]) {
            break error;
        }
    };
    assert_eq!(would_block.kind(), ErrorKind::WouldBlock);
}

/// Lets `start` start jobs on the pool's only thread, and go on when the second of them, and so the one
/// of the future between them, is done.
fn with_done_jobs<S>(start: impl Fn(Callback) -> S) -> impl Fn(Callback) {
    let started = Cell::new(0);
    move |callback| {
        start(callback);
        if started.replace(started.get() + 1) == 1 {
            let (done, is_done) = mpsc::channel();
            drop(spawn_blocking(move || done.send(())));
            is_done.recv().unwrap();
        }
    }
}

#[test]
fn a_job_of_the_pool_goes_on_between_the_callbacks_of_other_jobs() {
    let start = |callback: Callback| spawn_blocking(|| ()).callback(|_| callback());
    expect(in_poll(), move |log| {
        let source = async { spawn_blocking(|| ()).await.unwrap() };
        in_between(log, with_done_jobs(start), source)
    });
}

#[test]
fn a_file_operation_goes_on_between_the_callbacks_of_others() {
    let start = |callback: Callback| fs::metadata(".").callback(|_| callback());
    expect(in_poll(), move |log| {
        let source = async { fs::metadata(".").await.unwrap() };
        in_between(log, with_done_jobs(start), source)
    });
    node_agrees(
        BETWEEN,
        "const { stat } = require('fs'), asked = require('util').promisify(stat);
        inBetween(callback => stat('.', callback), () => asked('.'))",
    );
}

/// Gives a waker of the task that awaits it to `take`, and waits for one wake.
fn woken_by(take: impl FnOnce(Waker)) -> impl Future<Output = ()> {
    let mut take = Some(take);
    poll_fn(move |cx| match take.take() {
        Some(take) => {
            take(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
}

#[test]
fn a_wake_from_another_thread_goes_on_between_what_was_posted_before_and_after_it() {
    thread_local!(static LOG: RefCell<EventLog> = RefCell::default());
    fn posted(name: &'static str) {
        let log = LOG.with_borrow(EventLog::clone);
        happens(&log, name);
    }
    expect(in_poll(), |log| async move {
        LOG.set(log.clone());
        woken_by(|waker| {
            let remote = current().remote();
            // Not from inside of this poll: a task that is woken during its poll is queued behind it.
            next_tick(move || {
                let thread = thread::spawn(move || {
                    remote.post(|| posted("before")).unwrap();
                    waker.wake();
                    remote.post(|| posted("after")).unwrap();
                });
                thread.join().unwrap();
            });
        })
        .await;
        happens(&log, "task");
    });
}

#[test]
fn what_another_thread_sends_through_a_channel_comes_in_poll() {
    let trace = [
        PREPARE,
        "task 1",
        "task 1: microtask",
        "task 1: tick",
        "task 2",
        "task 2: microtask",
        "task 2: tick",
        CHECK,
    ];
    expect(trace, |log| async move {
        let (one, first) = oneshot::channel();
        let (two, second) = oneshot::channel();
        let noting = log.clone();
        let task = spawn_eager(async move {
            first.await.unwrap();
            happens(&noting, "task 1");
        });
        let other = async move {
            second.await.unwrap();
            happens(&log, "task 2");
        };
        next_tick(move || {
            thread::spawn(move || one.send(()).and(two.send(()))).join().unwrap().unwrap()
        });
        other.await;
        task.await.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_signal_goes_on_between_the_callbacks_of_its_other_watchers() {
    use runtime::signal::{SIGUSR2, once};

    /// To this thread: it is caught when this returns.
    #[allow(unsafe_code)]
    fn raise() {
        // SAFETY: a call with a number; the signal is watched.
        assert_eq!(unsafe { libc::raise(SIGUSR2) }, 0);
    }

    expect(in_poll(), |log| async move {
        let started = Cell::new(0);
        let start = move |callback: Callback| {
            once(SIGUSR2).callback(|_| callback());
            if started.replace(started.get() + 1) == 1 {
                raise();
            }
        };
        in_between(log, start, async { once(SIGUSR2).await.unwrap() }).await;
    });
}

#[cfg(unix)]
#[test]
fn the_end_of_a_child_goes_on_between_the_callbacks_of_others_who_wait_for_it() {
    use runtime::process::Command;

    expect(in_poll(), |log| async move {
        let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
        let (waited_for, started) = (child.clone(), Cell::new(0));
        let start = move |callback: Callback| {
            waited_for.wait().callback(|_| callback());
            if started.replace(started.get() + 1) == 1 {
                waited_for.kill(libc::SIGKILL).unwrap();
            }
        };
        in_between(log, start, async { child.wait().await.unwrap() }).await;
    });
}

#[test]
fn closed_goes_on_between_the_close_callbacks_of_other_handles() {
    expect(behind_check(), |log| async move {
        let [before, task, after] = [Timer::new(), Timer::new(), Timer::new()];
        for (name, handle) in [("before", &before), ("after", &after)] {
            let log = log.clone();
            handle.closed().callback(move |_| happens(&log, name));
        }
        let closing = task.clone();
        // The last closed is told first.
        next_tick(move || [after, closing, before].iter().for_each(Timer::close));
        task.closed().await.unwrap();
        happens(&log, "task");
    });
}

// --- after another task ---

/// Lets a callback wake something by `wake`, between two microtasks that it queues.
fn wake_later(log: &EventLog, wake: impl FnOnce() + 'static) {
    let log = log.clone();
    set_immediate(move || {
        queue_microtask(log.mark("microtask 1"));
        wake();
        queue_microtask(log.mark("microtask 2"));
        next_tick(log.mark("tick"));
    });
}

fn goes_on(log: &EventLog) {
    log.push("task");
    next_tick(log.mark("task's tick"));
}

/// The trace of a task that goes on by such a wake.
const WOKEN: [&str; 7] =
    [PREPARE, CHECK, "tick", "microtask 1", "task", "microtask 2", "task's tick"];

#[test]
fn a_stored_waker_queues_the_task_where_it_is_used() {
    expect(WOKEN, |log| async move {
        let noting = log.clone();
        woken_by(move |waker| wake_later(&noting, move || waker.wake())).await;
        goes_on(&log);
    });
    node_agrees(
        WOKEN,
        "(async () => {
            await new Promise(resolve => setImmediate(() => {
                queueMicrotask(() => log('microtask 1'));
                resolve();
                queueMicrotask(() => log('microtask 2'));
                process.nextTick(log, 'tick');
            }));
            log('task');
            process.nextTick(log, `task's tick`);
        })()",
    );
}

#[test]
fn a_channel_wakes_its_receiver_where_it_is_sent_to() {
    expect(WOKEN, |log| async move {
        let (sender, receiver) = oneshot::channel();
        wake_later(&log, move || sender.send(()).unwrap());
        receiver.await.unwrap();
        goes_on(&log);
    });
    expect(WOKEN, |log| async move {
        let (sender, mut receiver) = channel::unbounded();
        wake_later(&log, move || sender.unbounded_send(()).unwrap());
        receiver.next().await.unwrap();
        goes_on(&log);
    });
}

#[test]
fn a_join_handle_goes_on_a_turn_behind_its_task() {
    let trace =
        [PREPARE, CHECK, "tick", "microtask 1", "child", "microtask 2", "task", "task's tick"];
    expect(trace, |log| async move {
        let noting = log.clone();
        let child = async move {
            let waking = noting.clone();
            woken_by(move |waker| wake_later(&waking, move || waker.wake())).await;
            noting.push("child");
        };
        spawn_eager(child).await.unwrap();
        goes_on(&log);
    });
    node_agrees(
        trace,
        "const child = async () => {
            await new Promise(resolve => setImmediate(() => {
                queueMicrotask(() => log('microtask 1'));
                resolve();
                queueMicrotask(() => log('microtask 2'));
                process.nextTick(log, 'tick');
            }));
            log('child');
        };
        (async () => {
            const task = child();
            await task;
            log('task');
            process.nextTick(log, `task's tick`);
        })()",
    );
}

#[test]
fn several_messages_are_received_in_one_turn() {
    let trace = [PREPARE, CHECK, "sent", "tick", "1", "2", "3", "microtask"];
    expect(trace, |log| async move {
        let (sender, mut receiver) = channel::unbounded();
        let sending = log.clone();
        set_immediate(move || {
            (1..=3).for_each(|number| sender.unbounded_send(number).unwrap());
            sending.push("sent");
            queue_microtask(sending.mark("microtask"));
            next_tick(sending.mark("tick"));
        });
        // What is there is not waited for.
        while let Some(number) = receiver.next().await {
            log.push(number);
        }
        yield_microtask().await;
    });
}

#[test]
fn two_tasks_that_send_to_each_other_take_a_turn_each() {
    let trace =
        ["ping 1", "pong 1", "other 1", "ping 2", "other 2", "pong 2", "other 3", "other 4"];
    expect(trace, |log| async move {
        let ((ping, mut pings), (pong, mut pongs)) = (channel::unbounded(), channel::unbounded());
        let noting = log.clone();
        let pinged = async move {
            while let Some(number) = pings.next().await {
                noting.push(format!("pong {number}"));
                pong.unbounded_send(number).unwrap();
            }
        };
        drop(spawn_eager(pinged));
        let noting = log.clone();
        let other = async move {
            for number in 1..=4 {
                yield_microtask().await;
                noting.push(format!("other {number}"));
            }
        };
        let noting = log.clone();
        let pinging = async move {
            for number in 1..=2 {
                noting.push(format!("ping {number}"));
                ping.unbounded_send(number).unwrap();
                pongs.next().await.unwrap();
            }
        };
        let (pinging, other) = (spawn(pinging), spawn(other));
        pinging.await.unwrap();
        other.await.unwrap();
    });
}

// --- whole programs ---

/// Runs `program` as the main script, with the clock that it can move, and lets Node run `javascript`.
#[track_caller]
fn expect_as_in_node<F: Future<Output = ()>>(
    trace: impl AsRef<[&'static str]>,
    program: impl FnOnce(EventLog, Clock) -> F,
    javascript: &str,
) {
    let _deadline = Deadline::secs(60);
    let (clock, log) = (Clock::manual(), EventLog::new());
    let mut lp = Loop::builder().clock(clock.clone()).build().unwrap();
    lp.block_on(program(log.clone(), clock));
    lp.run().unwrap();
    assert_eq!(log.take(), trace.as_ref());
    node_agrees(trace, javascript);
}

#[test]
fn spawn_eager_is_a_call_of_an_async_function_and_spawn_is_one_in_a_then() {
    let program = async |log: EventLog, _| {
        let three_turns = |name| {
            let log = log.clone();
            async move {
                for turn in 1..=3 {
                    log.push(format!("{name} {turn}"));
                    yield_microtask().await;
                }
            }
        };
        next_tick(log.mark("tick"));
        queue_microtask(log.mark("microtask 1"));
        let then = log.mark("spawned: done");
        spawn(three_turns("spawned")).callback(|_| then());
        let then = log.mark("eager: done");
        spawn_eager(three_turns("eager")).callback(|_| then());
        queue_microtask(log.mark("microtask 2"));
        log.push("script");
    };
    let trace = [
        "eager 1",
        "script",
        "tick",
        "microtask 1",
        "spawned 1",
        "eager 2",
        "microtask 2",
        "spawned 2",
        "eager 3",
        "spawned 3",
        "eager: done",
        "spawned: done",
    ];
    let javascript = "
        const threeTurns = async name => {
            for (let turn = 1; turn <= 3; turn++) {
                log(`${name} ${turn}`);
                await null;
            }
        };
        process.nextTick(log, 'tick');
        queueMicrotask(() => log('microtask 1'));
        Promise.resolve().then(() => threeTurns('spawned').then(() => log('spawned: done')));
        threeTurns('eager').then(() => log('eager: done'));
        queueMicrotask(() => log('microtask 2'));
        log('script');
    ";
    expect_as_in_node(trace, program, javascript);
}

#[test]
fn wakes_from_ticks_microtasks_and_tasks_keep_their_order() {
    let program = async |log: EventLog, _| {
        let wakers: [Rc<Cell<Option<Waker>>>; 4] = Default::default();
        let [a, b, c, d] = wakers.clone().map(|place| {
            move || {
                let waker: Waker = place.take().unwrap();
                waker.wake();
            }
        });
        let wakes_d = Rc::new(RefCell::new(Some(d)));
        for (name, place) in ["a", "b", "c", "d"].into_iter().zip(wakers) {
            let (log, wakes_d) = (log.clone(), wakes_d.clone());
            drop(spawn_eager(async move {
                woken_by(|waker| place.set(Some(waker))).await;
                log.push(name);
                if name == "b" {
                    wakes_d.take().unwrap()();
                }
            }));
        }
        set_immediate(move || {
            let noting = log.clone();
            queue_microtask(move || {
                noting.push("microtask");
                a();
                queue_microtask(noting.mark("microtask of a microtask"));
            });
            let noting = log.clone();
            next_tick(move || {
                noting.push("tick");
                b();
            });
            next_tick(log.mark("another tick"));
            c();
        });
    };
    let trace =
        ["tick", "another tick", "microtask", "c", "b", "a", "microtask of a microtask", "d"];
    let javascript = "
        const wake = {};
        const task = async name => {
            await new Promise(resolve => wake[name] = resolve);
            log(name);
            if (name === 'b') wake.d();
        };
        for (const name of ['a', 'b', 'c', 'd']) task(name);
        setImmediate(() => {
            queueMicrotask(() => {
                log('microtask');
                wake.a();
                queueMicrotask(() => log('microtask of a microtask'));
            });
            process.nextTick(() => {
                log('tick');
                wake.b();
            });
            process.nextTick(log, 'another tick');
            wake.c();
        });
    ";
    expect_as_in_node(trace, program, javascript);
}

#[test]
fn tasks_pass_through_timers_immediates_and_microtasks_as_async_functions_do() {
    let program = async |log: EventLog, clock: Clock| {
        let worker = |name| {
            let log = log.clone();
            async move {
                sleep(ms(1)).await;
                log.push(format!("{name} slept"));
                yield_now().await;
                log.push(format!("{name} yielded"));
                next_tick(log.mark(format!("{name}: tick")));
                yield_microtask().await;
                log.push(format!("{name} is done"));
            }
        };
        drop(spawn_eager(worker("a")));
        set_timeout(ms(1), {
            let log = log.clone();
            move || happens(&log, "timer")
        });
        let b = spawn_eager(worker("b"));
        set_immediate({
            let log = log.clone();
            move || happens(&log, "immediate")
        });
        clock.advance(ms(5));
        b.await.unwrap();
        log.push("main");
    };
    let trace = [
        "a slept",
        "timer",
        "timer: tick",
        "timer: microtask",
        "b slept",
        "immediate",
        "immediate: tick",
        "immediate: microtask",
        "a yielded",
        "a is done",
        "a: tick",
        "b yielded",
        "b is done",
        "main",
        "b: tick",
    ];
    let javascript = "
        const worker = async name => {
            await sleep(1);
            log(name + ' slept');
            await yieldNow();
            log(name + ' yielded');
            process.nextTick(log, name + ': tick');
            await null;
            log(name + ' is done');
        };
        (async () => {
            worker('a');
            setTimeout(happens, 1, 'timer');
            const b = worker('b');
            setImmediate(happens, 'immediate');
            busy(5);
            await b;
            log('main');
        })();
    ";
    expect_as_in_node(trace, program, javascript);
}

// --- the limits ---

/// Requests that are done at once: each is one operation of the budget of a poll.
async fn operations(closed: &Timer, count: usize) {
    for _ in 0..count {
        closed.closed().await.unwrap();
    }
}

/// A task that does twelve things, as the bits of `random` say.
async fn twelve_things(log: EventLog, closed: Timer, name: usize, mut random: u64) {
    for number in 0..12 {
        let mark = |what| log.mark(format!("{name}.{number}: {what}"));
        mark("begins")();
        match random & 7 {
            0 => yield_microtask().await,
            1 => yield_now().await,
            2 => plain_self_wake().await,
            3 => sleep(ms(1 + random % 3)).await,
            4 => operations(&closed, 10).await,
            5 => next_tick(mark("tick")),
            6 => queue_microtask(mark("microtask")),
            _ => {
                let child = mark("child");
                spawn(async move { child() }).await.unwrap();
            }
        }
        random >>= 3;
    }
}

/// A loop with this limit, and a handle on it that is closed.
fn limited(task_polls: usize) -> (Loop, Timer) {
    let mut lp = builder().task_polls_per_checkpoint(task_polls).build().unwrap();
    let here = lp.enter();
    let closed = Timer::new();
    closed.close();
    lp.run().unwrap();
    drop(here);
    (lp, closed)
}

/// The trace of six such tasks, and of the main future as a seventh, and how often one was deferred.
fn interleaving(seed: u64, task_polls: usize) -> (Vec<String>, u64) {
    let (mut lp, closed) = limited(task_polls);
    let log = EventLog::new();
    let mut random = seed;
    let mut next_task = |name| {
        // The first numbers of splitmix64.
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        twelve_things(log.clone(), closed.clone(), name, mixed ^ (mixed >> 27))
    };
    lp.block_on(async {
        note_phases(&log);
        let tasks: Vec<_> = (1..=6).map(|name| spawn(next_task(name))).collect();
        next_task(7).await;
        for task in tasks {
            task.await.unwrap();
        }
    });
    (log.take(), lp.metrics().deferrals)
}

/// The smallest limit under which no task is deferred: the most polls that a checkpoint has.
fn just_enough(seed: u64) -> usize {
    let (mut too_few, mut enough) = (0, 4096);
    while enough - too_few > 1 {
        let middle = (too_few + enough) / 2;
        match interleaving(seed, middle).1 {
            0 => enough = middle,
            _ => too_few = middle,
        }
    }
    enough
}

#[test]
fn a_program_has_one_trace_whatever_the_limit_as_long_as_it_is_within_it() {
    let _deadline = Deadline::secs(60);
    for seed in 1..=100 {
        let by_default = interleaving(seed, 4096);
        assert_eq!(by_default.1, 0, "seed {seed} is within the limits");
        assert_eq!(interleaving(seed, 4096), by_default, "seed {seed} is not deterministic");
        assert_eq!(interleaving(seed, usize::MAX), by_default, "seed {seed}, no limit");
        let limit = just_enough(seed);
        assert_eq!(interleaving(seed, limit), by_default, "seed {seed}, limit {limit}");
        assert!(limit < 100, "far from the default");
    }
}

#[test]
fn a_program_over_the_limit_does_the_same_things_later() {
    let _deadline = Deadline::secs(60);
    let things = |seed, limit| {
        let (mut trace, deferrals) = interleaving(seed, limit);
        trace.retain(|thing| !thing.starts_with("--"));
        trace.sort();
        (trace, deferrals)
    };
    for seed in 1..=100 {
        let by_default = things(seed, 4096).0;
        for limit in [1, 2, just_enough(seed) - 1] {
            let (limited, deferrals) = things(seed, limit);
            assert!(deferrals > 0, "seed {seed}, limit {limit}");
            assert_eq!(limited, by_default, "seed {seed}, limit {limit}");
        }
    }
}

/// The trace of two tasks that do `between` twice between other things.
fn two_tasks_that_do(between: impl AsyncFn(&Timer) + Copy + 'static) -> Vec<String> {
    let (mut lp, closed) = limited(4096);
    let (log, _here) = (EventLog::new(), lp.enter());
    for name in ["a", "b"] {
        let (log, closed) = (log.clone(), closed.clone());
        drop(spawn(async move {
            for turn in 1..=2 {
                log.push(format!("{name} {turn}"));
                next_tick(log.mark(format!("{name} {turn}: tick")));
                between(&closed).await;
                queue_microtask(log.mark(format!("{name} {turn}: microtask")));
                yield_microtask().await;
            }
            log.push(format!("{name} is done"));
        }));
    }
    set_immediate(log.mark("immediate"));
    lp.run().unwrap();
    log.take()
}

#[test]
fn operations_within_the_budget_of_a_poll_do_not_change_the_order() {
    let _deadline = Deadline::secs(60);
    let none = two_tasks_that_do(async |_| ());
    assert_eq!(two_tasks_that_do(async |closed| operations(closed, 1).await), none);
    assert_eq!(two_tasks_that_do(async |closed| operations(closed, 128).await), none);
    assert_ne!(two_tasks_that_do(async |closed| operations(closed, 129).await), none);
}

#[test]
fn self_wakes_within_their_limit_are_turns_like_others() {
    let _deadline = Deadline::secs(60);
    fn plain_and_yielding<const TURNS: usize>() -> [Vec<String>; 2] {
        let plain = two_tasks_that_do(async |_| {
            for _ in 0..TURNS {
                plain_self_wake().await;
            }
        });
        let yielding = two_tasks_that_do(async |_| {
            for _ in 0..TURNS {
                yield_microtask().await;
            }
        });
        [plain, yielding]
    }
    let [plain, yielding] = plain_and_yielding::<32>();
    assert_eq!(plain, yielding, "64 in the checkpoint");
    let [plain, yielding] = plain_and_yielding::<33>();
    assert_ne!(plain, yielding, "66 in the checkpoint");
}
