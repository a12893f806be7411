//! Requests that end with a signal: what is stopped, who is told and when, and what is left behind.

mod loop_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Waker};

use behaviour::{Deadline, EventLog};
use loop_support::real;
use runtime::net::{TcpListener, TcpStream};
use runtime::sync::{AbortController, AbortSignal, Aborted};
use runtime::{
    Cancelled, JoinError, JoinHandle, Loop, LoopGone, Pool, Request, RequestId, dns, fs, ms,
    next_tick, on_unhandled, queue_microtask, secs, set_immediate, set_timeout, spawn,
    spawn_blocking,
};

/// A controller and its signal.
fn pair() -> (AbortController, AbortSignal) {
    let controller = AbortController::new();
    let signal = controller.signal();
    (controller, signal)
}

fn aborted() -> AbortSignal {
    let (controller, signal) = pair();
    controller.abort();
    signal
}

/// How many listeners and followers a signal has, as it says itself.
fn counts(signal: &AbortSignal) -> String {
    let text = format!("{signal:?}");
    text[text.find("listeners").unwrap()..].trim_end_matches(" }").to_owned()
}

const NONE: &str = "listeners: 0, followers: 0";

/// A loop with one thread for its jobs, and that thread busy until the sender is used or dropped.
fn with_a_busy_pool() -> (Loop, EventLog, Sender<()>, Deadline) {
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let here = lp.enter();
    let go = block_a_thread();
    drop(here);
    (lp, EventLog::new(), go, Deadline::secs(20))
}

fn block_a_thread() -> Sender<()> {
    let (go, may_go) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    drop(spawn_blocking(move || {
        started.send(()).unwrap();
        may_go.recv().ok();
    }));
    has_started.recv().unwrap();
    go
}

/// A directory that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("runtime-{}-abort-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// What a result says.
fn said<T>(result: &io::Result<T>) -> String {
    match result {
        Ok(_) => "done".into(),
        Err(error) if Aborted::is_in(error) => "aborted".into(),
        Err(error) if Cancelled::is_in(error) => "cancelled".into(),
        Err(error) if LoopGone::is_in(error) => "loop gone".into(),
        Err(error) => format!("{error}"),
    }
}

/// A request's callback that notes `name` and how it went.
fn outcome<T>(log: &EventLog, name: &'static str) -> impl FnOnce(io::Result<T>) + 'static {
    let log = log.clone();
    move |result| log.push(format!("{name}: {}", said(&result)))
}

/// A task that notes the same.
fn awaiting<T: 'static>(log: &EventLog, name: &'static str, request: Request<T>) {
    let log = log.clone();
    drop(spawn(async move { outcome(&log, name)(request.await) }));
}

/// A file that is there, to be read.
fn some_file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
}

// --- before ---

#[test]
fn what_is_aborted_before_has_no_effect_and_is_told_later() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let scratch = Scratch::new("before");
    let signal = aborted();
    fs::write(scratch.file("by callback"), "x").abort_on(&signal).callback(outcome(&log, "write"));
    awaiting(&log, "read", fs::read(some_file()).abort_on(&signal));
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["read: aborted", "write: aborted"]);
    go.send(()).unwrap();
    lp.run().unwrap();
    assert!(!scratch.file("by callback").exists());
    assert_eq!(counts(&signal), NONE);
}

#[test]
fn what_is_aborted_before_belongs_to_its_own_loop() {
    use runtime::handle::Timer;
    let (mut lp, log, guards) = real();
    let timer = Timer::new();
    let closed = timer.closed();
    drop(guards);
    // No loop is the current one here.
    closed.abort_on(&aborted()).callback(outcome(&log, "closed"));
    log.expect([]);
    lp.run().unwrap();
    log.expect(["closed: aborted"]);
}

#[test]
fn a_result_that_is_there_already_wins() {
    let (mut lp, log, _guards) = real();
    let signal = aborted();
    let mut read = fs::read(some_file());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut read).poll(&mut cx).is_pending());
    lp.run().unwrap();
    awaiting(&log, "read", read.abort_on(&signal));
    lp.run().unwrap();
    log.expect(["read: done"]);
}

// --- order ---

#[test]
fn a_task_goes_on_in_a_microtask_and_a_callback_is_called_in_the_pending_phase() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    signal.on_abort(log.mark("first listener"));
    awaiting(&log, "task", fs::read(some_file()).abort_on(&signal));
    fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "callback"));
    signal.on_abort(log.mark("last listener"));
    set_immediate({
        let log = log.clone();
        move || {
            queue_microtask(log.mark("microtask before"));
            next_tick(log.mark("tick"));
            controller.abort();
            log.push("end of abort");
            queue_microtask(log.mark("microtask after"));
            set_immediate(log.mark("check"));
        }
    });
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    log.expect([
        "first listener",
        "last listener",
        "end of abort",
        "tick",
        "microtask before",
        "task: aborted",
        "microtask after",
        "callback: aborted",
        "check",
    ]);
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect([]);
    assert_eq!(counts(&signal), NONE);
}

#[test]
fn an_unaborted_request_is_told_in_its_own_phase() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let connecting = TcpStream::connect(server.local_addr().unwrap()).abort_on(&signal);
    let told = log.clone();
    connecting.callback(move |connected| {
        outcome(&told, "connected")(connected);
        set_immediate(told.mark("check"));
        next_tick(told.mark("tick"));
        queue_microtask(told.mark("microtask"));
    });
    assert_ne!(counts(&signal), NONE);
    lp.run().unwrap();
    log.expect(["connected: done", "tick", "microtask", "check"]);
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    lp.run().unwrap();
    log.expect([]);
}

// --- two names for one thing ---

#[test]
fn the_id_of_an_abortable_request_cancels_it() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (_controller, signal) = pair();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let read = fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "read"));
    let connect = TcpStream::connect(server.local_addr().unwrap())
        .abort_on(&signal)
        .callback(outcome(&log, "connect"));
    let kept = fs::read(some_file()).abort_on(&signal);
    assert!(kept.cancel());
    assert!(!kept.cancel());
    kept.callback(outcome(&log, "kept"));
    assert!(read.cancel() && connect.cancel());
    assert!(!read.cancel() && !connect.cancel());
    go.send(()).unwrap();
    lp.run().unwrap();
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["connect: cancelled", "kept: cancelled", "read: cancelled"]);
    assert_eq!(counts(&signal), NONE);
}

#[test]
fn an_aborted_request_can_not_be_cancelled_and_has_a_dead_id() {
    let (lp, _log, _go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    let read = fs::read(some_file()).abort_on(&signal);
    let id: RequestId = read.id();
    controller.abort();
    assert!(!read.cancel() && !id.cancel() && !read.id().cancel());
}

#[test]
fn of_two_signals_the_first_one_ends_it_and_leaves_nothing_with_the_other() {
    for first in [0, 1] {
        let (mut lp, log, go, _guard) = with_a_busy_pool();
        let _here = lp.enter();
        let pairs = [pair(), pair()];
        let both = |request: Request<Vec<u8>>| request.abort_on(&pairs[0].1).abort_on(&pairs[1].1);
        both(fs::read(some_file())).callback(outcome(&log, "callback"));
        awaiting(&log, "task", both(fs::read(some_file())));
        drop(both(fs::read(some_file())));
        pairs[first].0.abort();
        queue_microtask(log.mark("microtask"));
        lp.run_nowait().unwrap();
        // The task's first poll comes first.
        log.expect(["task: aborted", "microtask", "callback: aborted"]);
        assert_eq!(pairs.each_ref().map(|(_, signal)| counts(signal)), [NONE, NONE]);
        pairs[1 - first].0.abort();
        go.send(()).unwrap();
        lp.run().unwrap();
        log.expect([]);
    }
}

#[test]
fn a_waiting_task_is_woken_at_once_by_each_of_two_signals() {
    for first in [0, 1] {
        let (mut lp, log, go, _guard) = with_a_busy_pool();
        let _here = lp.enter();
        let pairs = [pair(), pair()];
        let read = fs::read(some_file()).abort_on(&pairs[0].1).abort_on(&pairs[1].1);
        awaiting(&log, "task", read);
        lp.run_nowait().unwrap();
        let abort = pairs[first].0.clone();
        set_immediate({
            let log = log.clone();
            move || {
                abort.abort();
                queue_microtask(log.mark("microtask"));
                log.push("aborted");
            }
        });
        lp.run_nowait().unwrap();
        log.expect(["aborted", "task: aborted", "microtask"]);
        go.send(()).unwrap();
        lp.run().unwrap();
    }
}

// --- re-entrancy ---

#[test]
fn an_abort_in_the_requests_own_callback_does_nothing_to_it() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    fs::read(some_file()).abort_on(&signal).callback({
        let (log, controller, signal) = (log.clone(), controller.clone(), signal.clone());
        move |read| {
            outcome(&log, "own")(read);
            assert_eq!(counts(&signal), NONE);
            controller.abort();
        }
    });
    lp.run().unwrap();
    log.expect(["own: done"]);
}

#[test]
fn an_abort_may_drop_make_and_abort_other_requests() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    let victim = Rc::new(RefCell::new(None));
    signal.on_abort({
        let (log, signal, victim) = (log.clone(), signal.clone(), victim.clone());
        move || {
            drop(victim.take());
            fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "late"));
        }
    });
    *victim.borrow_mut() = Some(fs::read(some_file()).abort_on(&signal));
    awaiting(&log, "behind", fs::read(some_file()).abort_on(&signal));
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["behind: aborted", "late: aborted"]);
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect([]);
}

#[test]
fn a_job_whose_drop_panics_when_it_is_taken_back_is_aborted_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    let bomb = Bomb;
    let job = spawn_blocking(move || {
        let _held = &bomb;
        std::mem::forget(bomb);
    });
    let job = job.abort_on(&signal);
    let told = log.clone();
    job.callback(move |result| told.push(format!("job: {}", result.is_err())));
    signal.on_abort(log.mark("next listener"));
    controller.abort();
    log.expect(["next listener"]);
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lp.run()));
    assert!(thrown.is_err());
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect(["job: true"]);
}

// --- what is dropped, and who goes ---

#[test]
fn a_dropped_request_leaves_the_line_and_its_effect_is_carried_out() {
    let (mut lp, _log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let scratch = Scratch::new("dropped");
    let (controller, signal) = pair();
    drop(fs::write(scratch.file("written"), "x").abort_on(&signal));
    drop(fs::read(some_file()).abort_on(&signal));
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    go.send(()).unwrap();
    lp.run().unwrap();
    assert_eq!(std::fs::read(scratch.file("written")).unwrap(), b"x");
}

#[test]
fn a_detached_request_reports_that_it_was_aborted() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let scratch = Scratch::new("detached");
    let (controller, signal) = pair();
    let told = log.clone();
    on_unhandled(move |thrown| told.push(thrown.to_string()));
    fs::write(scratch.file("unwritten"), "").abort_on(&signal).detach();
    controller.abort();
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect(["the operation was aborted"]);
}

#[test]
fn without_its_controller_a_request_goes_on() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "read"));
    drop(controller);
    fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "later"));
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect(["read: done", "later: done"]);
}

#[test]
fn a_loop_that_goes_ends_what_is_under_way_and_the_signal_stays_usable() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let (controller, signal) = pair();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = lp.enter();
    let connect = || TcpStream::connect(server.local_addr().unwrap()).abort_on(&signal);
    fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "callback"));
    connect().callback(outcome(&log, "connect"));
    let mut read = fs::read(some_file()).abort_on(&signal);
    let mut connecting = connect();
    lp.run_nowait().unwrap();
    drop(here);
    log.take();
    drop(lp);
    drop(go);
    let mut cx = Context::from_waker(Waker::noop());
    let polled = Pin::new(&mut read).poll(&mut cx).map(|result| said(&result));
    assert_eq!(polled, std::task::Poll::Ready("loop gone".into()));
    let polled = Pin::new(&mut connecting).poll(&mut cx);
    assert!(polled.is_ready());
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    log.expect([]);
}

// --- fs ---

#[test]
fn queued_reads_and_writes_are_taken_back() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let scratch = Scratch::new("queued");
    let (controller, signal) = pair();
    let file = |name| scratch.file(name);
    fs::write(file("one"), "x").abort_on(&signal).callback(outcome(&log, "write"));
    awaiting(&log, "write by task", fs::write(file("two"), "x").abort_on(&signal));
    fs::read(some_file()).abort_on(&signal).callback(outcome(&log, "read"));
    awaiting(&log, "read by task", fs::read(some_file()).abort_on(&signal));
    lp.run_nowait().unwrap();
    log.expect([]);
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect([
        "write by task: aborted",
        "read by task: aborted",
        "write: aborted",
        "read: aborted",
    ]);
    go.send(()).unwrap();
    lp.run().unwrap();
    assert!(!file("one").exists() && !file("two").exists());
    log.expect([]);
}

/// Nobody waits for the writer of a FIFO: a read of it runs as long as the test wants.
#[cfg(unix)]
#[test]
fn a_read_that_runs_ends_at_once_for_who_waits_and_lets_the_loop_end() {
    let (mut lp, log, guards) = real();
    let scratch = Scratch::new("fifo");
    let fifo = scratch.file("fifo");
    make_fifo(&fifo);
    let (controller, signal) = pair();
    awaiting(&log, "task", fs::read(&fifo).abort_on(&signal));
    fs::read(&fifo).abort_on(&signal).callback(outcome(&log, "callback"));
    let (opened, is_open) = mpsc::channel();
    // Opens when a read has opened its end: then that runs. It stays open, so that none ends by itself.
    let (close, may_close) = mpsc::channel::<()>();
    let at = fifo.clone();
    let writer = std::thread::spawn(move || {
        let file = std::fs::OpenOptions::new().write(true).open(at).unwrap();
        opened.send(()).unwrap();
        may_close.recv().ok();
        drop(file);
    });
    lp.run_nowait().unwrap();
    is_open.recv().unwrap();
    controller.abort();
    lp.run().unwrap();
    log.expect(["task: aborted", "callback: aborted"]);
    drop(close);
    writer.join().unwrap();
    drop((lp, guards));
}

#[cfg(unix)]
fn make_fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// An effect that runs is not stopped, and keeps the loop alive, as one whose request was dropped.
#[cfg(unix)]
#[test]
fn a_write_that_runs_goes_on_and_keeps_the_loop_alive() {
    use std::io::Read;
    let (mut lp, log, guards) = real();
    let scratch = Scratch::new("running-write");
    let fifo = scratch.file("fifo");
    make_fifo(&fifo);
    let (controller, signal) = pair();
    fs::write(&fifo, "all of it").abort_on(&signal).callback(outcome(&log, "write"));
    // Opens when the write has opened its end.
    let mut reader = std::fs::File::open(&fifo).unwrap();
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["write: aborted"]);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all of it");
    lp.run().unwrap();
    log.expect([]);
    drop((lp, guards));
}

// --- connect ---

#[test]
fn a_name_that_waits_to_be_looked_up_is_not_looked_up() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    TcpStream::connect("name.invalid:1").abort_on(&signal).callback(outcome(&log, "callback"));
    awaiting(&log, "task", TcpStream::connect("name.invalid:1").abort_on(&signal));
    dns::lookup("name.invalid").abort_on(&signal).callback(outcome(&log, "lookup"));
    awaiting(&log, "reverse", dns::reverse([192, 0, 2, 1]).abort_on(&signal));
    lp.run_nowait().unwrap();
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["task: aborted", "reverse: aborted", "callback: aborted", "lookup: aborted"]);
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect([]);
}

#[test]
fn an_aborted_connect_closes_its_socket_at_once() {
    use std::io::Read;
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    TcpStream::connect(address).abort_on(&signal).callback(outcome(&log, "one"));
    TcpStream::connect(&[address, address][..]).abort_on(&signal).callback(outcome(&log, "race"));
    controller.abort();
    for _ in 0..2 {
        let (mut peer, _) = server.accept().unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
    log.expect([]);
    lp.run().unwrap();
    log.expect(["one: aborted", "race: aborted"]);
}

// --- jobs and tasks ---

#[test]
fn a_task_is_aborted_with_its_signal() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let task = spawn(std::future::pending::<()>()).abort_on(&signal);
    let told = log.clone();
    task.callback(move |result| told.push(format!("{:?}", result.unwrap_err())));
    let awaited = spawn(std::future::pending::<()>()).abort_on(&signal);
    let told = log.clone();
    drop(spawn(async move { told.push(format!("awaited {:?}", awaited.await.unwrap_err())) }));
    lp.run_nowait().unwrap();
    controller.abort();
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["Cancelled", "awaited Cancelled"]);
    assert_eq!(counts(&signal), NONE);
    // Aborted already.
    let task = spawn(async { unreachable!("aborted before its first turn") }).abort_on(&signal);
    assert!(matches!(lp.block_on(task), Err::<(), _>(JoinError::Cancelled)));
}

#[test]
fn a_task_that_is_done_leaves_its_signal() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let mut awaited = spawn(async { 1 }).abort_on(&signal);
    spawn(async { 2 }).abort_on(&signal).callback({
        let (log, signal) = (log.clone(), signal.clone());
        move |_| log.push(counts(&signal))
    });
    assert_eq!(counts(&signal), "listeners: 2, followers: 0");
    spawn(async { Ok::<(), io::Error>(()) }).abort_on(&signal).detach();
    let unawaited = spawn(async { 3 }).abort_on(&signal);
    drop(spawn(async { 4 }).abort_on(&signal));
    assert_eq!(lp.block_on(&mut awaited).unwrap(), 1);
    lp.run().unwrap();
    // In its own callback: without itself.
    log.expect(["listeners: 2, followers: 0"]);
    assert_eq!(counts(&signal), "listeners: 1, followers: 0");
    // Its result is there: it stays.
    controller.abort();
    assert_eq!(lp.block_on(unawaited).unwrap(), 3);
    assert_eq!(counts(&signal), NONE);
}

#[test]
fn a_dropped_handle_unties_the_task() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let told = log.clone();
    drop(spawn(async move { told.push("done") }).abort_on(&signal));
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    lp.run().unwrap();
    log.expect(["done"]);
}

#[test]
fn a_task_tied_to_two_signals_ends_with_the_first() {
    for first in [0, 1] {
        let (mut lp, _log, _guards) = real();
        let pairs = [pair(), pair()];
        let task = spawn(std::future::pending::<()>()).abort_on(&pairs[0].1).abort_on(&pairs[1].1);
        pairs[first].0.abort();
        assert!(lp.block_on(task).is_err());
        assert_eq!(pairs.each_ref().map(|(_, signal)| counts(signal)), [NONE, NONE]);
    }
}

#[test]
fn a_task_may_abort_its_own_signal_and_a_signal_may_outlive_the_loop() {
    let (mut lp, log, guards) = real();
    let (controller, signal) = pair();
    let own = controller.clone();
    let task = spawn(async move {
        own.abort();
        std::future::pending::<()>().await;
    });
    assert!(lp.block_on(task.abort_on(&signal)).is_err());
    let (controller, signal) = pair();
    let task = spawn(std::future::pending::<()>()).abort_on(&signal);
    lp.run_nowait().unwrap();
    drop((guards, lp));
    controller.abort();
    assert!(task.is_finished());
    drop(task);
    assert_eq!(counts(&signal), NONE);
    log.expect([]);
}

#[test]
fn a_queued_job_is_taken_back_and_one_that_runs_is_told_by_its_flag() {
    let (mut lp, log, go, _guard) = with_a_busy_pool();
    let _here = lp.enter();
    let (controller, signal) = pair();
    let queued = spawn_blocking(|| unreachable!("it never begins")).abort_on(&signal);
    controller.abort();
    go.send(()).unwrap();
    assert!(matches!(lp.block_on(queued), Err::<(), _>(JoinError::Cancelled)));

    let (controller, signal) = pair();
    let (running, started) = cooperative(&signal);
    started.recv().unwrap();
    controller.abort();
    assert!(matches!(lp.block_on(running), Ok(Err(Aborted))));
    assert_eq!(counts(&signal), NONE);
    log.expect([]);
}

#[test]
fn a_hundred_thousand_jobs_are_tied_to_a_signal_in_no_time() {
    let (mut lp, _log, _guards) = real();
    let (_controller, signal) = pair();
    let done = Rc::new(Cell::new(0));
    // The loop hears of none before all are tied: the longer the line of those that are done, the longer would
    // a look through it take for each.
    for _ in 0..100_000 {
        let done = done.clone();
        spawn_blocking(|| ()).abort_on(&signal).callback(move |_| done.set(done.get() + 1));
    }
    lp.run().unwrap();
    assert_eq!(done.get(), 100_000);
    assert_eq!(counts(&signal), NONE);
}

/// A job that ends when it is told to, and says when it has begun.
fn cooperative(signal: &AbortSignal) -> (JoinHandle<Result<(), Aborted>>, Receiver<()>) {
    let (start, started) = mpsc::channel();
    let flag = signal.flag();
    let job = spawn_blocking(move || {
        start.send(()).unwrap();
        loop {
            flag.check()?;
            std::thread::yield_now();
        }
    });
    (job.abort_on(signal), started)
}

#[test]
fn a_wait_for_room_is_given_up_and_its_room_is_the_next_ones() {
    let (mut lp, log, _guards) = real();
    let pool = Pool::new(1);
    pool.set_queue_limit(0);
    let (go, may_go) = mpsc::channel::<()>();
    let (controller, signal) = pair();
    drop(pool.spawn_blocking(move || may_go.recv().ok()));
    pool.reserve().abort_on(&signal).callback(outcome(&log, "one"));
    awaiting(&log, "two", pool.reserve().abort_on(&signal));
    pool.reserve().callback(outcome(&log, "three"));
    lp.run_nowait().unwrap();
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["two: aborted", "one: aborted"]);
    go.send(()).unwrap();
    lp.run().unwrap();
    log.expect(["three: done"]);
    assert_eq!(counts(&signal), NONE);
}

// --- flags ---

#[test]
fn a_flag_is_set_before_the_listeners_are_called_also_of_what_follows() {
    let (controller, signal) = pair();
    let any = AbortSignal::any([&signal]);
    let flags = [signal.flag(), any.flag(), any.flag().clone()];
    signal.on_abort({
        let flags = flags.clone();
        move || assert!(flags.iter().all(|flag| flag.is_aborted()))
    });
    assert!(flags.iter().all(|flag| flag.check() == Ok(())));
    controller.abort();
    assert!(flags.iter().all(|flag| flag.check() == Err(Aborted)));
    let late = [signal.flag(), any.flag(), AbortSignal::any([&signal]).flag()];
    assert!(late.iter().all(|flag| flag.is_aborted()));
    assert_eq!(format!("{:?}", late[0]), "AbortFlag { is_aborted: true }");
}

#[test]
fn a_flag_keeps_its_signal_and_says_what_was_written_before() {
    let (mut lp, _log, _guards) = real();
    let flag = AbortSignal::timeout(ms(1)).flag();
    let (controller, signal) = pair();
    let of_any = AbortSignal::any([&signal, &AbortSignal::timeout(secs(3600))]).flag();
    drop(signal);
    let job = spawn_blocking(move || {
        while !flag.is_aborted() {
            std::thread::yield_now();
        }
    });
    lp.block_on(job).unwrap();
    controller.abort();
    assert!(of_any.is_aborted());
}

#[test]
fn flags_that_are_gone_leave_little_with_a_long_lived_signal() {
    let (_lp, _log, _guards) = real();
    let (controller, signal) = pair();
    for _ in 0..10_000 {
        drop(AbortSignal::any([&signal]).flag());
    }
    let text = format!("{signal:?}");
    let followers: usize = text.trim_end_matches(" }").rsplit(' ').next().unwrap().parse().unwrap();
    assert!(followers <= 32, "{text}");
    let kept: Vec<_> = (0..100).map(|_| AbortSignal::any([&signal]).flag()).collect();
    controller.abort();
    assert!(kept.iter().all(|flag| flag.is_aborted()));
}

#[test]
fn without_a_controller_a_flag_is_never_set() {
    let (controller, signal) = pair();
    let flag = signal.flag();
    drop(controller);
    assert!(!flag.is_aborted() && !signal.flag().is_aborted());
}

// --- the matrix ---

/// When it is aborted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Before,
    During,
    After,
}

/// One kind of operation.
trait Kind {
    /// Begins. It says `done` after `release`, or by itself if it `ends`.
    fn begin(&mut self, signal: &AbortSignal, ends: bool) -> Box<dyn Faces>;
    fn release(&mut self) {}
}

/// Either face can be had of it.
trait Faces {
    fn by_callback(self: Box<Self>, log: EventLog);
    fn by_task(self: Box<Self>, log: EventLog);
}

impl<T: 'static> Faces for Request<T> {
    fn by_callback(self: Box<Self>, log: EventLog) {
        self.callback(move |result| log.push(said(&result)));
    }

    fn by_task(self: Box<Self>, log: EventLog) {
        drop(spawn(async move { log.push(said(&self.await)) }));
    }
}

impl<T: 'static + Debug> Faces for JoinHandle<T> {
    fn by_callback(self: Box<Self>, log: EventLog) {
        self.callback(move |result| log.push(of_join(&result)));
    }

    fn by_task(self: Box<Self>, log: EventLog) {
        drop(spawn(async move { log.push(of_join(&self.await)) }));
    }
}

fn of_join<T: Debug>(result: &Result<T, JoinError>) -> String {
    match result {
        // A job that was told by its flag.
        Ok(output) if format!("{output:?}").contains("Aborted") => "aborted".into(),
        Ok(_) => "done".into(),
        Err(JoinError::Cancelled) => "aborted".into(),
        Err(error) => error.to_string(),
    }
}

/// What waits in the pool's line until it is released.
struct InThePool<F>(Option<Sender<()>>, F);

impl<F: Fn(&AbortSignal) -> Box<dyn Faces>> InThePool<F> {
    fn new(begin: F) -> Box<Self> {
        Box::new(Self(None, begin))
    }
}

impl<F: Fn(&AbortSignal) -> Box<dyn Faces>> Kind for InThePool<F> {
    fn begin(&mut self, signal: &AbortSignal, _: bool) -> Box<dyn Faces> {
        self.0.get_or_insert_with(block_a_thread);
        (self.1)(signal)
    }

    fn release(&mut self) {
        self.0 = None;
    }
}

/// What ends by itself when the loop runs.
struct ByItself<F>(F);

impl<F: Fn(&AbortSignal, bool) -> Box<dyn Faces>> Kind for ByItself<F> {
    fn begin(&mut self, signal: &AbortSignal, ends: bool) -> Box<dyn Faces> {
        (self.0)(signal, ends)
    }
}

/// A job that runs, looks at its flag, and is released by a channel.
#[derive(Default)]
struct Running(Vec<Sender<()>>);

impl Kind for Running {
    fn begin(&mut self, signal: &AbortSignal, _: bool) -> Box<dyn Faces> {
        let (release, released) = mpsc::channel::<()>();
        let flag = signal.flag();
        self.0.push(release);
        let job = spawn_blocking(move || {
            while released.try_recv() == Err(mpsc::TryRecvError::Empty) {
                flag.check()?;
                std::thread::yield_now();
            }
            Ok::<(), Aborted>(())
        });
        Box::new(job.abort_on(signal))
    }

    fn release(&mut self) {
        self.0.clear();
    }
}

/// All kinds, with their names.
fn kinds(scratch: &Rc<Scratch>) -> Vec<(&'static str, Box<dyn Kind>)> {
    let server = Rc::new(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = server.local_addr().unwrap();
    let [one, two, three] = std::array::from_fn(|_| server.clone());
    let mut kinds: Vec<(&'static str, Box<dyn Kind>)> = vec![
        (
            "sleep",
            Box::new(ByItself(|signal: &AbortSignal, ends: bool| -> Box<dyn Faces> {
                let (signal, time) = (signal.clone(), if ends { ms(1) } else { secs(3600) });
                Box::new(spawn(async move { signal.race(runtime::time::sleep(time)).await }))
            })),
        ),
        ("read", InThePool::new(|signal| Box::new(fs::read(some_file()).abort_on(signal)))),
        (
            "write",
            InThePool::new({
                let scratch = scratch.clone();
                move |signal| Box::new(fs::write(scratch.file("x"), "x").abort_on(signal))
            }),
        ),
        ("lookup", InThePool::new(|signal| Box::new(dns::lookup("localhost").abort_on(signal)))),
        ("queued job", InThePool::new(|s| Box::new(spawn_blocking(|| 1).abort_on(s)))),
        ("running job", Box::new(Running::default())),
        (
            "connect",
            Box::new(ByItself(move |signal: &AbortSignal, _| -> Box<dyn Faces> {
                let _held = &one;
                Box::new(TcpStream::connect(address).abort_on(signal))
            })),
        ),
        (
            "race",
            Box::new(ByItself(move |signal: &AbortSignal, _| -> Box<dyn Faces> {
                let _held = &two;
                let both = [address, address];
                Box::new(TcpStream::connect(&both[..]).abort_on(signal))
            })),
        ),
        (
            "name",
            Box::new(ByItself(move |signal: &AbortSignal, _| -> Box<dyn Faces> {
                let _held = &three;
                let name = ("localhost", address.port());
                Box::new(TcpStream::connect(name).abort_on(signal))
            })),
        ),
    ];
    #[cfg(unix)]
    kinds.extend(unix_kinds(scratch));
    kinds
}

#[cfg(unix)]
fn unix_kinds(scratch: &Rc<Scratch>) -> Vec<(&'static str, Box<dyn Kind>)> {
    use runtime::net::UnixStream;
    use runtime::process::Command;
    let path = scratch.file("socket");
    let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    fn child(ends: bool) -> Command {
        let mut command = Command::new("sleep");
        command.arg(if ends { "0" } else { "1000" });
        command
    }
    vec![
        (
            "unix connect",
            Box::new(ByItself(move |signal: &AbortSignal, _| -> Box<dyn Faces> {
                let _held = &server;
                Box::new(UnixStream::connect(&path).abort_on(signal))
            })),
        ),
        (
            "output",
            Box::new(ByItself(|signal: &AbortSignal, ends| -> Box<dyn Faces> {
                Box::new(child(ends).abort_on(signal).output())
            })),
        ),
        (
            "status",
            Box::new(ByItself(|signal: &AbortSignal, ends| -> Box<dyn Faces> {
                Box::new(child(ends).abort_on(signal).status())
            })),
        ),
        ("wait", Box::new(Child(None))),
    ]
}

/// A child that is waited for by a request: the wait is aborted, the child is not.
#[cfg(unix)]
struct Child(Option<runtime::process::Process>);

#[cfg(unix)]
impl Kind for Child {
    fn begin(&mut self, signal: &AbortSignal, _: bool) -> Box<dyn Faces> {
        let child = runtime::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let waiting = child.wait().abort_on(signal);
        self.0 = Some(child);
        Box::new(waiting)
    }

    fn release(&mut self) {
        if let Some(child) = self.0.take() {
            child.kill(9).expect("it was not killed");
        }
    }
}

/// What aborts: a controller itself, what follows it, and a timeout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Controller,
    Follower,
    Timeout,
}

#[test]
fn every_operation_ends_as_it_should_whenever_it_is_aborted() {
    let _guard = Deadline::secs(120);
    let scratch = Rc::new(Scratch::new("matrix"));
    for (name, mut kind) in kinds(&scratch) {
        for by in [By::Controller, By::Follower, By::Timeout] {
            for when in [When::Before, When::During, When::After] {
                let is_quick = ["connect", "race", "name", "unix connect"].contains(&name);
                if is_quick && by == By::Timeout && when == When::During {
                    // No timer is as fast as these.
                    continue;
                }
                for by_task in [false, true] {
                    let case = format!("{name}, {by:?}, {when:?}, by task: {by_task}");
                    one_case(&case, &mut *kind, by, when, by_task);
                }
            }
        }
    }
}

fn one_case(case: &str, kind: &mut dyn Kind, by: By, when: When, by_task: bool) {
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let _here = lp.enter();
    let log = EventLog::new();
    let (controller, own) = pair();
    let is_timeout = by == By::Timeout;
    // Long after, for a timeout.
    let delay = if when == When::After { secs(3600) } else { ms(1) };
    let signal = match by {
        By::Controller => own,
        By::Follower => AbortSignal::any([&own]),
        By::Timeout => AbortSignal::timeout(delay),
    };
    let abort = |lp: &mut Loop| {
        if is_timeout {
            // It does not keep the loop alive.
            let _alive = set_timeout(ms(20), || ());
            while !signal.is_aborted() {
                lp.run_once().unwrap();
            }
        } else {
            controller.abort();
        }
    };
    if when == When::Before {
        abort(&mut lp);
    }
    let begun = kind.begin(&signal, when == When::After);
    if by_task {
        begun.by_task(log.clone());
    } else {
        begun.by_callback(log.clone());
    }
    assert_eq!(log.take(), [""; 0], "{case}: told inside of the call");
    match when {
        When::Before => {}
        When::During => abort(&mut lp),
        When::After => kind.release(),
    }
    let told_by_now = when != When::After && !case.starts_with("running job");
    if told_by_now {
        lp.run_nowait().unwrap();
        assert_eq!(log.take(), ["aborted"], "{case}: not told at once");
        assert!(!is_timeout || signal.is_aborted());
    }
    if told_by_now {
        kind.release();
    }
    lp.run().unwrap();
    if told_by_now {
        assert_eq!(log.take(), [""; 0], "{case}: told twice");
    } else {
        let expected = if when == When::After { "done" } else { "aborted" };
        assert_eq!(log.take(), [expected], "{case}");
    }
    kind.release();
    lp.run().unwrap();
    assert_eq!(counts(&signal), NONE, "{case}: something is left");
    if when == When::After && !is_timeout {
        controller.abort();
        lp.run().unwrap();
        assert_eq!(log.take(), [""; 0], "{case}: told after its end");
    }
}

// --- memory ---

thread_local! {
    /// Bytes that this thread allocated, less those that it freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    // Gone while the thread ends: then nobody asks.
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
    if bytes > 0 {
        let _ = ALLOCATIONS.try_with(|all| all.set(all.get() + 1));
    }
}

// SAFETY: all is passed on to the system's allocator; the count neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those of this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests that wait for no thread: what is freed is freed here.
fn closed_and_cancelled(lp: &mut Loop, signal: &AbortSignal, rounds: usize) -> isize {
    use runtime::handle::Timer;
    for _ in 0..rounds {
        let timer = Timer::new();
        let closed = timer.closed().abort_on(signal);
        timer.close();
        closed.callback(|_| ());
        let timer = Timer::new();
        drop(timer.closed().abort_on(signal).abort_on(signal));
        let own = AbortController::new();
        timer.closed().abort_on(signal).abort_on(&own.signal()).callback(|_| ());
        own.abort();
        let task = spawn(std::future::pending::<()>()).abort_on(signal);
        task.abort();
        task.callback(|_| ());
        spawn(async {}).abort_on(signal).callback(|_| ());
        lp.run().unwrap();
    }
    BYTES.get()
}

#[test]
fn a_signal_that_lives_long_keeps_nothing_of_many_requests() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let before = closed_and_cancelled(&mut lp, &signal, 100);
    assert_eq!(closed_and_cancelled(&mut lp, &signal, 20_000), before);
    assert_eq!(counts(&signal), NONE);
    controller.abort();
    lp.run().unwrap();
}

/// The request itself, and a place in the line; the tree of that has a leaf of its own if it was empty.
#[test]
fn a_signal_costs_a_request_one_allocation_and_the_line_one_for_several() {
    use runtime::handle::Timer;
    let (mut lp, _log, _guards) = real();
    let (_controller, signal) = pair();
    signal.on_abort(|| ());
    let timer = Timer::new();
    let closed = timer.closed();
    let before = ALLOCATIONS.get();
    let closed = closed.abort_on(&signal);
    assert_eq!(ALLOCATIONS.get() - before, 1);
    closed.callback(|_| ());
    timer.close();
    lp.run().unwrap();
}
