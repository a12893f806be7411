//! The pool: what is queued for its one thread, and what becomes of that.

use crate::handles::{note, note_alive, run, start_check};
use crate::labels::status;
use crate::sockets::{iterate, note_read, open_stream, send_bytes};
use crate::table;
use behaviour::EventLog;
use runtime::handle::Async;
use runtime::{JoinError, JoinHandle, Loop, RequestId, fs, spawn_blocking};
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// Lets the job that waits go on.
pub(super) type Gate = Sender<()>;

/// A callback that notes `LABEL=` how the job ended.
pub(super) fn note_job<T>(
    log: &EventLog,
    label: &'static str,
) -> impl FnOnce(Result<T, JoinError>) + use<T> {
    let log = log.clone();
    move |joined| log.push(status(label, &joined.map_err(io::Error::from)))
}

/// As `note_job`; then the job that waits goes on.
fn note_and_open_the_gate(
    log: &EventLog,
    label: &'static str,
    gate: Gate,
) -> impl FnOnce(Result<(), JoinError>) + use<> {
    let note = note_job(log, label);
    move |joined| {
        note(joined);
        open(&gate);
    }
}

pub(super) fn open(gate: &Gate) {
    gate.send(()).expect("the job waits");
}

/// A job that does nothing, whose end is noted.
fn queue(log: &EventLog, label: &'static str) {
    spawn_blocking(|| ()).callback(note_job(log, label));
}

/// A job that waits at the gate, and runs: what was queued before is done.
fn queue_and_wait() -> (JoinHandle<()>, Gate) {
    let (started, has_started) = channel();
    let (gate, opened) = channel();
    let job = spawn_blocking(move || {
        started.send(()).expect("who queued it waits");
        // An error is as good: the scenario is over.
        let _ = opened.recv();
    });
    has_started.recv().expect("the job runs");
    (job, gate)
}

fn jobs_run_and_end_in_the_order_they_were_queued(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let order = Arc::new(Mutex::new(Vec::new()));
    for label in ["1", "2", "3", "4", "5"] {
        let order = order.clone();
        let turn = move || order.lock().expect("nobody panics").push(label);
        spawn_blocking(turn).callback(note_job(log, label));
    }
    run(lp, log, Loop::run)?;
    order.lock().expect("nobody panics").iter().for_each(|label| log.push(format!("ran-{label}")));
    Ok(())
}

fn a_queued_job_is_cancelled_and_a_running_one_is_not(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (first, gate) = queue_and_wait();
    queue(log, "2");
    let third = spawn_blocking(|| ());
    queue(log, "4");
    third.abort();
    first.abort();
    first.callback(note_job(log, "1"));
    third.callback(note_and_open_the_gate(log, "3", gate));
    log.push("asked");
    run(lp, log, Loop::run)
}

fn cancelled_jobs_end_in_the_order_of_cancelling(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (first, gate) = queue_and_wait();
    first.callback(note_job(log, "1"));
    queue(log, "2");
    let [third, fourth, fifth] = [(); 3].map(|()| spawn_blocking(|| ()));
    fifth.abort();
    fourth.abort();
    third.abort();
    third.callback(note_and_open_the_gate(log, "3", gate));
    fourth.callback(note_job(log, "4"));
    fifth.callback(note_job(log, "5"));
    run(lp, log, Loop::run)
}

fn a_job_that_is_done_is_not_cancelled(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = spawn_blocking(|| ());
    let (second, gate) = queue_and_wait();
    second.callback(note_job(log, "2"));
    first.abort();
    first.callback(note_job(log, "1"));
    open(&gate);
    run(lp, log, Loop::run)
}

fn a_callback_cancels_a_queued_job(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let first = spawn_blocking(|| ());
    let (second, gate) = queue_and_wait();
    second.callback(note_job(log, "2"));
    let third = spawn_blocking(|| ());
    let (note, noting) = (note_job(log, "1"), log.clone());
    first.callback(move |joined| {
        note(joined);
        third.abort();
        third.callback(note_and_open_the_gate(&noting, "3", gate));
    });
    run(lp, log, Loop::run)
}

fn jobs_end_in_the_order_in_which_they_are_done_or_cancelled(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    queue(log, "1");
    let (second, gate) = queue_and_wait();
    second.callback(note_job(log, "2"));
    let third = spawn_blocking(|| ());
    queue(log, "4");
    third.abort();
    third.callback(note_job(log, "3"));
    iterate(lp, log, 1)?;
    open(&gate);
    run(lp, log, Loop::run)
}

/// A question to the file system; the callback notes `file=` the status and goes on with `f`.
fn ask(log: &EventLog, path: &str, f: impl FnOnce() + 'static) -> RequestId {
    let log = log.clone();
    fs::metadata(path).callback(move |answer| {
        log.push(status("file", &answer));
        f();
    })
}

fn cancel(request: RequestId, log: &EventLog) {
    log.push(if request.cancel() { "cancel=0" } else { "cancel=EBUSY" });
}

fn a_queued_file_operation_is_cancelled(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (job, gate) = queue_and_wait();
    job.callback(note_job(log, "1"));
    cancel(ask(log, "/", move || open(&gate)), log);
    log.push("asked");
    run(lp, log, Loop::run)
}

fn a_file_operation_that_is_done_is_not_cancelled(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let file = ask(log, "/", || ());
    let (job, gate) = queue_and_wait();
    job.callback(note_job(log, "1"));
    cancel(file, log);
    open(&gate);
    run(lp, log, Loop::run)
}

fn a_file_operation_is_cancelled_twice(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (job, gate) = queue_and_wait();
    job.callback(note_job(log, "1"));
    let file = ask(log, "/", move || open(&gate));
    cancel(file, log);
    cancel(file, log);
    run(lp, log, Loop::run)
}

fn a_file_operation_that_fails(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    ask(log, "/nothing/here", || ());
    run(lp, log, Loop::run)
}

fn jobs_and_file_operations_stand_in_one_line(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (job, gate) = queue_and_wait();
    job.callback(note_job(log, "1"));
    queue(log, "2");
    ask(log, "/", || ());
    queue(log, "3");
    open(&gate);
    run(lp, log, Loop::run)
}

fn a_job_queued_by_a_callback_ends_in_a_later_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    start_check(note(log, "check")).unref();
    let (note, noting) = (note_job(log, "1"), log.clone());
    spawn_blocking(|| ()).callback(move |joined| {
        note(joined);
        queue(&noting, "2");
    });
    run(lp, log, Loop::run)
}

fn jobs_that_are_done_come_before_asyncs(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let signalled = Async::new(note(log, "async"));
    signalled.sender().send()?;
    queue(log, "1");
    queue(log, "2");
    let (job, gate) = queue_and_wait();
    job.callback(note_job(log, "3"));
    iterate(lp, log, 1)?;
    signalled.unref();
    open(&gate);
    run(lp, log, Loop::run)
}

fn a_descriptor_that_is_ready_before_a_job_is_done(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, peer) = open_stream()?;
    a.read_start(note_read(log, "a"));
    iterate(lp, log, 1)?;
    send_bytes(&peer, 3)?;
    queue(log, "1");
    let (_job, _gate) = queue_and_wait();
    iterate(lp, log, 1)
}

fn a_queued_job_keeps_the_loop_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    note_alive(log, lp);
    queue(log, "1");
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_cancelled_job_keeps_the_loop_alive_until_it_is_told(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (first, gate) = queue_and_wait();
    first.callback(note_job(log, "1"));
    let second = spawn_blocking(|| ());
    second.abort();
    second.callback(note_job(log, "2"));
    note_alive(log, lp);
    iterate(lp, log, 1)?;
    open(&gate);
    run(lp, log, Loop::run)
}

fn a_job_that_is_done_is_told_to_the_loop_that_queued_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let mut another = Loop::new()?;
    queue(log, "1");
    let here = another.enter();
    queue(log, "2");
    drop(here);
    run(&mut another, log, Loop::run)?;
    run(lp, log, Loop::run)
}

fn a_loop_goes_away_with_jobs_queued(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    ["1", "2", "3", "4", "5"].into_iter().for_each(|label| queue(log, label));
    note_alive(log, lp);
    Ok(())
}

table!(
    jobs_run_and_end_in_the_order_they_were_queued,
    a_queued_job_is_cancelled_and_a_running_one_is_not,
    cancelled_jobs_end_in_the_order_of_cancelling,
    a_job_that_is_done_is_not_cancelled,
    a_callback_cancels_a_queued_job,
    jobs_end_in_the_order_in_which_they_are_done_or_cancelled,
    a_queued_file_operation_is_cancelled,
    a_file_operation_that_is_done_is_not_cancelled,
    a_file_operation_is_cancelled_twice,
    a_file_operation_that_fails,
    jobs_and_file_operations_stand_in_one_line,
    a_job_queued_by_a_callback_ends_in_a_later_iteration,
    jobs_that_are_done_come_before_asyncs,
    a_descriptor_that_is_ready_before_a_job_is_done,
    a_queued_job_keeps_the_loop_alive,
    a_cancelled_job_keeps_the_loop_alive_until_it_is_told,
    a_job_that_is_done_is_told_to_the_loop_that_queued_it,
    a_loop_goes_away_with_jobs_queued,
);
