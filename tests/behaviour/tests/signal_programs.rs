//! Programs that are sent signals: what they do, and what ends them.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use behaviour::Deadline;
use runtime::signal::{SIGINT, SIGTERM};

/// A program that said that it is ready.
struct Program {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    _guard: Deadline,
}

impl Program {
    #[track_caller]
    fn start(way: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signals"))
            .arg(way)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, stdout, _guard: Deadline::secs(20) };
        program.expect("ready");
        program
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        let mut read = String::new();
        self.stdout.read_line(&mut read).unwrap();
        assert_eq!(read.trim_end(), line);
    }

    #[allow(unsafe_code)]
    fn send(&self, signum: i32) {
        // SAFETY: a call with two numbers. The child was not waited for, so its number is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signum) }, 0);
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    /// One that a failed test left behind; the status of one that has ended is known.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_ends_the_wait_and_not_the_program() {
    let mut program = Program::start("await");
    program.send(SIGINT);
    program.expect("caught");
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_main_that_waits_for_nothing_but_a_signal_waits() {
    let program = Program::start("awaits_nothing_else");
    program.send(SIGTERM);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn the_second_ctrl_c_ends_the_program() {
    let mut program = Program::start("second");
    program.send(SIGINT);
    program.expect("caught");
    program.send(SIGINT);
    assert_eq!(program.end().signal(), Some(SIGINT));
}

#[test]
fn ctrl_c_ends_a_program_that_dropped_its_wait() {
    let program = Program::start("dropped");
    program.send(SIGINT);
    assert_eq!(program.end().signal(), Some(SIGINT));
}

#[test]
fn a_wait_calls_back_with_the_number() {
    let mut program = Program::start("callback");
    program.send(SIGTERM);
    program.expect(&format!("caught {SIGTERM}"));
    assert_eq!(program.end().code(), Some(7));
}

#[test]
fn a_watcher_alone_keeps_no_program_alive() {
    let _guard = Deadline::secs(20);
    let status = Command::new(env!("CARGO_BIN_EXE_signals")).arg("unref").status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn what_a_forked_child_catches_is_not_told_to_its_parent() {
    let _guard = Deadline::secs(20);
    let mut child = Command::new(env!("CARGO_BIN_EXE_signals"))
        .arg("fork")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((said.trim_end(), child.wait().unwrap().code()), ("child 0, told 0", Some(0)));
}
