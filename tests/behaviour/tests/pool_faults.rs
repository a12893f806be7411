//! What a pool does when something goes wrong. What concerns a whole process is run in a child.

mod pool_support;

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use behaviour::Deadline;
use pool_support::{block_a_thread, on};
use runtime::{Loop, Pool, fs, spawn_blocking};

/// Says to a test that it is run in a process of its own.
const IN_CHILD: &str = "RUNTIME_TEST_POOL_CHILD";

fn is_child() -> bool {
    std::env::var_os(IN_CHILD).is_some()
}

/// Runs the test `name` in a process of its own; the environment is that of `set`.
fn in_child(name: &str, set: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(IN_CHILD, "1");
    command.env_remove("UV_THREADPOOL_SIZE");
    set(&mut command);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {:?}: {stderr}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{name}");
    output
}

// --- a loop that goes away ---

#[test]
fn a_loop_with_ten_thousand_jobs_goes_at_once_and_what_has_an_effect_is_carried_out() {
    const JOBS: usize = 10_000;
    let _guard = Deadline::secs(60);
    let pool = Pool::new(1);
    let lp = on(&pool);
    let here = lp.enter();
    let (go, blocking) = block_a_thread(&pool);
    let (ran, callbacks) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    for n in 0..JOBS {
        let (ran, callback) = (ran.clone(), callbacks.clone());
        let job = spawn_blocking(move || ran.fetch_add(1, SeqCst));
        match n % 3 {
            0 => job.callback(move |_| drop(callback)),
            1 => drop(job),
            _ => drop(job.abort_on_drop()),
        }
        let callback = callbacks.clone();
        fs::metadata(".").callback(move |_| drop(callback));
    }
    drop((blocking, here));
    // The thread is in its job still: who waited for it would wait for ever.
    drop(lp);
    let metrics = pool.metrics();
    assert_eq!((metrics.fast.queued, metrics.cpu.queued), (0, JOBS.div_ceil(3) * 2 - 1));
    assert_eq!(Arc::strong_count(&callbacks), 1, "no callback is left");
    drop(go);
    // Behind them all.
    let mut other = on(&pool);
    other.block_on(async { spawn_blocking(|| ()).await }).unwrap();
    assert_eq!(ran.load(SeqCst), JOBS.div_ceil(3) * 2 - 1);
    assert_eq!(Arc::strong_count(&ran), 1, "no closure is left");
    assert_eq!(pool.metrics().fast.completed, 0, "questions of nobody are not asked");
}

// --- a job that never ends ---

#[test]
fn child_has_a_job_that_never_ends() {
    if !is_child() {
        return;
    }
    let mut lp = Loop::new().unwrap();
    let here = lp.enter();
    let (begins, begun) = mpsc::channel();
    let forever = spawn_blocking(move || {
        begins.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    begun.recv().unwrap();
    drop(here);
    for n in 0..100 {
        assert_eq!(lp.block_on(async { spawn_blocking(move || n).await }).unwrap(), n);
        lp.block_on(async { fs::metadata(".").await }).unwrap();
    }
    let _: &runtime::JoinHandle<()> = &forever;
    drop((forever, lp));
}

#[test]
fn a_job_that_never_ends_stops_neither_others_nor_the_end_of_the_process() {
    let _guard = Deadline::secs(60);
    for threads in ["2", "4"] {
        in_child("child_has_a_job_that_never_ends", |child| {
            child.env("UV_THREADPOOL_SIZE", threads);
        });
    }
}

// --- UV_THREADPOOL_SIZE ---

const EXPECTED: &str = "RUNTIME_TEST_EXPECTED_THREADS";

#[test]
fn child_has_as_many_threads_as_expected() {
    if !is_child() {
        return;
    }
    let expected: usize = std::env::var(EXPECTED).unwrap().parse().unwrap();
    let pool = Pool::shared();
    assert_eq!(pool.threads(), expected);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let blocked: Vec<_> = (0..expected).map(|_| block_a_thread(&pool)).collect();
    let waits = spawn_blocking(|| ());
    let metrics = pool.metrics();
    assert_eq!((metrics.threads, metrics.busy, metrics.cpu.queued), (expected, expected, 1));
    drop(blocked);
    lp.block_on(waits).unwrap();
    lp.run().unwrap();
    assert_eq!(pool.metrics().cpu.completed, expected as u64 + 1);
}

#[test]
fn each_size_of_the_environment_is_taken_or_named_in_one_warning() {
    let _guard = Deadline::secs(120);
    for (size, expected, is_warned_of) in [
        ("", 4, false),
        ("1", 1, false),
        ("1024", 1024, false),
        ("0", 4, true),
        ("-1", 4, true),
        ("abc", 4, true),
        ("1025", 4, true),
    ] {
        let output = in_child("child_has_as_many_threads_as_expected", |child| {
            child.env("UV_THREADPOOL_SIZE", size).env(EXPECTED, expected.to_string());
        });
        let stderr = String::from_utf8(output.stderr).unwrap();
        let warnings = stderr.matches("UV_THREADPOOL_SIZE").count();
        assert_eq!(warnings, usize::from(is_warned_of), "{size:?}: {stderr}");
        assert!(!is_warned_of || stderr.contains(&format!("{size:?}")), "{stderr}");
    }
}

// --- no thread ---

/// Lets the system refuse every further thread: no address is left for a stack.
#[cfg(target_os = "linux")]
fn refuse_threads() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let size_kb: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let limit = (size_kb << 10) + (4 << 20); // a stack has 8 MiB
    setrlimit(Resource::As, Rlimit { current: Some(limit), maximum: None }).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn child_gets_no_thread() {
    if !is_child() {
        return;
    }
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (running, none) = (Pool::new(2), Pool::new(2));
    let (go, blocking) = block_a_thread(&running);
    refuse_threads();

    // A pool that has a thread goes on with it.
    let queued = running.spawn_blocking(|| "by the only thread");
    assert_eq!(running.metrics().threads, 1);
    drop(go);
    lp.block_on(blocking).unwrap();
    assert_eq!(lp.block_on(queued).unwrap(), "by the only thread");

    // One that has none says so, and drops what it was given.
    let held = Arc::new(());
    let holding = held.clone();
    let error = lp.block_on(none.spawn_blocking(move || drop(holding))).unwrap_err();
    assert!(error.to_string().contains("could start no thread"), "{error}");
    let holding = held.clone();
    let error = none.execute(move || drop(holding)).unwrap_err();
    assert!(error.to_string().contains("could start no thread"), "{error}");
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "who retries on that would spin");
    let holding = held.clone();
    none.set_queue_limit(0);
    let permit = none.try_reserve().unwrap();
    permit.execute(move || drop(holding)).unwrap_err();
    assert_eq!(Arc::strong_count(&held), 1);
    let again = [none.try_reserve(), none.try_reserve()];
    assert!(again.iter().all(Option::is_some), "the room is back");
    assert_eq!(none.metrics().cpu.queued, 0);
    let error = lp.block_on(none.map(vec![1, 2, 3], |n| n)).unwrap_err();
    assert!(error.to_string().contains("could start no thread"), "{error}");

    // Files of a loop with such a pool.
    let mut other = on(&none);
    let error = other.block_on(async { fs::metadata(".").await.unwrap_err() });
    assert!(error.to_string().contains("could start no thread"), "{error}");
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_the_system_refuses_is_an_error_while_there_is_none() {
    let _guard = Deadline::secs(60);
    in_child("child_gets_no_thread", |_| ());
}
