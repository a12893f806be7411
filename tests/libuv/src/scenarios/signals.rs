//! Signals: their order among each other and in the poll phase, and what stop, start and close do to them.
//!
//! A watcher of ours starts unreferenced; here it is referenced, as libuv's is.

use crate::handles::{
    NEVER, close, must, note, note_active, note_alive, note_wait, noting, run, settle, start_check,
    start_timer,
};
use crate::labels::status;
use crate::sockets::{iterate, note_read, open_stream, read_then, send_bytes, write_noted};
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Async, Check, Signal, Timer};
use runtime::{Loop, ms};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

pub(super) const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

/// Sends a signal to this thread: its handler has run when this returns.
pub(super) fn raise(signum: i32) {
    // SAFETY: a call with a number. The signal is watched, or nothing is done about it.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// Sends signals to this thread that wait in the system until all were sent.
fn raise_together(signums: &[i32]) {
    // SAFETY: the set is made by the system before it is used, and lives as long as the calls.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        signums.iter().for_each(|signum| assert_eq!(libc::sigaddset(&mut set, *signum), 0));
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        signums.iter().for_each(|signum| raise(*signum));
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
    }
}

fn make() -> Signal {
    let signal = Signal::new();
    signal.ref_();
    signal
}

/// A callback that notes `label`, and goes on with `f`.
fn noted<F: FnMut(&EventLog, &Signal)>(
    log: &EventLog,
    label: &'static str,
    mut f: F,
) -> impl FnMut(&Signal, i32) + use<F> {
    let log = log.clone();
    move |signal, _| {
        log.push(label);
        f(&log, signal);
    }
}

/// A watcher that notes `label`, and goes on with `f`.
fn watch_then(
    log: &EventLog,
    label: &'static str,
    signum: i32,
    f: impl FnMut(&EventLog, &Signal) + 'static,
) -> Signal {
    let signal = make();
    must(signal.start(signum, noted(log, label, f)));
    signal
}

/// A watcher that notes `label`.
pub(super) fn watch(log: &EventLog, label: &'static str, signum: i32) -> Signal {
    watch_then(log, label, signum, |_, _| ())
}

/// The same, for one time.
fn watch_once_then(
    log: &EventLog,
    label: &'static str,
    signum: i32,
    f: impl FnMut(&EventLog, &Signal) + 'static,
) -> Signal {
    let signal = make();
    must(signal.start_once(signum, noted(log, label, f)));
    signal
}

// --- in the iteration ---

fn signals_come_after_what_is_readable_and_before_check(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _signal = watch(log, "signal", USR1);
    let (stream, peer) = open_stream()?;
    stream.read_start(note_read(log, "a"));
    let sender = Async::new(note(log, "async")).sender();
    settle(lp)?;
    let _check = start_check(note(log, "check"));
    let _timer = start_timer(ms(0), note(log, "timer"));
    close(&Timer::new(), log, "close");
    must(sender.send());
    raise(USR1);
    send_bytes(&peer, 1)?;
    iterate(lp, log, 1)
}

fn a_signal_ends_the_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signal = watch(log, "signal", USR1);
    let _never = start_timer(NEVER, note(log, "never"));
    settle(lp)?;
    raise(USR1);
    run(lp, log, Loop::run_once)
}

fn a_signal_that_comes_while_events_are_told(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signal = watch(log, "first", USR1);
    let (stream, peer) = open_stream()?;
    stream.read_start(read_then(log, "a", |_, _| raise(USR1)));
    send_bytes(&peer, 1)?;
    iterate(lp, log, 2)
}

fn a_signal_that_comes_while_events_are_told_behind_another(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _signals = [watch(log, "first", USR1), watch(log, "second", USR2)];
    let (stream, peer) = open_stream()?;
    stream.read_start(read_then(log, "a", |_, _| raise(USR1)));
    settle(lp)?;
    raise(USR2);
    send_bytes(&peer, 1)?;
    iterate(lp, log, 2)
}

fn a_signal_that_comes_in_its_callback(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let mut calls = 0;
    let _signal = watch_then(log, "signal", USR1, move |_, _| {
        calls += 1;
        if calls < 3 {
            raise(USR1);
        }
    });
    raise(USR1);
    iterate(lp, log, 4)
}

fn a_signal_that_stops_the_loop(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let stopped = (**lp).clone();
    let _first = watch_then(log, "first", USR1, move |_, _| stopped.stop());
    let _second = watch(log, "second", USR2);
    let _check = start_check(note(log, "check"));
    let _never = start_timer(NEVER, note(log, "never"));
    raise(USR1);
    raise(USR2);
    run(lp, log, Loop::run)
}

fn what_a_signal_sets_off(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let sender = Async::new(note(log, "async")).sender();
    let ((writer, _peer), due) = (open_stream()?, Timer::new());
    let _signal = watch_then(log, "signal", USR1, move |log, signal| {
        must(sender.send());
        must(due.start(ms(0), None, note(log, "timer")));
        write_noted(&writer, log, 1, "write");
        signal.stop();
    });
    settle(lp)?;
    let _check = start_check(note(log, "check"));
    raise(USR1);
    iterate(lp, log, 2)
}

// --- several ---

fn signals_of_two_kinds_come_in_their_order(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signals = [watch(log, "1", USR1), watch(log, "2", USR2)];
    [USR2, USR1, USR1, USR2].into_iter().for_each(raise);
    iterate(lp, log, 2)
}

fn signals_that_wait_in_the_system_are_one(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signals = [watch(log, "1", USR1), watch(log, "2", USR2)];
    raise_together(&[USR1; 3]);
    raise(USR2);
    iterate(lp, log, 2)
}

fn a_flood_of_signals(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (count, signal) = (Rc::new(Cell::new(0)), make());
    let counted = count.clone();
    signal.start(USR1, move |_, _| counted.set(counted.get() + 1))?;
    (0..1200).for_each(|_| raise(USR1));
    for _ in 0..4 {
        lp.run_nowait()?;
        log.push(count.take());
    }
    Ok(())
}

fn watchers_of_one_signal(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signals = ["first", "second", "third"].map(|label| watch(log, label, USR1));
    raise(USR1);
    raise(USR1);
    iterate(lp, log, 1)
}

fn each_loop_that_watches_a_signal_is_told(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _first = watch(log, "first", USR1);
    let mut other = Loop::new()?;
    let here = other.enter();
    let _second = watch(log, "second", USR1);
    drop(here);
    raise(USR1);
    raise(USR1);
    iterate(&mut other, log, 1)?;
    iterate(lp, log, 1)
}

/// Ours lie where the allocator puts them.
fn watchers_of_one_signal_that_lie_in_memory_backwards(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _signals = ["first", "second", "third"].map(|label| watch(log, label, USR1));
    raise(USR1);
    iterate(lp, log, 1)
}

fn a_watcher_for_one_time_comes_after_those_that_stay(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _once = watch_once_then(log, "once", USR1, |_, _| ());
    let _stays = watch(log, "stays", USR1);
    raise(USR1);
    iterate(lp, log, 1)?;
    raise(USR1);
    iterate(lp, log, 1)
}

fn two_signals_in_one_batch_and_a_watcher_for_one_time(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _once = watch_once_then(log, "once", USR1, |_, _| ());
    let _stays = watch(log, "stays", USR1);
    raise(USR1);
    raise(USR1);
    iterate(lp, log, 2)
}

// --- stop and start ---

fn a_watcher_that_stops_is_not_told_the_rest(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _first = watch_then(log, "first", USR1, |_, signal| signal.stop());
    let _second = watch(log, "second", USR1);
    raise(USR1);
    raise(USR1);
    iterate(lp, log, 2)
}

fn the_first_of_two_watchers_stops_the_other(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let other = make();
    let stopped = other.clone();
    let _first = watch_then(log, "first", USR1, move |_, _| stopped.stop());
    other.start(USR1, noted(log, "second", |_, _| ()))?;
    raise(USR1);
    iterate(lp, log, 2)
}

fn a_watcher_that_starts_while_a_signal_is_told(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let second = make();
    let _first = watch_then(log, "first", USR1, move |log, _| {
        must(second.start(USR1, noted(log, "second", |_, _| ())));
    });
    raise(USR1);
    iterate(lp, log, 1)?;
    raise(USR1);
    iterate(lp, log, 1)
}

fn a_signal_that_came_before_a_stop_and_a_start(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let signal = watch(log, "signal", USR1);
    raise(USR1);
    signal.stop();
    signal.start(USR1, noted(log, "signal", |_, _| ()))?;
    iterate(lp, log, 2)
}

fn a_start_while_watching_only_changes_the_callback(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let signal = watch(log, "signal", USR1);
    raise(USR1);
    signal.start(USR1, noted(log, "another-signal", |_, _| ()))?;
    iterate(lp, log, 2)
}

fn a_watcher_that_goes_over_to_another_signal(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _stays = watch(log, "stays", USR1);
    let goes = watch(log, "goes", USR1);
    raise(USR1);
    goes.start(USR2, noted(log, "goes", |_, _| ()))?;
    raise(USR1);
    raise(USR2);
    iterate(lp, log, 2)
}

fn a_watcher_for_one_time_in_its_callback(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let signal = watch_once_then(log, "once", USR1, |log, signal| note_active(log, signal));
    raise(USR1);
    iterate(lp, log, 1)?;
    note_active(log, &signal);
    Ok(())
}

fn a_watcher_for_one_time_that_starts_itself_once_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    // Without a watcher nothing is done about this signal.
    let signal = watch_once_then(log, "once", libc::SIGURG, |log, signal| {
        must(signal.start_once(libc::SIGURG, noted(log, "another-once", |_, _| ())));
    });
    raise(libc::SIGURG);
    iterate(lp, log, 1)?;
    note_active(log, &signal);
    raise(libc::SIGURG);
    iterate(lp, log, 1)
}

fn signals_that_nobody_can_watch(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let signal = make();
    let refused = [("kill", libc::SIGKILL), ("stop", libc::SIGSTOP), ("none", 0), ("large", 1000)];
    for (label, signum) in refused {
        log.push(status(label, &signal.start(signum, |_, _| ())));
    }
    note_active(log, &signal);
    Ok(())
}

fn a_watcher_of_a_fault(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    log.push(status("fault", &make().start(libc::SIGSEGV, |_, _| ())));
    Ok(())
}

// --- liveness and close ---

fn a_watcher_of_signals_keeps_the_loop_alive_if_it_is_referenced(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let signal = Signal::new();
    signal.start(USR1, |_, _| ())?;
    note_active(log, &signal);
    note_alive(log, lp);
    signal.unref();
    note_alive(log, lp);
    signal.ref_();
    note_alive(log, lp);
    signal.stop();
    note_active(log, &signal);
    note_alive(log, lp);
    Ok(())
}

fn a_signal_for_an_unreferenced_watcher_keeps_nothing_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let signal = watch(log, "signal", USR1);
    signal.unref();
    raise(USR1);
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_signal_does_not_show_in_the_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _signal = watch(log, "signal", USR1);
    settle(lp)?;
    note_wait(log, "before", lp);
    raise(USR1);
    note_wait(log, "after", lp);
    Ok(())
}

fn a_watcher_that_closes_in_its_callback(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let close_as = |label| move |log: &EventLog, signal: &Signal| close(signal, log, label);
    let _first = watch_then(log, "first", USR1, close_as("first"));
    let _second = watch_then(log, "second", USR1, close_as("second"));
    raise(USR1);
    iterate(lp, log, 2)
}

fn a_watcher_that_closes_with_a_signal_that_is_not_told(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let signal = watch(log, "signal", USR1);
    let _check = start_check(noting(log, move |log, check: &Check| {
        log.push("check");
        check.stop();
        raise(USR1);
        close(&signal, log, "signal");
    }));
    iterate(lp, log, 3)
}

table! {
    signals_come_after_what_is_readable_and_before_check,
    a_signal_ends_the_wait,
    a_signal_that_comes_while_events_are_told,
    a_signal_that_comes_while_events_are_told_behind_another,
    a_signal_that_comes_in_its_callback,
    a_signal_that_stops_the_loop,
    what_a_signal_sets_off,
    signals_of_two_kinds_come_in_their_order,
    signals_that_wait_in_the_system_are_one,
    a_flood_of_signals,
    watchers_of_one_signal,
    each_loop_that_watches_a_signal_is_told,
    watchers_of_one_signal_that_lie_in_memory_backwards,
    a_watcher_for_one_time_comes_after_those_that_stay,
    two_signals_in_one_batch_and_a_watcher_for_one_time,
    a_watcher_that_stops_is_not_told_the_rest,
    the_first_of_two_watchers_stops_the_other,
    a_watcher_that_starts_while_a_signal_is_told,
    a_signal_that_came_before_a_stop_and_a_start,
    a_start_while_watching_only_changes_the_callback,
    a_watcher_that_goes_over_to_another_signal,
    a_watcher_for_one_time_in_its_callback,
    a_watcher_for_one_time_that_starts_itself_once_more,
    signals_that_nobody_can_watch,
    a_watcher_of_a_fault,
    a_watcher_of_signals_keeps_the_loop_alive_if_it_is_referenced,
    a_signal_for_an_unreferenced_watcher_keeps_nothing_alive,
    a_signal_does_not_show_in_the_wait,
    a_watcher_that_closes_in_its_callback,
    a_watcher_that_closes_with_a_signal_that_is_not_told,
}
