//! Lookups that get no answer, without a network: glibc looks for names without dots in the file that
//! `HOSTALIASES` names, and that is a FIFO here, which nobody writes to. Each in a process of its own.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod tcp_support;

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use behaviour::{Deadline, EventLog, tell};
use runtime::sync::AbortController;
use runtime::{Cancelled, Loop, LoopGone, dns, fs, ms, set_timeout, spawn_blocking, time};
use tcp_support::{assert_passed, child, child_argument};

/// What the FIFO is there for.
const BLOCKED: &str = "blocked";

/// Runs `name` of this file again, as a process whose lookups block; true in that process.
fn is_child(name: &str) -> bool {
    if child_argument().is_some() {
        return true;
    }
    let _guard = Deadline::secs(100);
    let path = std::env::temp_dir().join(format!("runtime-aliases-{}-{name}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let shown = path.to_str().expect("a path that a shell takes");
    let output = child(&format!("exec env HOSTALIASES='{shown}'"), name, shown);
    std::fs::remove_file(&path).unwrap();
    if String::from_utf8_lossy(&output.stderr).contains(NOT_HERE) {
        tell(NOT_HERE);
    }
    assert_passed(&output);
    false
}

const NOT_HERE: &str = "skipped: the resolver of this machine reads no aliases";

fn aliases() -> PathBuf {
    child_argument().expect("the parent says").into()
}

/// Lets a lookup that is blocked, or will be, end: its name gets an alias that no server is asked for.
fn answer(mut writer: File) {
    // Who reads may have read enough.
    let _ = writeln!(writer, "{BLOCKED} {}.invalid", "a".repeat(70));
}

/// Whether somebody reads the FIFO now.
fn writer(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// A loop in whose process lookups do block; none if they don't.
fn start(threads: usize) -> Option<(Loop, EventLog, Deadline)> {
    let guard = Deadline::secs(90);
    let mut lp = Loop::builder().pool_threads(threads).build().unwrap();
    let here = lp.enter();
    // A thread of its own, or a resolver that does not read would leave us waiting.
    let (opened, was_opened) = mpsc::channel();
    thread::spawn(move || {
        let writer = OpenOptions::new().write(true).open(aliases()).unwrap();
        opened.send(()).unwrap();
        answer(writer);
    });
    let found = lp.block_on(dns::lookup(BLOCKED));
    drop(here);
    if was_opened.try_recv().is_err() {
        eprintln!("{NOT_HERE}: {found:?}");
        return None;
    }
    assert!(found.is_err());
    Some((lp, EventLog::new(), guard))
}

/// Waits until a thread has taken what was submitted before.
fn wait_until_taken() {
    let (began, has_begun) = mpsc::channel();
    drop(spawn_blocking(move || began.send(()).unwrap()));
    has_begun.recv().unwrap();
}

/// Waits for the thread that asks though nobody wants the answer, and lets it end.
fn release(path: &Path) {
    loop {
        match writer(path) {
            Ok(writer) => return answer(writer),
            // It has been taken, and is about to read.
            Err(_) => thread::yield_now(),
        }
    }
}

#[test]
fn blocked_lookups_leave_half_of_the_pool_to_files_and_work() {
    if !is_child("blocked_lookups_leave_half_of_the_pool_to_files_and_work") {
        return;
    }
    let Some((mut lp, _, _guard)) = start(4) else { return };
    let _here = lp.enter();
    let answered = Rc::new(Cell::new(0));
    for _ in 0..20 {
        let answered = answered.clone();
        dns::lookup(BLOCKED).callback(move |_| answered.set(answered.get() + 1));
    }
    for _ in 0..50 {
        assert!(lp.block_on(fs::read("/proc/self/status")).is_ok());
        // Two jobs that wait for one another: two threads are free.
        let both = Arc::new(Barrier::new(2));
        let jobs = [both.clone(), both].map(|both| {
            spawn_blocking(move || {
                both.wait();
            })
        });
        for job in jobs {
            lp.block_on(job).unwrap();
        }
    }
    assert_eq!(answered.get(), 0);
    assert!(writer(&aliases()).is_ok(), "somebody waits");
}

#[test]
fn a_lookup_that_runs_ends_at_once_when_it_is_cancelled() {
    if !is_child("a_lookup_that_runs_ends_at_once_when_it_is_cancelled") {
        return;
    }
    let Some((mut lp, log, _guard)) = start(2) else { return };
    let _here = lp.enter();
    let note = log.clone();
    let id = dns::lookup(BLOCKED).callback(move |found| {
        let error = found.unwrap_err();
        assert!(Cancelled::is_in(&error), "{error}");
        note.push("cancelled");
    });
    wait_until_taken();
    assert!(id.cancel() && !id.cancel());
    log.expect([]);
    assert!(!lp.run().unwrap(), "nothing is left to wait for");
    log.expect(["cancelled"]);
    release(&aliases());
    // The thread takes questions again, and its late answer is nobody's.
    let found = lp.block_on(dns::lookup("localhost")).unwrap();
    assert!(found.iter().all(IpAddr::is_loopback));
    lp.run().unwrap();
    log.expect([]);

    let request = dns::lookup_addrs(BLOCKED, "80");
    wait_until_taken();
    assert!(request.cancel() && !request.cancel());
    assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
    assert!(!lp.is_alive());
    release(&aliases());
}

#[test]
fn a_lookup_that_runs_keeps_nothing_alive_once_it_is_dropped() {
    if !is_child("a_lookup_that_runs_keeps_nothing_alive_once_it_is_dropped") {
        return;
    }
    let Some((mut lp, _, _guard)) = start(2) else { return };
    let _here = lp.enter();
    let request = dns::lookup(BLOCKED);
    wait_until_taken();
    assert!(lp.is_alive());
    drop(request);
    assert!(!lp.run().unwrap());
    release(&aliases());
    let elapsed = lp.block_on(time::timeout(ms(5), dns::lookup(BLOCKED)));
    assert!(elapsed.is_err());
    assert!(!lp.run().unwrap());
    let (controller, lookup) = (AbortController::new(), dns::lookup(BLOCKED));
    let signal = controller.signal();
    set_timeout(ms(1), move || controller.abort());
    assert!(lp.block_on(signal.race(lookup)).is_err());
    assert!(!lp.run().unwrap());
}

#[test]
fn neither_the_end_of_the_loop_nor_that_of_the_program_waits_for_a_lookup() {
    if !is_child("neither_the_end_of_the_loop_nor_that_of_the_program_waits_for_a_lookup") {
        return;
    }
    let Some((lp, log, _guard)) = start(2) else { return };
    let here = lp.enter();
    let request = dns::lookup(BLOCKED);
    let note = log.clone();
    dns::lookup(BLOCKED).callback(move |_| note.push("never"));
    wait_until_taken();
    drop((here, lp));
    let error = Loop::new().unwrap().block_on(request).unwrap_err();
    assert!(LoopGone::is_in(&error), "{error}");
    log.expect([]);

    // Of the pool of the process; the program ends with this test.
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    for _ in 0..10 {
        dns::lookup(BLOCKED).callback(|_| unreachable!("nobody answers"));
    }
    wait_until_taken();
    set_timeout(ms(1), || runtime::exit(0));
    lp.run().unwrap();
    assert_eq!(lp.exit_code(), Some(0));
}
