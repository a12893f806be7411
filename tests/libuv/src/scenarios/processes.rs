//! Child processes: when their end is told, among each other and beside what they wrote.
//!
//! Where the order is to be seen, the child has ended before the loop runs. The system keeps it until the
//! loop asks for its status. libuv's first spawn tries something by a child of its own, so a loop has an
//! iteration behind it where that one's signal would count.

use super::signals::{USR1, raise, watch};
use crate::handles::{
    close, must, note, note_active, note_alive, note_wait, run, settle, start_check, start_timer,
};
use crate::labels::status;
use crate::sockets::{iterate, note_read, open_stream, shut_down_noted, write_noted};
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Async, Timer};
use runtime::process::{Command, Process, Stdio};
use runtime::{Loop, ms};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A child that lives until it is killed.
const SLEEPS: &str = "exec sleep 1000";

/// How a child ended, as `LABEL=` its status, or `LABEL=signal-` the number.
fn end(label: &str, ended: &io::Result<ExitStatus>) -> String {
    match ended.as_ref().map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => format!("{label}={code}"),
        Ok((None, signal)) => format!("{label}=signal-{}", signal.unwrap_or(0)),
        Err(_) => status(label, ended),
    }
}

/// A shell command that is to be run without pipes.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null());
    shell
}

/// Runs it; its end is noted, and `f` called.
fn spawn_then(
    log: &EventLog,
    label: &'static str,
    command: &mut Command,
    f: impl FnOnce(&EventLog, &Process) + 'static,
) -> io::Result<Process> {
    let (child, log) = (command.spawn()?, log.clone());
    let ended = child.clone();
    child.wait().callback(move |result| {
        log.push(end(label, &result));
        f(&log, &ended);
    });
    Ok(child)
}

/// Runs it; its end is noted.
fn spawn(log: &EventLog, label: &'static str, command: &str) -> io::Result<Process> {
    spawn_then(log, label, &mut shell(command), |_, _| ())
}

/// Waits until the child has ended, and leaves its status to the loop.
fn await_end(child: &Process) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a number");
    must(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
}

fn kill_and_await(child: &Process) {
    must(child.kill(libc::SIGKILL));
    await_end(child);
}

// --- in the iteration ---

fn the_end_of_a_child_comes_after_its_output_and_before_check(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let mut command = shell("echo hello; exit 3");
    let child = spawn_then(log, "child", command.stdout(Stdio::piped()), |_, _| ())?;
    await_end(&child);
    let output = child.take_stdout().expect("it is piped");
    output.read_start(note_read(log, "out"));
    let _check = start_check(note(log, "check"));
    let _timer = start_timer(ms(0), note(log, "timer"));
    close(&Timer::new(), log, "close");
    iterate(lp, log, 2)
}

fn the_output_of_a_child_outlives_it(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let mut command = shell("echo hello");
    let child = spawn_then(log, "child", command.stdout(Stdio::piped()), |_, _| ())?;
    await_end(&child);
    iterate(lp, log, 1)?;
    let output = child.take_stdout().expect("it is piped");
    output.read_start(note_read(log, "out"));
    iterate(lp, log, 2)
}

fn a_child_that_reads_its_input_to_the_end(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let mut command = shell("cat >/dev/null; exit 7");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, output) = (child.take_stdin(), child.take_stdout());
    let (input, output) = (input.expect("it is piped"), output.expect("it is piped"));
    output.read_start(note_read(log, "out"));
    write_noted(&input, log, 5, "write");
    shut_down_noted(&input, log, "shutdown");
    let log_end = log.clone();
    child.wait().callback(move |result| log_end.push(end("child", &result)));
    run(lp, log, Loop::run)
}

fn a_signal_that_came_before_a_child_ended(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signal = watch(log, "signal", USR1);
    let child = spawn(log, "child", SLEEPS)?;
    settle(lp)?;
    raise(USR1);
    kill_and_await(&child);
    iterate(lp, log, 2)
}

fn a_signal_that_came_after_a_child_ended(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signal = watch(log, "signal", USR1);
    let child = spawn(log, "child", "exit 0")?;
    await_end(&child);
    raise(USR1);
    iterate(lp, log, 2)
}

fn what_the_end_of_a_child_sets_off(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let sender = Async::new(note(log, "async")).sender();
    let ((stream, _peer), due) = (open_stream()?, Timer::new());
    let child = spawn_then(log, "child", &mut shell("exit 0"), move |log, child| {
        must(sender.send());
        must(due.start(ms(0), None, note(log, "timer")));
        write_noted(&stream, log, 1, "write");
        close_child(log, child);
    })?;
    await_end(&child);
    let _check = start_check(note(log, "check"));
    iterate(lp, log, 2)
}

// --- several ---

fn spawn_three(lp: &mut Loop, log: &EventLog) -> io::Result<[Process; 3]> {
    let children =
        [spawn(log, "first", SLEEPS)?, spawn(log, "second", SLEEPS)?, spawn(log, "third", SLEEPS)?];
    settle(lp)?;
    Ok(children)
}

fn children_that_ended_in_the_order_they_were_started(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let children = spawn_three(lp, log)?;
    children.iter().for_each(kill_and_await);
    iterate(lp, log, 2)
}

fn children_that_ended_in_another_order(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let [first, second, third] = spawn_three(lp, log)?;
    [third, first, second].iter().for_each(kill_and_await);
    iterate(lp, log, 2)
}

fn a_child_that_ends_while_the_end_of_another_is_told(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let second = spawn(log, "second", SLEEPS)?;
    let killed = second.clone();
    let kill_the_second = move |_: &EventLog, _: &Process| kill_and_await(&killed);
    let first = spawn_then(log, "first", &mut shell(SLEEPS), kill_the_second)?;
    let third = spawn(log, "third", SLEEPS)?;
    settle(lp)?;
    kill_and_await(&first);
    iterate(lp, log, 2)?;
    kill_and_await(&third);
    iterate(lp, log, 1)
}

fn the_first_of_two_children_closes_the_other(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let second = spawn(log, "second", SLEEPS)?;
    let closed = second.clone();
    let close_the_second = move |log: &EventLog, _: &Process| close(&closed, log, "second");
    let first = spawn_then(log, "first", &mut shell("exit 0"), close_the_second)?;
    await_end(&first);
    kill_and_await(&second);
    iterate(lp, log, 2)
}

// --- kill ---

fn a_child_is_killed_before_and_after_its_end_is_told(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let note_kill =
        |log: &EventLog, child: &Process| log.push(status("kill", &child.kill(libc::SIGTERM)));
    let child = spawn_then(log, "child", &mut shell("exit 0"), note_kill)?;
    await_end(&child);
    note_kill(log, &child);
    iterate(lp, log, 1)
}

fn a_child_that_a_signal_ended(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let child = spawn(log, "child", SLEEPS)?;
    child.kill(0)?;
    child.kill(libc::SIGTERM)?;
    run(lp, log, Loop::run)
}

fn a_program_that_is_not_there(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    log.push(status("spawn", &Command::new("no-such-program").spawn()));
    note_alive(log, lp);
    iterate(lp, log, 1)
}

// --- liveness and close ---

fn a_child_keeps_the_loop_alive_until_its_end_is_told(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let alive = (**lp).clone();
    let note_liveness = move |log: &EventLog, child: &Process| {
        note_active(log, child);
        note_alive(log, &alive);
    };
    let child = spawn_then(log, "child", &mut shell("exit 0"), note_liveness)?;
    await_end(&child);
    note_active(log, &child);
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_child_that_ended_does_not_show_in_the_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let child = spawn(log, "child", SLEEPS)?;
    settle(lp)?;
    note_wait(log, "before", lp);
    kill_and_await(&child);
    note_wait(log, "after", lp);
    run(lp, log, Loop::run_once)
}

fn an_unreferenced_child_keeps_nothing_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let child = spawn(log, "child", SLEEPS)?;
    child.unref();
    note_active(log, &child);
    note_alive(log, lp);
    run(lp, log, Loop::run)?;
    kill_and_await(&child);
    iterate(lp, log, 1)
}

fn close_child(log: &EventLog, child: &Process) {
    close(child, log, "child");
}

fn a_child_that_is_closed_in_its_callback(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let child = spawn_then(log, "child", &mut shell("exit 0"), close_child)?;
    await_end(&child);
    iterate(lp, log, 2)
}

fn a_child_that_is_closed_before_its_end_is_told(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let child = spawn(log, "child", "exit 0")?;
    await_end(&child);
    close_child(log, &child);
    iterate(lp, log, 2)
}

fn a_child_and_its_pipes_are_closed_together(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let mut command = shell("exit 0");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, output) = (child.take_stdin(), child.take_stdout());
    let (noted, ended) = (log.clone(), child.clone());
    child.wait().callback(move |result| {
        noted.push(end("child", &result));
        close_child(&noted, &ended);
    });
    await_end(&child);
    iterate(lp, log, 1)?;
    close(&input.expect("it is piped"), log, "in");
    close(&output.expect("it is piped"), log, "out");
    iterate(lp, log, 1)
}

table! {
    the_end_of_a_child_comes_after_its_output_and_before_check,
    the_output_of_a_child_outlives_it,
    a_child_that_reads_its_input_to_the_end,
    a_signal_that_came_before_a_child_ended,
    a_signal_that_came_after_a_child_ended,
    what_the_end_of_a_child_sets_off,
    children_that_ended_in_the_order_they_were_started,
    children_that_ended_in_another_order,
    a_child_that_ends_while_the_end_of_another_is_told,
    the_first_of_two_children_closes_the_other,
    a_child_is_killed_before_and_after_its_end_is_told,
    a_child_that_a_signal_ended,
    a_program_that_is_not_there,
    a_child_keeps_the_loop_alive_until_its_end_is_told,
    a_child_that_ended_does_not_show_in_the_wait,
    an_unreferenced_child_keeps_nothing_alive,
    a_child_that_is_closed_in_its_callback,
    a_child_that_is_closed_before_its_end_is_told,
    a_child_and_its_pipes_are_closed_together,
}
