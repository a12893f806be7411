//! Children that end with a signal of ours, and whom a signal of the system's meets.
#![cfg(unix)]

mod fs_support;
mod loop_support;

use std::future::Future;
use std::io::{ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fs_support::TempDir;
use loop_support::real;
use runtime::process::{Command, Process, Stdio};
use runtime::sync::{AbortController, AbortSignal, Aborted};
use runtime::{Loop, LoopGone, on_uncaught, queue_microtask, raw_os_error, set_immediate};

const SIGKILL: i32 = 9;
const SIGUSR1: i32 = 10;
const SIGTERM: i32 = 15;

fn pair() -> (AbortController, AbortSignal) {
    let controller = AbortController::new();
    let signal = controller.signal();
    (controller, signal)
}

/// How many listeners a signal has, as it says itself.
fn listeners(signal: &AbortSignal) -> String {
    let text = format!("{signal:?}");
    let count = &text[text.find("listeners: ").unwrap() + 11..];
    count.split(',').next().unwrap().to_owned()
}

fn sleep_long() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Whether the system knows a process of this number, be it a zombie or not.
fn is_there(pid: u32) -> bool {
    // SAFETY: it is given two numbers, and sends nothing.
    unsafe { libc::kill(i32::try_from(pid).unwrap(), 0) == 0 }
}

fn how_it_ends(lp: &mut Loop, child: &Process) -> Option<i32> {
    lp.block_on(child.wait()).unwrap().signal()
}

#[test]
fn a_child_is_sent_sigterm_or_what_was_said() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let asked = sleep_long().abort_on(&signal).spawn().unwrap();
    let killed = sleep_long().abort_on(&signal).kill_signal(SIGKILL).spawn().unwrap();
    let other = sleep_long().spawn().unwrap();
    assert_eq!(listeners(&signal), "2");
    controller.abort();
    assert_eq!(how_it_ends(&mut lp, &asked), Some(SIGTERM));
    assert_eq!(how_it_ends(&mut lp, &killed), Some(SIGKILL));
    other.kill(SIGKILL).unwrap();
    assert_eq!(how_it_ends(&mut lp, &other), Some(SIGKILL));
    let ids = [&asked, &killed, &other].map(Process::id);
    assert!(!ids.into_iter().any(is_there), "no zombie is left");
    lp.run().unwrap();
}

#[test]
fn an_aborted_signal_lets_nothing_start() {
    let (mut lp, log, _guards) = real();
    let temp = TempDir::new();
    let made = temp.path().join("made");
    let (controller, signal) = pair();
    controller.abort();
    let touch = || {
        let mut command = Command::new("touch");
        command.arg(&made).abort_on(&signal);
        command
    };
    assert!(Aborted::is_in(&touch().spawn().unwrap_err()));
    assert!(Aborted::is_in(&lp.block_on(touch().output()).unwrap_err()));
    let told = log.clone();
    touch().status().callback(move |status| told.push(status.unwrap_err()));
    log.expect([]);
    lp.run().unwrap();
    log.expect(["the operation was aborted"]);
    assert!(!made.exists());
}

#[test]
fn output_and_status_end_at_once_and_the_loop_with_the_child() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    // It goes on for as long as its input is open.
    let (input, mut end) = std::io::pipe().unwrap();
    let stubborn = || {
        let mut command = sh("trap '' TERM; echo ready >&2; cat");
        command.stdin(input.try_clone().unwrap()).abort_on(&signal);
        command
    };
    let (mut err, child_err) = std::io::pipe().unwrap();
    for _ in 0..2 {
        let told = log.clone();
        stubborn()
            .stderr(child_err.try_clone().unwrap())
            .stdout(Stdio::null())
            .output()
            .callback(move |output| told.push(format!("output: {}", output.unwrap_err())));
    }
    let told = log.clone();
    let status = stubborn().stderr(child_err).stdout(Stdio::null()).status();
    drop(runtime::spawn(async move {
        told.push(format!("status: {}", status.await.unwrap_err()));
    }));
    drop(input);
    wait_for_lines(&mut err, 3);
    lp.run_nowait().unwrap();
    controller.abort();
    queue_microtask(log.mark("microtask"));
    lp.run_nowait().unwrap();
    log.expect([
        "status: the operation was aborted",
        "microtask",
        "output: the operation was aborted",
        "output: the operation was aborted",
    ]);
    // They do not heed the signal.
    assert!(lp.is_alive());
    end.write_all(b"x").unwrap();
    drop(end);
    lp.run().unwrap();
    assert_eq!(listeners(&signal), "0");
}

fn wait_for_lines(from: &mut std::io::PipeReader, count: usize) {
    use std::io::Read;
    let mut seen = 0;
    let mut byte = [0];
    while seen < count {
        from.read_exact(&mut byte).unwrap();
        seen += usize::from(byte[0] == b'\n');
    }
}

#[test]
fn output_that_is_there_is_given_though_the_signal_is_aborted_afterwards() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let told = log.clone();
    let own = controller.clone();
    sh("echo out").abort_on(&signal).output().callback(move |output| {
        own.abort();
        told.push(String::from_utf8(output.unwrap().stdout).unwrap().trim());
    });
    assert_eq!(listeners(&signal), "2");
    lp.run().unwrap();
    log.expect(["out"]);
    assert_eq!(listeners(&signal), "0");
}

#[test]
fn a_child_leaves_the_signal_with_its_end_or_with_its_handle() {
    let (mut lp, _log, _guards) = real();
    let (controller, signal) = pair();
    let ended = sh("exit 0").abort_on(&signal).spawn().unwrap();
    lp.run().unwrap();
    assert_eq!(listeners(&signal), "0");
    drop(ended);

    // Dropped it goes on, and is killed; closed it goes on, and is not.
    let dropped = sleep_long().abort_on(&signal).spawn().unwrap();
    let closed = sleep_long().abort_on(&signal).spawn().unwrap();
    let killed = sleep_long().abort_on(&signal).kill_on_drop(true).spawn().unwrap();
    let closed_id = closed.id();
    assert_eq!(listeners(&signal), "3");
    closed.close();
    drop(killed);
    assert_eq!(listeners(&signal), "1");
    drop(dropped);
    assert_eq!(listeners(&signal), "1");
    controller.abort();
    lp.run().unwrap();
    assert!(is_there(closed_id));
    // SAFETY: it is given two numbers: those of a child of ours that nobody else knows of.
    unsafe { libc::kill(i32::try_from(closed_id).unwrap(), SIGKILL) };
}

#[test]
fn a_wait_that_is_aborted_does_not_kill() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let child = sleep_long().spawn().unwrap();
    let told = log.clone();
    child.wait().abort_on(&signal).callback(move |status| told.push(status.unwrap_err()));
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["the operation was aborted"]);
    child.kill(0).unwrap();
    child.kill(SIGKILL).unwrap();
    assert_eq!(how_it_ends(&mut lp, &child), Some(SIGKILL));
}

#[test]
fn an_output_request_that_is_aborted_alone_lets_the_child_go_on() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let (input, end) = std::io::pipe().unwrap();
    let told = log.clone();
    Command::new("cat").stdin(input).output().abort_on(&signal).callback(move |output| {
        told.push(output.unwrap_err());
    });
    controller.abort();
    lp.run_nowait().unwrap();
    log.expect(["the operation was aborted"]);
    assert!(lp.is_alive());
    drop(end);
    lp.run().unwrap();
}

#[test]
fn a_signal_that_can_not_be_sent_is_thrown() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let told = log.clone();
    on_uncaught(move |thrown| told.push(thrown.to_string()));
    let child = sleep_long().abort_on(&signal).kill_signal(1000).spawn().unwrap();
    controller.abort();
    lp.run_nowait().unwrap();
    let said = log.take();
    assert!(said.len() == 1 && said[0].contains("cannot send signal 1000"), "{said:?}");
    child.kill(SIGKILL).unwrap();
    lp.run().unwrap();
}

#[test]
fn the_abort_may_come_from_a_callback_of_the_child() {
    let (mut lp, log, _guards) = real();
    let (controller, signal) = pair();
    let child = sh("echo; exec sleep 1000").abort_on(&signal).stdout(Stdio::piped()).spawn();
    let child = child.unwrap();
    let told = log.clone();
    child.take_stdout().unwrap().read_start(move |_, read| {
        told.push(read.map_or(0, <[u8]>::len));
        controller.abort();
    });
    let told = log.clone();
    child.wait().callback(move |status| told.push(status.unwrap().signal().unwrap()));
    set_immediate(|| ());
    lp.run().unwrap();
    let said = log.take();
    assert!(said.contains(&"1".to_owned()) && said.contains(&SIGTERM.to_string()), "{said:?}");
}

/// Another part of the program takes the status of a child; before the loop has learned of that, its
/// number is another process's.
#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
#[test]
fn a_signal_never_hits_another_process_that_has_the_number_by_now() {
    let (mut lp, _log, _guards) = real();
    for _ in 0..200 {
        let child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut status = 0;
        // SAFETY: the number of a child, and room for its status.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        if let Err(error) = std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()) {
            behaviour::tell(format!("skipped, since no number can be had again: {error}"));
            return;
        }
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let has_the_number = other.id() == child.id();
        if has_the_number {
            let error = child.kill(SIGUSR1).unwrap_err();
            assert_eq!(raw_os_error(&error), Some(libc::ESRCH));
            drop(child);
        }
        assert!(other.try_wait().unwrap().is_none(), "it was hit");
        other.kill().unwrap();
        other.wait().unwrap();
        lp.run().unwrap();
        if has_the_number {
            return;
        }
    }
    behaviour::tell("skipped, since others were always faster to take the number");
}

#[test]
fn a_loop_that_goes_ends_a_request_for_output_and_its_place_in_the_line() {
    let (lp, _log, guards) = real();
    let (controller, signal) = pair();
    let (input, end) = std::io::pipe().unwrap();
    let cat = || {
        let mut command = Command::new("cat");
        command.stdin(input.try_clone().unwrap());
        command
    };
    let plain = cat().output();
    let tied = cat().output().abort_on(&signal);
    cat().abort_on(&signal).status().callback(|_| unreachable!("its loop is gone"));
    drop((guards, lp));
    let mut cx = Context::from_waker(Waker::noop());
    for mut request in [plain, tied] {
        match Pin::new(&mut request).poll(&mut cx) {
            Poll::Ready(Err(error)) => assert!(LoopGone::is_in(&error)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(listeners(&signal), "0");
    controller.abort();
    drop(end);
}

#[test]
fn a_start_that_fails_leaves_nothing_with_the_signal() {
    let (_lp, _log, _guards) = real();
    let (_controller, signal) = pair();
    let error = Command::new("/nowhere/nosuch").abort_on(&signal).spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(listeners(&signal), "0");
}
