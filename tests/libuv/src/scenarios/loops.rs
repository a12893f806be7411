//! The loop: phases, modes, stop, what keeps it alive, how long it waits.

use crate::handles::{
    MODES, Mode, NEVER, close, close_then, must, note, note_active, note_alive, note_wait, noting,
    run, settle, start_check, start_idle, start_poll, start_prepare, start_timer,
};
use crate::labels::flag;
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Async, Check, Handle, Idle, Interest, Poll, Prepare, Timer};
use runtime::time::Instant;
use runtime::{Loop, LoopRef, ms, spawn_blocking};
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::thread::sleep;

// --- the order of the phases ---

/// A callback that notes `label`, and stops the loop if it is `stopper`.
fn turn<H: Deref<Target = Handle> + 'static>(
    log: &EventLog,
    label: &'static str,
    stopper: &'static str,
) -> impl FnMut(&H) + 'static {
    noting(log, move |log, handle: &H| {
        log.push(label);
        if label == stopper {
            handle.loop_ref().stop();
        }
    })
}

fn run_with_everything_ready(
    lp: &mut Loop,
    log: &EventLog,
    mode: Mode,
    stopper: &'static str,
) -> io::Result<()> {
    let _timer = start_timer(ms(0), turn(log, "timer", stopper));
    let closing = Timer::new();
    let mut on_close = turn(log, "close", stopper);
    close_then(&closing.clone(), move || on_close(&closing));
    let _check = start_check(turn(log, "check", stopper));
    let sender = Async::new(turn(log, "async", stopper)).sender();
    must(sender.send());
    let _poll = start_poll(turn(log, "poll", stopper));
    let _prepare = start_prepare(turn(log, "prepare", stopper));
    let _idle = start_idle(turn(log, "idle", stopper));
    run(lp, log, mode)
}

fn once_runs_every_phase_and_the_timers_last(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run_once, "")
}

fn nowait_runs_every_phase_and_the_timers_last(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run_nowait, "")
}

// A run in the default mode has due timers first. Each of these ends after one iteration.

fn a_stop_in_idle_completes_the_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "idle")
}

fn a_stop_in_prepare_completes_the_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "prepare")
}

fn a_stop_in_an_async_completes_the_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "async")
}

fn a_stop_in_poll_completes_the_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "poll")
}

fn a_stop_in_check_completes_the_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "check")
}

fn a_stop_in_a_close_callback_completes_the_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "close")
}

fn a_stop_in_the_timers_before_the_first_iteration_skips_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    run_with_everything_ready(lp, log, Loop::run, "timer")
}

fn a_stop_in_a_timer_completes_the_timers(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _idle = start_idle(note(log, "idle"));
    let timers = ["first", "second"].map(|name| (name, Timer::new()));
    let _check = start_check(noting(log, move |log, check: &Check| {
        for (name, timer) in &timers {
            must(timer.start(ms(0), None, turn(log, name, "first")));
        }
        check.stop();
    }));
    run(lp, log, Loop::run)
}

// --- stop, and what a run gives ---

fn a_stop_lets_poll_not_wait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _timer = start_timer(NEVER, note(log, "timer"));
    let _prepare = start_prepare(turn(log, "prepare", "prepare"));
    let _check = start_check(note(log, "check"));
    run(lp, log, Loop::run)
}

fn a_stop_in_the_last_timer_before_the_first_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _timer = start_timer(ms(0), turn(log, "timer", "timer"));
    run(lp, log, Loop::run)?;
    note_alive(log, lp);
    Ok(())
}

fn a_stop_before_a_run_skips_all_of_it_and_is_forgotten(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _prepare = start_prepare(note(log, "prepare"));
    let timer = Timer::new();
    for (name, mode) in MODES {
        timer.start(ms(0), None, note(log, "timer"))?;
        lp.stop();
        log.push(name);
        run(lp, log, mode)?;
        run(lp, log, Loop::run_nowait)?;
    }
    Ok(())
}

fn a_stop_before_a_run_of_nothing_is_forgotten_too(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    lp.stop();
    run(lp, log, Loop::run)?;
    let _prepare = start_prepare(note(log, "prepare"));
    run(lp, log, Loop::run_nowait)
}

fn stop_at_the_third_end_at_the_sixth(log: &EventLog) -> impl FnMut(&Idle) + 'static {
    let mut turns = 0;
    noting(log, move |log, idle: &Idle| {
        turns += 1;
        log.push(turns);
        match turns {
            3 => idle.loop_ref().stop(),
            6 => idle.stop(),
            _ => {}
        }
    })
}

fn a_run_goes_on_where_the_last_was_stopped(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _idle = start_idle(stop_at_the_third_end_at_the_sixth(log));
    run(lp, log, Loop::run)?;
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run)
}

fn an_iteration_follows_the_first_timers_with_nothing_left_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _timer = start_timer(ms(0), note(log, "timer"));
    start_prepare(note(log, "prepare")).unref();
    run(lp, log, Loop::run)
}

fn nothing_alive_runs_no_phase(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    start_prepare(note(log, "prepare")).unref();
    MODES.into_iter().try_for_each(|(_, mode)| run(lp, log, mode))
}

fn once_runs_one_iteration_and_says_whether_there_is_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _idle = start_idle(stop_at_the_third_end_at_the_sixth(log));
    (0..6).try_for_each(|_| run(lp, log, Loop::run_once))
}

fn nowait_does_not_wait_for_a_timer(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer"));
    let _check = start_check(note(log, "check"));
    run(lp, log, Loop::run_nowait)?;
    note_active(log, &timer);
    Ok(())
}

/// Lets the trace show where the phases before and after poll are.
fn show_phases(log: &EventLog) {
    start_prepare(note(log, "prepare")).unref();
    start_check(note(log, "check")).unref();
}

/// Runs the loop in each mode after `make_ready`.
fn in_each_mode(lp: &mut Loop, log: &EventLog, mut make_ready: impl FnMut()) -> io::Result<()> {
    for (name, mode) in MODES {
        make_ready();
        log.push(name);
        run(lp, log, mode)?;
    }
    Ok(())
}

fn a_due_timer_alone_in_each_mode(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    show_phases(log);
    let timer = Timer::new();
    in_each_mode(lp, log, || must(timer.start(ms(0), None, note(log, "timer"))))
}

fn a_closing_handle_alone_in_each_mode(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    show_phases(log);
    for (name, mode) in MODES {
        close(&Timer::new(), log, name);
        run(lp, log, mode)?;
    }
    Ok(())
}

fn note_and_stop_idle(log: &EventLog) -> impl FnMut(&Idle) + 'static {
    noting(log, |log, idle: &Idle| {
        log.push("idle");
        idle.stop();
    })
}

fn an_idle_handle_alone_in_each_mode(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    show_phases(log);
    let idle = Idle::new();
    in_each_mode(lp, log, || must(idle.start(note_and_stop_idle(log))))
}

fn a_ready_poll_alone_in_each_mode(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    show_phases(log);
    let poll = start_poll(|_| ());
    in_each_mode(lp, log, || {
        let log = log.clone();
        poll.start(Interest::WRITABLE, move |poll, ready| {
            must(ready);
            log.push("poll");
            poll.stop();
        });
    })
}

fn a_signalled_async_alone_in_each_mode(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    show_phases(log);
    let handle = Async::new(noting(log, |log, handle: &Async| {
        log.push("async");
        handle.unref();
    }));
    let sender = handle.sender();
    in_each_mode(lp, log, || {
        handle.ref_();
        must(sender.send());
    })
}

// --- alive ---

fn a_loop_is_alive_while_a_referenced_handle_is_active(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    note_alive(log, lp);
    let timer = Timer::new();
    note_alive(log, lp);
    timer.start(NEVER, None, note(log, "timer"))?;
    note_alive(log, lp);
    timer.unref();
    note_alive(log, lp);
    timer.ref_();
    note_alive(log, lp);
    timer.stop();
    note_alive(log, lp);
    close(&timer, log, "timer");
    note_alive(log, lp);
    run(lp, log, Loop::run)?;
    note_alive(log, lp);
    Ok(())
}

fn a_loop_is_alive_while_work_is_queued(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    spawn_blocking(|| ()).callback({
        let (log, lp) = (log.clone(), LoopRef::clone(lp));
        move |done| {
            log.push(crate::labels::status("done", &done.map_err(io::Error::from)));
            note_alive(&log, &lp);
        }
    });
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_timer_that_fires_keeps_nothing_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let on_timer = noting(log, |log, timer: &Timer| note_alive(log, &timer.loop_ref()));
    let _timer = start_timer(ms(0), on_timer);
    run(lp, log, Loop::run)
}

fn a_handle_in_its_close_callback_keeps_nothing_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    for name in ["first", "second"] {
        let (log, lp) = (log.clone(), LoopRef::clone(lp));
        close_then(&Timer::new(), move || {
            log.push(name);
            note_alive(&log, &lp);
        });
    }
    run(lp, log, Loop::run)
}

fn unref_in_prepare_ends_the_loop_after_the_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _prepare = start_prepare(noting(log, |log, prepare: &Prepare| {
        log.push("prepare");
        prepare.unref();
    }));
    start_check(note(log, "check")).unref();
    run(lp, log, Loop::run)
}

fn an_unreferenced_handle_of_any_kind_lets_run_return(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let idle = start_idle(note(log, "idle"));
    let prepare = start_prepare(note(log, "prepare"));
    let check = start_check(note(log, "check"));
    let timer = start_timer(NEVER, note(log, "timer"));
    let signalled = Async::new(note(log, "async"));
    let _sender = signalled.sender();
    let poll = start_poll(note(log, "poll"));
    let handles: [&Handle; 6] = [&idle, &prepare, &check, &timer, &signalled, &poll];
    for handle in handles {
        handle.unref();
        note_active(log, handle);
        note_alive(log, lp);
    }
    run(lp, log, Loop::run)
}

fn ref_and_unref_are_a_flag_and_not_a_count(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer"));
    log.push(flag("started", timer.has_ref()));
    (0..2).for_each(|_| timer.unref());
    log.push(flag("unref", timer.has_ref()));
    note_alive(log, lp);
    timer.ref_();
    log.push(flag("ref", timer.has_ref()));
    note_alive(log, lp);
    (0..2).for_each(|_| timer.ref_());
    timer.unref();
    log.push(flag("unref", timer.has_ref()));
    note_alive(log, lp);
    Ok(())
}

// --- time ---

fn note_moved(log: &EventLog, lp: &LoopRef, before: Instant) {
    log.push(flag("moved", lp.now() > before));
}

fn the_time_stands_still_until_the_clock_is_read(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let before = lp.now();
    sleep(ms(5));
    note_moved(log, lp, before);
    lp.update_time();
    note_moved(log, lp, before);
    Ok(())
}

fn nowait_with_nothing_alive_reads_the_clock(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let before = lp.now();
    sleep(ms(5));
    run(lp, log, Loop::run_nowait)?;
    note_moved(log, lp, before);
    Ok(())
}

fn when_a_mode_reads_the_clock(lp: &mut Loop, log: &EventLog, mode: Mode) -> io::Result<()> {
    let before = lp.now();
    let _idle = start_idle(note(log, "idle"));
    let _prepare = start_prepare(noting(log, move |log, prepare: &Prepare| {
        note_moved(log, &prepare.loop_ref(), before);
    }));
    let _check = start_check(noting(log, move |log, check: &Check| {
        note_moved(log, &check.loop_ref(), before);
        check.loop_ref().stop();
    }));
    sleep(ms(5));
    run(lp, log, mode)
}

fn default_reads_the_clock_before_it_begins(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    when_a_mode_reads_the_clock(lp, log, Loop::run)
}

fn once_reads_the_clock_in_poll_first(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    when_a_mode_reads_the_clock(lp, log, Loop::run_once)
}

fn nowait_reads_the_clock_in_poll_first(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    when_a_mode_reads_the_clock(lp, log, Loop::run_nowait)
}

// --- how long poll waits ---

fn the_wait_is_0_if_nothing_is_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    settle(lp)?;
    note_wait(log, "nothing", lp);
    let timer = Timer::new();
    note_wait(log, "inactive", lp);
    timer.start(NEVER, None, note(log, "timer"))?;
    note_wait(log, "active", lp);
    timer.unref();
    note_wait(log, "unref", lp);
    Ok(())
}

fn the_wait_ends_with_the_next_timer_referenced_or_not(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    settle(lp)?;
    let _prepare = start_prepare(note(log, "prepare"));
    note_wait(log, "prepare", lp);
    let timer = start_timer(NEVER, note(log, "timer"));
    timer.unref();
    note_wait(log, "far", lp);
    timer.start(ms(0), None, note(log, "timer"))?;
    note_wait(log, "due", lp);
    Ok(())
}

fn the_wait_is_0_with_an_idle_or_closing_handle_or_after_stop(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    settle(lp)?;
    let _timer = start_timer(NEVER, note(log, "timer"));
    note_wait(log, "timer", lp);
    let idle = start_idle(note(log, "idle"));
    idle.unref();
    note_wait(log, "idle", lp);
    idle.stop();
    note_wait(log, "stopped", lp);
    lp.stop();
    note_wait(log, "stop", lp);
    run(lp, log, Loop::run)?;
    close(&idle, log, "idle");
    note_wait(log, "closing", lp);
    Ok(())
}

fn an_outer_loop_polls_the_descriptor_of_an_inner_one(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let mut inner = Loop::new()?;
    let sender = {
        let _inside = inner.enter();
        let close_async = |log: &EventLog, handle: &Async| {
            log.push("async");
            close(handle, log, "async");
        };
        Async::new(noting(log, close_async)).sender()
    };
    run(&mut inner, log, Loop::run_nowait)?;
    note_wait(log, "inner", &inner);
    let poll = Poll::new(inner.backend_fd())?;
    let is_alive = Rc::new(Cell::new(true));
    poll.start(Interest::READABLE, {
        let (log, is_alive) = (log.clone(), is_alive.clone());
        move |poll, ready| {
            must(ready);
            must(run(&mut inner, &log, Loop::run_nowait));
            is_alive.set(inner.is_alive());
            poll.close();
        }
    });
    run(lp, log, Loop::run_nowait)?;
    must(sender.send());
    run(lp, log, Loop::run)?;
    log.push(flag("alive", is_alive.get()));
    Ok(())
}

fn an_idle_handle_does_not_starve_timers(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let idle = start_idle(|_| ());
    let _timer = start_timer(ms(5), stop_idle_in_timer(log, &idle));
    run(lp, log, Loop::run)
}

fn stop_idle_in_timer(log: &EventLog, idle: &Idle) -> impl FnMut(&Timer) + 'static {
    let idle = idle.clone();
    noting(log, move |log, _| {
        log.push("timer");
        idle.stop();
    })
}

fn once_does_not_wait_if_an_idle_handle_stopped_in_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _idle = start_idle(note_and_stop_idle(log));
    let _check = start_check(note(log, "check"));
    run(lp, log, Loop::run_once)
}

fn poll_does_not_wait_if_an_idle_handle_started_in_prepare(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let idle = Idle::new();
    let _prepare = start_prepare(noting(log, move |log, _| {
        log.push("prepare");
        must(idle.start(|_| ()));
    }));
    let _check = start_check(note(log, "check"));
    run(lp, log, Loop::run_once)
}

// --- where callbacks run ---

fn no_callback_runs_in_a_call(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let sender = Rc::new(Async::new(note(log, "async")).sender());
    let send = move || must(sender.send());
    let closing = Timer::new();
    let inner_timer = Timer::new();
    let _timer = start_timer(ms(0), {
        let send = send.clone();
        noting(log, move |log, _| {
            log.push("timer-in");
            close(&closing, log, "closing");
            must(inner_timer.start(ms(0), None, note(log, "timer-0")));
            send();
            log.push("timer-out");
        })
    });
    let _poll = start_poll(note(log, "poll"));
    send();
    log.push("returned");
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)
}

// --- metrics ---

fn note_iterations(log: &EventLog, lp: &LoopRef) {
    log.push(format!("iterations={}", lp.metrics().iterations));
}

fn each_poll_phase_is_counted_as_an_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run(lp, log, Loop::run)?;
    note_iterations(log, lp);
    let idle = start_idle(|_| ());
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_once)?;
    note_iterations(log, lp);
    lp.stop();
    run(lp, log, Loop::run)?;
    note_iterations(log, lp);
    let _timer = start_timer(ms(0), stop_idle_in_timer(log, &idle));
    run(lp, log, Loop::run)?;
    note_iterations(log, lp);
    Ok(())
}

table!(
    once_runs_every_phase_and_the_timers_last,
    nowait_runs_every_phase_and_the_timers_last,
    a_stop_in_idle_completes_the_iteration,
    a_stop_in_prepare_completes_the_iteration,
    a_stop_in_an_async_completes_the_iteration,
    a_stop_in_poll_completes_the_iteration,
    a_stop_in_check_completes_the_iteration,
    a_stop_in_a_close_callback_completes_the_iteration,
    a_stop_in_the_timers_before_the_first_iteration_skips_it,
    a_stop_in_a_timer_completes_the_timers,
    a_stop_lets_poll_not_wait,
    a_stop_in_the_last_timer_before_the_first_iteration,
    a_stop_before_a_run_skips_all_of_it_and_is_forgotten,
    a_stop_before_a_run_of_nothing_is_forgotten_too,
    a_run_goes_on_where_the_last_was_stopped,
    an_iteration_follows_the_first_timers_with_nothing_left_alive,
    nothing_alive_runs_no_phase,
    once_runs_one_iteration_and_says_whether_there_is_more,
    nowait_does_not_wait_for_a_timer,
    a_due_timer_alone_in_each_mode,
    a_closing_handle_alone_in_each_mode,
    an_idle_handle_alone_in_each_mode,
    a_ready_poll_alone_in_each_mode,
    a_signalled_async_alone_in_each_mode,
    a_loop_is_alive_while_a_referenced_handle_is_active,
    a_loop_is_alive_while_work_is_queued,
    a_timer_that_fires_keeps_nothing_alive,
    a_handle_in_its_close_callback_keeps_nothing_alive,
    unref_in_prepare_ends_the_loop_after_the_iteration,
    an_unreferenced_handle_of_any_kind_lets_run_return,
    ref_and_unref_are_a_flag_and_not_a_count,
    the_time_stands_still_until_the_clock_is_read,
    nowait_with_nothing_alive_reads_the_clock,
    default_reads_the_clock_before_it_begins,
    once_reads_the_clock_in_poll_first,
    nowait_reads_the_clock_in_poll_first,
    the_wait_is_0_if_nothing_is_alive,
    the_wait_ends_with_the_next_timer_referenced_or_not,
    the_wait_is_0_with_an_idle_or_closing_handle_or_after_stop,
    an_outer_loop_polls_the_descriptor_of_an_inner_one,
    an_idle_handle_does_not_starve_timers,
    once_does_not_wait_if_an_idle_handle_stopped_in_it,
    poll_does_not_wait_if_an_idle_handle_started_in_prepare,
    no_callback_runs_in_a_call,
    each_poll_phase_is_counted_as_an_iteration,
);
