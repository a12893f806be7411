//! The contender as a program, run by a tool that counts.

use std::fs::{create_dir, read_to_string, remove_dir_all};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::{Pid, Signal, kill_process};

use crate::budgets::{Gate, Operations};
use crate::client::{Client, free_port, open_and_wait};

const CONTENDER: &str = env!("CARGO_BIN_EXE_contender");

/// Says why instructions can't be counted here.
pub(crate) fn can_count_instructions() -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("only the instructions of an optimised build count: add --release".into());
    }
    is_there("valgrind")
}

/// Says why system calls can't be counted here.
pub(crate) fn can_count_calls() -> Result<(), String> {
    is_there("strace")
}

fn is_there(tool: &str) -> Result<(), String> {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|error| format!("{tool}: {error}"))
}

/// Counts the user instructions of a run, those of the loop's thread: others may wait by turns that nobody counts.
pub(crate) fn instructions(gate: &Gate, operations: Operations) -> u64 {
    let report = ReportFile::new();
    let mut tool = Command::new("valgrind");
    tool.args(["--quiet", "--tool=callgrind", "--separate-threads=yes"]);
    tool.arg(format!("--callgrind-out-file={}", report.path().display()));
    run(tool, gate, operations);
    let text = report.read_first_thread();
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.expect("callgrind's totals").parse().expect("a count")
}

/// Counts the system calls of a run, of all threads.
pub(crate) fn calls(gate: &Gate, operations: Operations) -> u64 {
    let report = ReportFile::new();
    let mut tool = Command::new("strace");
    tool.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(report.path());
    run(tool, gate, operations);
    sum_of_calls(&report.read(), gate.uncounted.as_deref())
}

/// Adds up strace's table: lines of a number and a name.
fn sum_of_calls(table: &str, uncounted: Option<&str>) -> u64 {
    let calls = table.lines().filter_map(|line| {
        let (count, name) = line.trim().split_once(char::is_whitespace)?;
        Some((count.parse::<u64>().ok()?, name.trim()))
    });
    calls.filter(|(_, name)| *name != "total" && Some(*name) != uncounted).map(|call| call.0).sum()
}

/// Runs the contender by `tool` until it has done all and ended.
fn run(mut tool: Command, gate: &Gate, operations: Operations) {
    tool.arg(CONTENDER).args(gate.run.split_whitespace()).stdout(Stdio::null());
    match operations {
        Operations::InProcess(count) => {
            let status = tool.args(["--n", &count.to_string()]).status();
            assert!(status.expect("the tool is there").success(), "{} failed", gate.of);
        }
        Operations::OverConnections { connections, rounds } => {
            let (server, port) = Server::start(tool);
            let mut client = Client::connect(port, connections);
            client.talk(rounds);
            server.end();
        }
        Operations::Connections { at_once, rounds } => {
            let (server, port) = Server::start(tool);
            open_and_wait(port, at_once, rounds);
            server.end();
        }
    }
}

/// A server with the tool that runs it. It does not outlive this.
struct Server(Child);

impl Server {
    /// Starts a server by `tool`, at the port that it gives.
    fn start(mut tool: Command) -> (Self, u16) {
        let port = free_port();
        tool.args(["--port", &port.to_string(), "--seconds", "300"]);
        (Self(tool.spawn().expect("the tool is there")), port)
    }

    /// Ends the server, and waits until the tool has written its report.
    fn end(mut self) {
        self.terminate();
        self.0.wait().expect("it is our child");
    }

    /// A valgrind is the contender; a strace is its parent, and ends with it.
    fn terminate(&self) {
        let tool = self.0.id();
        let children = read_to_string(format!("/proc/{tool}/task/{tool}/children"));
        let child = children.ok().and_then(|pids| pids.split_whitespace().next()?.parse().ok());
        let pid = child.and_then(Pid::from_raw).unwrap_or_else(|| Pid::from_child(&self.0));
        // It may be gone, if it failed: then its report is missing, which says so.
        let _ = kill_process(pid, Signal::TERM);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            self.terminate();
        }
    }
}

/// Where a tool writes its report, and callgrind one for each thread besides.
struct ReportFile(PathBuf);

impl ReportFile {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bench-counts-{}-{}", id(), COUNT.fetch_add(1, Relaxed));
        let directory = std::env::temp_dir().join(name);
        create_dir(&directory).expect("a directory for the report");
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.join("report")
    }

    fn read(&self) -> String {
        read_to_string(self.path()).expect("the tool's report")
    }

    /// That of the thread that `main` runs on.
    fn read_first_thread(&self) -> String {
        read_to_string(self.0.join("report-01")).expect("callgrind's report")
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        // It is in the temporary directory: what is left there goes some day.
        let _ = remove_dir_all(&self.0);
    }
}
