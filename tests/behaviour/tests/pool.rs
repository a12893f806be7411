//! Blocking work: `spawn_blocking` and `fs`, by await and by callback, and what becomes of it when nobody
//! waits any more or the loop goes away.

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use runtime::{
    Cancelled, JoinError, JoinHandle, Loop, LoopGone, Pool, fs, ms, next_tick, on_unhandled,
    queue_microtask, raw_os_error, set_immediate, spawn_blocking,
};

/// A loop with a pool of its own.
fn with_pool(threads: usize) -> Loop {
    Loop::builder().pool_threads(threads).build().unwrap()
}

/// A job that is under way, and goes on until the sender is used or dropped.
fn block_a_thread() -> (Sender<()>, JoinHandle<()>) {
    let (go, may_go) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let job = spawn_blocking(move || {
        started.send(()).unwrap();
        may_go.recv().ok();
    });
    has_started.recv().unwrap();
    (go, job)
}

/// A directory that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("runtime-{}-{name}", std::process::id()));
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

/// Reports its drop, and panics in it if told so.
struct Dropped(Sender<thread::ThreadId>, bool);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).ok();
        assert!(!self.1, "in the drop");
    }
}

/// What a job does that never runs.
fn never(_held: Dropped) {
    unreachable!("it was cancelled");
}

// --- spawn_blocking ---

#[test]
fn a_job_runs_on_another_thread_and_its_output_comes_back_by_await() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let here = thread::current().id();
    let there = lp.block_on(async { spawn_blocking(|| thread::current().id()).await.unwrap() });
    assert_ne!(here, there);
}

#[test]
fn a_job_by_callback_comes_in_poll_with_a_checkpoint_after_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    for n in 1..=2 {
        let noting = log.clone();
        spawn_blocking(move || n).callback(move |output| {
            noting.push(format!("output {}", output.unwrap()));
            queue_microtask(noting.mark(format!("microtask {n}")));
            next_tick(noting.mark(format!("tick {n}")));
            if n == 2 {
                set_immediate(noting.mark("immediate"));
            }
        });
    }
    log.push("script");
    lp.run().unwrap();
    log.expect([
        "script",
        "output 1",
        "tick 1",
        "microtask 1",
        "output 2",
        "tick 2",
        "microtask 2",
        "immediate",
    ]);
}

#[test]
fn jobs_of_one_thread_run_and_complete_in_the_order_of_their_submission() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    for n in 0..100 {
        let (noting, order) = (log.clone(), order.clone());
        spawn_blocking(move || order.lock().unwrap().push(n))
            .callback(move |_| noting.push(n.to_string()));
    }
    lp.run().unwrap();
    let all: Vec<usize> = (0..100).collect();
    assert_eq!(*order.lock().unwrap(), all);
    assert_eq!(log.take(), all.iter().map(usize::to_string).collect::<Vec<_>>());
}

#[test]
fn a_loops_own_pool_has_as_many_threads_as_the_builder_says() {
    let _guard = Deadline::secs(20);
    for (threads, expected) in [(0, 1), (1, 1), (3, 3)] {
        let mut lp = with_pool(threads);
        let _here = lp.enter();
        // All are needed at once.
        let barrier = Arc::new(Barrier::new(expected));
        for _ in 0..expected {
            let barrier = barrier.clone();
            spawn_blocking(move || barrier.wait()).callback(|output| _ = output.unwrap());
        }
        lp.run().unwrap();
        // While all are busy the next one can't have begun.
        let blocked: Vec<_> = (0..expected).map(|_| block_a_thread()).collect();
        let next = spawn_blocking(|| ());
        next.abort();
        let (go, jobs): (Vec<_>, Vec<_>) = blocked.into_iter().unzip();
        drop(go);
        assert!(lp.block_on(next).unwrap_err().is_cancelled(), "pool_threads({threads})");
        jobs.into_iter().for_each(|job| lp.block_on(job).unwrap());
    }
}

#[test]
fn a_panicking_job_gives_its_payload_and_the_thread_lives_on() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    lp.block_on(async {
        let first = spawn_blocking(|| thread::current().id()).await.unwrap();
        let error = spawn_blocking(|| panic!("in the job")).await;
        let payload = match error {
            Err(JoinError::Panicked(payload)) => payload,
            _ => panic!("the payload was lost"),
        };
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the job"));
        assert_eq!(spawn_blocking(|| thread::current().id()).await.unwrap(), first);
    });
}

#[test]
fn a_panicking_jobs_payload_reaches_the_callback() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    spawn_blocking(|| panic!("in the job")).callback(move |output: Result<(), _>| {
        noting.push(output.unwrap_err());
    });
    lp.run().unwrap();
    log.expect(["the task panicked: in the job"]);
}

#[test]
fn the_panic_of_a_job_whose_handle_is_dropped_goes_to_on_unhandled() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    drop(spawn_blocking(|| panic!("dropped")));
    lp.run().unwrap();
    log.expect(["dropped"]);
    // Done when its handle is dropped.
    let job = spawn_blocking(|| panic!("dropped late"));
    lp.run().unwrap();
    assert!(job.is_finished());
    log.expect([]);
    drop(job);
    lp.run().unwrap();
    log.expect(["dropped late"]);
}

#[test]
fn detach_of_a_job_reports_its_err_and_its_panic() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    spawn_blocking(|| Err::<(), &str>("an error")).detach();
    spawn_blocking(|| Ok::<(), &str>(())).detach();
    spawn_blocking(|| -> Result<(), &str> { panic!("a panic") }).detach();
    lp.run().unwrap();
    log.expect(["an error", "a panic"]);
}

#[test]
fn a_dropped_jobs_handle_lets_it_run_and_the_loop_waits_for_it() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    drop(job);
    let (done, is_done) = mpsc::channel();
    drop(spawn_blocking(move || done.send(()).unwrap()));
    assert!(lp.run_nowait().unwrap(), "jobs are in flight");
    go.send(()).unwrap();
    assert!(!lp.run().unwrap());
    is_done.try_recv().unwrap();
}

#[test]
fn abort_of_a_job_that_waits_drops_it_and_gives_cancelled() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let (to, dropped) = mpsc::channel();
    let held = Dropped(to, false);
    let job = spawn_blocking(move || never(held));
    job.abort();
    job.abort();
    assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
    assert!(job.is_finished());
    // The answer does not wait for the thread.
    assert!(lp.block_on(job).unwrap_err().is_cancelled());
    drop(go);
    lp.block_on(blocking).unwrap();
}

#[test]
fn abort_of_a_job_that_runs_changes_nothing() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    job.abort();
    assert!(!job.is_finished());
    drop(go);
    lp.block_on(job).unwrap();
}

#[test]
fn abort_on_drop_ends_a_job_that_waits() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let (to, dropped) = mpsc::channel();
    let held = Dropped(to, false);
    drop(spawn_blocking(move || never(held)).abort_on_drop());
    dropped.try_recv().unwrap();
    drop(go);
    lp.block_on(blocking).unwrap();
    assert!(!lp.run().unwrap());
}

#[test]
fn a_panic_in_the_drop_of_an_aborted_job_comes_out_of_abort_and_the_job_is_over() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let held = Dropped(mpsc::channel().0, true);
    let job = spawn_blocking(move || never(held));
    assert!(catch_unwind(AssertUnwindSafe(|| job.abort())).is_err());
    assert!(lp.block_on(job).unwrap_err().is_cancelled());
    drop(go);
    lp.block_on(blocking).unwrap();
}

#[test]
fn a_panic_in_the_drop_of_a_request_that_nobody_wants_leaves_nothing_in_flight() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let here = lp.enter();
    let (go, blocking) = block_a_thread();
    let request = fs::read("Cargo.toml");
    assert!(request.cancel());
    drop(request);
    drop(go);
    lp.run().unwrap();
    drop(here);
    lp.block_on(blocking).unwrap();
    assert!(!lp.is_alive());
}

#[test]
fn an_aborted_jobs_callback_comes_in_poll() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let job = spawn_blocking(|| ());
    job.abort();
    let noting = log.clone();
    job.callback(move |output| noting.push(output.unwrap_err()));
    log.push("script");
    next_tick(log.mark("tick"));
    set_immediate(log.mark("immediate"));
    lp.run_nowait().unwrap();
    log.expect(["script", "tick", "the task was cancelled", "immediate"]);
    drop((go, blocking));
    lp.run().unwrap();
}

// --- no job waits for what it need not wait for ---

#[test]
fn a_callback_that_submits_jobs_and_then_waits_for_them_leaves_no_thread_idle() {
    let _guard = Deadline::secs(60);
    for threads in 1..=4 {
        let mut lp = with_pool(threads);
        let _here = lp.enter();
        // All threads have started, and sleep, or are about to.
        for _ in 0..50 {
            let barrier = Arc::new(Barrier::new(threads + 1));
            set_immediate(move || {
                for _ in 0..threads {
                    let barrier = barrier.clone();
                    spawn_blocking(move || barrier.wait());
                }
                // The loop's thread goes on when all of them run.
                barrier.wait();
            });
            lp.run().unwrap();
        }
    }
}

#[test]
fn a_result_does_not_wait_for_the_next_job_of_its_thread() {
    let _guard = Deadline::secs(60);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    for short in 1..20 {
        let (go, may_go) = mpsc::channel::<()>();
        let (done, is_done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        for _ in 0..short {
            let (done, go) = (done.clone(), go.clone());
            spawn_blocking(|| ()).callback(move |_| {
                done.set(done.get() + 1);
                if done.get() == short {
                    go.send(()).unwrap();
                }
            });
        }
        let noting = is_done.clone();
        // Runs on until the loop has heard of all before it.
        spawn_blocking(move || may_go.recv().unwrap()).callback(move |_| noting.set(true));
        lp.run().unwrap();
        assert!(is_done.get());
    }
}

#[test]
fn a_loop_that_sleeps_hears_of_a_result_while_the_next_job_of_its_thread_goes_on() {
    let _guard = Deadline::secs(60);
    let pool = Pool::new(1);
    // Each loop is new to it: one that has waited in vain does not let results wait.
    for _ in 0..50 {
        let mut lp = Loop::builder().pool(pool.clone()).build().unwrap();
        let _here = lp.enter();
        let (go, may_go) = mpsc::channel::<()>();
        let is_asleep = Arc::new(Barrier::new(2));
        let begins = is_asleep.clone();
        spawn_blocking(move || {
            begins.wait();
            // By the end of this the loop has most likely fallen asleep.
            (0..5_000).for_each(|_| std::hint::spin_loop());
        })
        .callback(move |_| go.send(()).unwrap());
        spawn_blocking(move || may_go.recv().unwrap()).callback(|_| ());
        set_immediate(move || {
            is_asleep.wait();
        });
        lp.run().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn two_jobs_of_a_burst_that_wait_for_each_other_meet_if_there_are_two_threads() {
    let _guard = Deadline::secs(60);
    let scratch = Scratch::new("both-ends");
    let fifo = scratch.file("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for threads in 2..=4 {
        let mut lp = with_pool(threads);
        let _here = lp.enter();
        for between in (0..40).step_by(3) {
            let read = Rc::new(Cell::new(false));
            let noting = read.clone();
            let idle_jobs = |count| {
                for _ in 0..count {
                    drop(spawn_blocking(|| ()));
                }
            };
            idle_jobs(between);
            fs::read(&fifo).callback(move |text| noting.set(text.unwrap() == b"through the pipe"));
            idle_jobs(between);
            drop(fs::write(&fifo, "through the pipe"));
            idle_jobs(between);
            lp.run().unwrap();
            assert!(read.get());
        }
    }
}

#[test]
fn a_job_is_finished_before_the_loop_has_heard_of_it() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let jobs: Vec<_> = (0..5).map(|n| spawn_blocking(move || n)).collect();
    while !jobs.iter().all(JoinHandle::is_finished) {
        thread::yield_now();
    }
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(lp.block_on(job).unwrap(), n);
    }
}

#[test]
fn a_result_that_nobody_takes_is_dropped_on_the_loops_thread() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(2);
    let _here = lp.enter();
    let (to, dropped) = mpsc::channel();
    for taken_late in [false, true] {
        let to = to.clone();
        let job = spawn_blocking(move || Dropped(to, false));
        if taken_late {
            lp.run().unwrap();
        }
        drop(job);
        lp.run().unwrap();
        assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
    }
}

// --- the loop goes away ---

#[test]
fn a_loop_that_goes_away_leaves_its_jobs_to_the_pool() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let here = lp.enter();
    let (go, may_go) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    let (to, callback_dropped) = mpsc::channel();
    let callback = Dropped(to, false);
    spawn_blocking(move || {
        may_go.recv().ok();
        done.send(()).unwrap();
    })
    .callback(move |_| drop(callback));
    let waiting = spawn_blocking(|| ());
    let request = fs::read("Cargo.toml");
    drop(here);
    // It does not wait for the job, and the callback is dropped here.
    drop(lp);
    assert_eq!(callback_dropped.try_recv().unwrap(), thread::current().id());
    assert!(is_done.try_recv().is_err());
    drop(go);
    is_done.recv().unwrap();
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(waiting).unwrap_err().is_cancelled());
    assert!(LoopGone::is_in(&other.block_on(request).unwrap_err()));
}

#[test]
fn a_loops_own_pool_ends_its_jobs_after_the_loop() {
    let _guard = Deadline::secs(20);
    let lp = with_pool(1);
    let here = lp.enter();
    let (go, job) = block_a_thread();
    let (done, is_done) = mpsc::channel();
    drop(spawn_blocking(move || done.send(()).unwrap()));
    drop((job, here, lp));
    drop(go);
    is_done.recv().unwrap();
}

#[test]
fn shutdown_timeout_waits_for_the_jobs_and_drops_their_callbacks() {
    let _guard = Deadline::secs(20);
    for timeout in [Duration::from_secs(3600), Duration::MAX] {
        let lp = Loop::builder().pool_threads(2).shutdown_timeout(timeout).build().unwrap();
        let here = lp.enter();
        let (to, dropped) = mpsc::channel();
        let callback = Dropped(to, false);
        let (done, is_done) = mpsc::channel();
        let (started, has_started) = mpsc::channel();
        spawn_blocking(move || {
            started.send(()).unwrap();
            thread::yield_now();
            done.send(()).unwrap();
        })
        .callback(move |_| drop(callback));
        has_started.recv().unwrap();
        drop(here);
        drop(lp);
        is_done.try_recv().expect("the loop waited for the job");
        assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
    }
}

#[test]
fn a_shutdown_waits_for_no_answer_that_nobody_would_have() {
    let _guard = Deadline::secs(20);
    let full = Pool::new(1);
    full.set_queue_limit(0);
    let held = full.try_reserve();
    let lp = Loop::builder().pool_threads(1).shutdown_timeout(Duration::MAX).build().unwrap();
    let here = lp.enter();
    let (done, is_done) = mpsc::channel();
    spawn_blocking(move || done.send(())).callback(|_| ());
    full.reserve().callback(|_| ());
    let kept = full.reserve();
    drop((here, lp));
    is_done.try_recv().expect("the loop waited for the job");
    assert_eq!(full.metrics().waiting_for_room, 0);
    drop((held, kept));
}

#[test]
fn a_job_that_never_ends_delays_the_loops_end_by_the_timeout_only() {
    let _guard = Deadline::secs(20);
    for timeout in [Duration::ZERO, ms(1), ms(20)] {
        let lp = Loop::builder().pool_threads(1).shutdown_timeout(timeout).build().unwrap();
        let here = lp.enter();
        let (go, job) = block_a_thread();
        drop((here, lp));
        // Still there: it would have gone if its sender were.
        go.send(()).unwrap();
        drop(job);
    }
}

#[test]
fn work_on_a_loop_that_is_gone_fails_at_once() {
    let _guard = Deadline::secs(20);
    let lp = Loop::new().unwrap();
    let reference = (*lp).clone();
    drop(lp);
    let here = reference.enter();
    let job = spawn_blocking(|| unreachable!("no loop") as ());
    let request = fs::write("/nowhere/at/all", "x");
    drop(here);
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(job).unwrap_err().is_cancelled());
    assert!(LoopGone::is_in(&other.block_on(request).unwrap_err()));
}

// --- fs ---

#[test]
fn files_are_written_and_read_by_await() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("await");
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let path = scratch.file("file");
        fs::write(&path, "some text").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"some text");
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "some text");
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 9);
        fs::write(&path, b"short").await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "short");
        fs::write(&path, [0xff, 0xfe]).await.unwrap();
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(fs::metadata(&scratch.0).await.unwrap().is_dir());
    });
}

#[test]
fn files_are_written_and_read_by_callback() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("callback");
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (path, noting) = (scratch.file("file"), log.clone());
    fs::write(&path, "text").callback(move |written| {
        written.unwrap();
        let (again, more) = (path.clone(), noting.clone());
        fs::read_to_string(&path).callback(move |text| {
            more.push(text.unwrap());
            let most = more.clone();
            fs::metadata(&again).callback(move |found| most.push(found.unwrap().len()));
            fs::read(&again).callback(move |bytes| more.push(format!("{:?}", bytes.unwrap())));
        });
    });
    lp.run().unwrap();
    let mut seen = log.take();
    seen[1..].sort();
    assert_eq!(seen, ["text", "4", "[116, 101, 120, 116]"]);
}

#[test]
fn errors_of_the_system_keep_their_kind_and_code() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("errors");
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let missing = scratch.file("missing");
        for error in [
            fs::read(&missing).await.unwrap_err(),
            fs::read_to_string(&missing).await.unwrap_err(),
            fs::metadata(&missing).await.unwrap_err(),
            fs::write(missing.join("below"), "x").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(raw_os_error(&error).is_some());
            assert!(error.to_string().contains("missing"), "{error}");
        }
        for error in
            [fs::read(&scratch.0).await.unwrap_err(), fs::write(&scratch.0, "x").await.unwrap_err()]
        {
            assert!(raw_os_error(&error).is_some(), "{error}");
        }
    });
}

#[test]
fn a_path_with_a_nul_or_none_at_all_is_an_error() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        for error in [
            fs::read("a\0b").await.unwrap_err(),
            fs::read_to_string("a\0b").await.unwrap_err(),
            fs::write("a\0b", "x").await.unwrap_err(),
            fs::metadata("a\0b").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(fs::read("").await.unwrap_err().kind(), ErrorKind::NotFound);
        let long = "x/".repeat(100_000);
        assert!(fs::read(long).await.is_err());
    });
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let _guard = Deadline::secs(60);
    let scratch = Scratch::new("many");
    let path = scratch.file("file");
    std::fs::write(&path, "12345").unwrap();
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let answered = Rc::new(Cell::new(0));
    for n in 0..2000 {
        let answered = answered.clone();
        let count = move |length: u64| {
            assert_eq!(length, 5);
            answered.set(answered.get() + 1);
        };
        match n % 2 {
            0 => drop(fs::metadata(&path).callback(move |found| count(found.unwrap().len()))),
            _ => drop(fs::read(&path).callback(move |read| count(read.unwrap().len() as u64))),
        }
    }
    lp.run().unwrap();
    assert_eq!(answered.get(), 2000);
}

#[test]
fn a_request_that_waits_can_be_cancelled_by_itself_and_by_its_id() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("cancel");
    let path = scratch.file("never");
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let noting = log.clone();
    let id = fs::write(&path, "x").callback(move |written| {
        let error = written.unwrap_err();
        assert!(Cancelled::is_in(&error) && error.kind() != ErrorKind::Interrupted);
        noting.push("callback");
    });
    assert!(id.cancel());
    assert!(!id.cancel(), "cancelled once");
    log.expect([]);
    let request = fs::write(&path, "x");
    assert!(request.cancel() && !request.cancel());
    assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
    lp.run_nowait().unwrap();
    log.expect(["callback"]);
    drop(go);
    lp.block_on(blocking).unwrap();
    lp.run().unwrap();
    assert!(!path.exists() && !id.cancel());
}

#[test]
fn a_request_that_runs_or_is_done_can_not_be_cancelled() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let request = fs::metadata(".");
    // Behind it in the only thread: when this one is done, so is that one.
    let (done, is_done) = mpsc::channel();
    drop(spawn_blocking(move || done.send(()).unwrap()));
    is_done.recv().unwrap();
    assert!(!request.cancel() && !request.id().cancel());
    assert!(lp.block_on(request).is_ok());
}

#[cfg(unix)]
#[test]
fn a_dropped_question_that_waits_is_never_asked() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("skipped");
    let fifo = scratch.file("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    // Who opened it for reading would wait for a writer, and block the only thread for ever.
    drop(fs::read(&fifo));
    drop(fs::read_to_string(&fifo));
    drop(fs::metadata(&fifo));
    drop((go, blocking));
    lp.run().unwrap();
    lp.block_on(spawn_blocking(|| ())).unwrap();
}

#[test]
fn a_dropped_question_does_not_keep_the_loop_alive() {
    let _guard = Deadline::secs(20);
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    let aborted = spawn_blocking(|| ());
    let question = fs::read("Cargo.toml");
    aborted.abort();
    drop((question, aborted));
    drop((go, blocking));
    assert!(!lp.run().unwrap());
}

#[cfg(unix)]
#[test]
fn a_dropped_question_that_is_under_way_is_not_waited_for() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("under-way");
    let fifo = scratch.file("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let question = fs::read(&fifo);
    // Opens once the reader has opened: it is under way.
    let writer = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    drop(question);
    assert!(!lp.run().unwrap());
    drop(writer);
}

#[test]
fn a_dropped_write_is_carried_out_and_the_loop_waits_for_it() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("carried-out");
    let path = scratch.file("file");
    let mut lp = with_pool(1);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread();
    drop(fs::write(&path, "written"));
    drop((go, blocking));
    assert!(!lp.run().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "written");
}

#[test]
fn a_detached_request_reports_its_error_and_only_that() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("detach");
    let (mut lp, log) = (with_pool(1), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    fs::write(scratch.file("fine"), "x").detach();
    drop(fs::write(scratch.file("missing/file"), "x"));
    fs::write("a\0b", "x").detach();
    lp.run().unwrap();
    assert_eq!(log.take().len(), 1);
    assert!(scratch.file("fine").exists());
}

#[test]
fn what_is_written_is_what_was_there_at_the_call() {
    let _guard = Deadline::secs(20);
    let scratch = Scratch::new("copied");
    let path = scratch.file("file");
    let mut lp = Loop::new().unwrap();
    let mut contents = b"before".to_vec();
    let here = lp.enter();
    let request = fs::write(&path, &contents);
    contents.fill(b'x');
    drop(here);
    lp.block_on(request).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
}

// --- UV_THREADPOOL_SIZE ---

const EXPECTED: &str = "RUNTIME_TEST_EXPECTED_THREADS";

/// Does nothing in this process: a child process runs it with the variables set.
#[test]
fn child_has_the_pool_it_was_told() {
    let Ok(expected) = std::env::var(EXPECTED) else { return };
    let expected: usize = expected.parse().unwrap();
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let barrier = Arc::new(Barrier::new(expected));
    for _ in 0..expected {
        let barrier = barrier.clone();
        spawn_blocking(move || barrier.wait()).callback(|output| _ = output.unwrap());
    }
    lp.run().unwrap();
    let (to, started): (_, Receiver<()>) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Arc::new(std::sync::Mutex::new(may_go));
    let jobs: Vec<_> = (0..expected)
        .map(|_| {
            let (to, may_go) = (to.clone(), may_go.clone());
            spawn_blocking(move || {
                to.send(()).unwrap();
                may_go.lock().unwrap().recv().ok();
            })
        })
        .collect();
    (0..expected).for_each(|_| started.recv().unwrap());
    // All threads are busy: this one waits, and can be cancelled.
    let next = spawn_blocking(|| ());
    next.abort();
    drop(go);
    assert!(lp.block_on(next).unwrap_err().is_cancelled());
    jobs.into_iter().for_each(|job| lp.block_on(job).unwrap());
}

/// Runs the child with `value`; gives what it wrote to stderr.
fn child_with(value: Option<&str>, expected: usize) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_has_the_pool_it_was_told", "--nocapture"])
        .env(EXPECTED, expected.to_string())
        .env_remove("UV_THREADPOOL_SIZE");
    if let Some(value) = value {
        command.env("UV_THREADPOOL_SIZE", value);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{value:?}: {stderr}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{value:?}");
    stderr
}

#[test]
fn the_shared_pool_is_as_large_as_the_variable_says() {
    let _guard = Deadline::secs(60);
    for (value, expected) in [
        (None, 4),
        (Some(""), 4),
        (Some("1"), 1),
        (Some("2"), 2),
        (Some("007"), 7),
        (Some("40"), 40),
    ] {
        let stderr = child_with(value, expected);
        assert!(!stderr.contains("UV_THREADPOOL_SIZE"), "{value:?}: {stderr}");
    }
}

#[test]
fn a_malformed_size_is_4_with_one_warning_that_names_variable_and_value() {
    let _guard = Deadline::secs(60);
    for value in ["0", "-1", "abc", "4.0", "1025", " 7", "+5", "99999999999999999999"] {
        let stderr = child_with(Some(value), 4);
        assert_eq!(stderr.matches("UV_THREADPOOL_SIZE").count(), 1, "{value}: {stderr}");
        assert!(stderr.contains(&format!("{value:?}")), "{value}: {stderr}");
    }
}
