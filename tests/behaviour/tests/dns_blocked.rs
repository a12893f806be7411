//! Lookups that get no answer, without a network: glibc looks for names without dots in the file that
//! `HOSTALIASES` names, and that is a FIFO here, which nobody writes to. Each in a process of its own.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod tcp_support;

use std::cell::Cell;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::thread;

use behaviour::{Deadline, EventLog, tell};
use runtime::sync::AbortController;
use runtime::{Aborted, Cancelled, Loop, LoopGone, dns, fs, ms, set_timeout, spawn_blocking, time};
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
    let output =
        child(&format!("exec env UV_THREADPOOL_SIZE=4 HOSTALIASES='{shown}'"), name, shown);
    std::fs::remove_file(&path).unwrap();
    if String::from_utf8_lossy(&output.stderr).contains(NOT_HERE) {
        tell(NOT_HERE);
    }
    assert_passed(&output);
    false
}

const NOT_HERE: &str = "skipped: the resolver of this machine reads no aliases";

/// The FIFO. It is open for writing too, so who reads it waits until something is written.
struct Aliases {
    path: PathBuf,
    fifo: File,
}

impl Aliases {
    fn open() -> Self {
        let path = PathBuf::from(child_argument().expect("the parent says"));
        let fifo = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Self { path, fifo }
    }

    /// How many lookups read it now, each by a descriptor of its own.
    fn readers(&self) -> usize {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        // One may be closed meanwhile.
        let leads_here =
            |entry: &DirEntry| std::fs::read_link(entry.path()).is_ok_and(|link| link == self.path);
        entries.flatten().filter(leads_here).count() - 1
    }

    fn wait_for(&self, readers: usize) {
        while self.readers() != readers {
            thread::yield_now();
        }
    }

    /// Lets the only lookup that is blocked end: its name gets an alias that no server is asked for.
    fn answer(&self) {
        self.wait_for(1);
        writeln!(&self.fifo, "{BLOCKED} {}.invalid", "a".repeat(70)).unwrap();
        self.wait_for(0);
    }
}

/// A loop in whose process lookups do block; none if they don't.
fn start(threads: usize) -> Option<(Loop, Aliases, EventLog, Deadline)> {
    let guard = Deadline::secs(90);
    let mut lp = Loop::builder().pool_threads(threads).build().unwrap();
    let here = lp.enter();
    let aliases = Aliases::open();
    let ended = Rc::new(Cell::new(false));
    let end = ended.clone();
    dns::lookup(BLOCKED).callback(move |found| {
        assert!(found.is_err());
        end.set(true);
    });
    while aliases.readers() == 0 {
        lp.run_nowait().unwrap();
        if ended.get() {
            eprintln!("{NOT_HERE}");
            return None;
        }
    }
    aliases.answer();
    lp.run().unwrap();
    assert!(ended.get());
    drop(here);
    Some((lp, aliases, EventLog::new(), guard))
}

#[test]
fn blocked_lookups_leave_half_of_the_pool_to_files_and_work() {
    if !is_child("blocked_lookups_leave_half_of_the_pool_to_files_and_work") {
        return;
    }
    let Some((mut lp, aliases, _, _guard)) = start(4) else { return };
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
    aliases.wait_for(2);
    assert_eq!(answered.get(), 0);
}

#[test]
fn a_lookup_that_runs_ends_at_once_when_it_is_cancelled() {
    if !is_child("a_lookup_that_runs_ends_at_once_when_it_is_cancelled") {
        return;
    }
    let Some((mut lp, aliases, log, _guard)) = start(2) else { return };
    let _here = lp.enter();
    let note = log.clone();
    let id = dns::lookup(BLOCKED).callback(move |found| {
        let error = found.unwrap_err();
        assert!(Cancelled::is_in(&error), "{error}");
        note.push("cancelled");
    });
    aliases.wait_for(1);
    assert!(id.cancel() && !id.cancel());
    log.expect([]);
    assert!(!lp.run().unwrap(), "nothing is left to wait for");
    log.expect(["cancelled"]);
    aliases.answer();
    // The thread takes questions again, and its late answer is nobody's.
    let found = lp.block_on(dns::lookup("localhost")).unwrap();
    assert!(found.iter().all(IpAddr::is_loopback));
    lp.run().unwrap();
    log.expect([]);

    let request = dns::lookup_addrs(BLOCKED, "80");
    aliases.wait_for(1);
    assert!(request.cancel() && !request.cancel());
    assert_eq!(aliases.readers(), 1);
    assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
    assert!(!lp.is_alive());
    aliases.answer();
}

#[test]
fn a_lookup_that_runs_keeps_nothing_alive_once_it_is_dropped() {
    if !is_child("a_lookup_that_runs_keeps_nothing_alive_once_it_is_dropped") {
        return;
    }
    let Some((mut lp, aliases, _, _guard)) = start(2) else { return };
    let _here = lp.enter();
    let request = dns::lookup(BLOCKED);
    aliases.wait_for(1);
    assert!(lp.is_alive());
    drop(request);
    assert!(!lp.run().unwrap());
    aliases.answer();
    let elapsed = lp.block_on(time::timeout(ms(5), dns::lookup(BLOCKED)));
    assert!(elapsed.is_err());
    assert!(!lp.run().unwrap());
    let (controller, lookup) = (AbortController::new(), dns::lookup(BLOCKED));
    let signal = controller.signal();
    set_timeout(ms(1), move || controller.abort());
    let aborted = lp.block_on(lookup.abort_on(&signal)).unwrap_err();
    assert!(Aborted::is_in(&aborted));
    assert!(!lp.run().unwrap());
}

#[test]
fn neither_the_end_of_the_loop_nor_that_of_the_program_waits_for_a_lookup() {
    if !is_child("neither_the_end_of_the_loop_nor_that_of_the_program_waits_for_a_lookup") {
        return;
    }
    let Some((lp, aliases, log, _guard)) = start(2) else { return };
    let here = lp.enter();
    let request = dns::lookup(BLOCKED);
    let note = log.clone();
    dns::lookup(BLOCKED).callback(move |_| note.push("never"));
    aliases.wait_for(1);
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
    // That of the loop before, and half of the threads of the process.
    aliases.wait_for(3);
    set_timeout(ms(1), || runtime::exit(0));
    lp.run().unwrap();
    assert_eq!(lp.exit_code(), Some(0));
}
