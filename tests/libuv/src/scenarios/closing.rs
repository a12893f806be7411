//! Closing: in which order, in which iteration, and what is left of a closed handle.

use crate::handles::{
    Close, NEVER, close, close_then, must, note, note_active, note_alive, noting, run, start_check,
    start_idle, start_poll, start_prepare, start_timer,
};
use crate::labels::flag;
use crate::table;
use behaviour::EventLog;
use runtime::handle::{
    Async, AsyncSender, Check, FsEvent, FsEventOptions, FsPoll, Handle, Idle, Poll, Prepare,
    Signal, Timer,
};
use runtime::net::Pipe;
use runtime::{Loop, LoopRef, ms};
use std::io;
use std::rc::Rc;

// --- order ---

fn close_is_last_in_first_out(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timers = ["1", "2", "3"].map(|label| (label, Timer::new()));
    timers.iter().for_each(|(label, timer)| close(timer, log, label));
    run(lp, log, Loop::run)
}

fn handles_of_other_kinds_are_closed_the_last_first_too(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (signal, event, look, timer) = (Signal::new(), FsEvent::new(), FsPoll::new(), Timer::new());
    let (pipe, _other) = Pipe::pair()?;
    signal.start(libc::SIGUSR1, |_, _| unreachable!("nobody sends it"))?;
    event.start(".", FsEventOptions::new(), |_, _| unreachable!("it is closed"))?;
    close(&signal, log, "signal");
    close(&timer, log, "timer");
    close(&event, log, "event");
    close(&look, log, "look");
    close(&pipe, log, "pipe");
    run(lp, log, Loop::run)
}

/// One of each kind; all are ready to run.
struct OneOfEachKind {
    idle: Idle,
    prepare: Prepare,
    signalled: Async,
    _sender: AsyncSender,
    poll: Poll,
    check: Check,
    timer: Timer,
}

fn start_one_of_each_kind(log: &EventLog) -> OneOfEachKind {
    let idle = start_idle(note(log, "idle"));
    let prepare = start_prepare(note(log, "prepare"));
    let signalled = Async::new(note(log, "async"));
    let sender = signalled.sender();
    must(sender.send());
    let poll = start_poll(note(log, "poll"));
    let check = start_check(note(log, "check"));
    let timer = start_timer(ms(0), note(log, "timer"));
    OneOfEachKind { idle, prepare, signalled, _sender: sender, poll, check, timer }
}

fn no_callback_of_a_closed_handle_runs_and_all_are_called_back(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let all = start_one_of_each_kind(log);
    close(&all.idle, log, "idle");
    close(&all.prepare, log, "prepare");
    close(&all.signalled, log, "async");
    close(&all.poll, log, "poll");
    close(&all.check, log, "check");
    close(&all.timer, log, "timer");
    run(lp, log, Loop::run)
}

/// A callback that notes `label` and closes its handle.
fn closes_itself<H: Close + 'static>(
    log: &EventLog,
    label: &'static str,
) -> impl FnMut(&H) + 'static {
    noting(log, move |log, handle: &H| {
        log.push(label);
        close(handle, log, label);
    })
}

fn what_closes_in_an_iteration_is_called_back_in_it_but_for_timers(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _idle = start_idle(closes_itself(log, "idle"));
    let _prepare = start_prepare(closes_itself(log, "prepare"));
    let sender = Async::new(closes_itself(log, "async")).sender();
    must(sender.send());
    let _poll = start_poll(closes_itself(log, "poll"));
    let _check = start_check(closes_itself(log, "check"));
    let _timer = start_timer(ms(0), closes_itself(log, "timer"));
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)
}

fn a_timer_closed_before_the_first_iteration_is_called_back_in_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _timer = start_timer(ms(0), closes_itself(log, "timer"));
    let _check = start_check(closes_itself(log, "check"));
    run(lp, log, Loop::run)
}

fn a_handle_closed_in_a_close_callback_waits_for_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (one, two, four) = (Timer::new(), Timer::new(), Timer::new());
    close(&one, log, "1");
    close_then(&two, {
        let log = log.clone();
        move || {
            log.push("2-closed");
            close(&four, &log, "4");
        }
    });
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)
}

fn what_starts_in_a_close_callback_runs_from_there_on(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (check, timer) = (Check::new(), Timer::new());
    close_then(&Timer::new(), {
        let log = log.clone();
        move || {
            log.push("old-closed");
            must(check.start(note(&log, "check")));
            must(timer.start(ms(0), None, note(&log, "timer")));
        }
    });
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)
}

// --- what is left ---

fn note_closing(log: &EventLog, handle: &Handle) {
    note_active(log, handle);
    log.push(flag("closing", handle.is_closing()));
}

fn a_closed_handle_is_inactive_and_closing_for_ever(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer"));
    note_closing(log, &timer);
    close_then(&timer, {
        let (log, timer) = (log.clone(), timer.clone());
        move || {
            log.push("timer-closed");
            note_closing(&log, &timer);
        }
    });
    note_closing(log, &timer);
    run(lp, log, Loop::run)?;
    note_closing(log, &timer);
    Ok(())
}

fn a_handle_is_not_referenced_any_more_in_its_close_callback(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = Timer::new();
    close_then(&timer, {
        let (log, timer) = (log.clone(), timer.clone());
        move || log.push(flag("has_ref", timer.has_ref()))
    });
    log.push(flag("has_ref", timer.has_ref()));
    run(lp, log, Loop::run)
}

fn an_unreferenced_handle_keeps_the_loop_alive_until_it_is_closed(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer"));
    timer.unref();
    note_alive(log, lp);
    close(&timer, log, "timer");
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn ref_and_unref_of_a_closing_handle_change_nothing(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer"));
    close(&timer, log, "timer");
    timer.unref();
    note_alive(log, lp);
    timer.ref_();
    run(lp, log, Loop::run)?;
    note_alive(log, lp);
    Ok(())
}

fn close_needs_no_callback(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    start_timer(NEVER, note(log, "timer")).close();
    note_alive(log, lp);
    run(lp, log, Loop::run)?;
    note_alive(log, lp);
    Ok(())
}

/// One is to fire, a long time from now; two has fired.
fn no_close_callback_runs_before_check_is_through(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let one = start_timer(NEVER, note(log, "1"));
    let two = start_timer(ms(0), note(log, "2"));
    let _check = start_check(noting(log, move |log, check: &Check| {
        log.push("check");
        close(check, log, "check");
        close(&two, log, "2");
    }));
    let _prepare = start_prepare(closes_itself(log, "prepare"));
    let _three = start_timer(
        ms(0),
        noting(log, move |log, three: &Timer| {
            log.push("3");
            close(three, log, "3");
            close(&one, log, "1");
        }),
    );
    run(lp, log, Loop::run)
}

fn a_handle_closed_in_an_earlier_phase_does_not_run(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let check = start_check(note(log, "check"));
    let _prepare = start_prepare(noting(log, move |log, prepare: &Prepare| {
        log.push("prepare");
        close(&check, log, "check");
        prepare.stop();
    }));
    run(lp, log, Loop::run)
}

// --- walk ---

/// Notes the label that `known` gives to what is walked.
fn note_walked(log: &EventLog, handle: &Handle, known: &[(&'static str, &Handle)]) {
    let label = known.iter().find(|(_, one)| *one == handle).map(|(label, _)| *label);
    log.push(label.unwrap_or("unknown"));
}

fn walk(log: &EventLog, lp: &LoopRef, known: &[(&'static str, &Handle)]) {
    lp.walk(|handle| note_walked(log, handle, known));
    log.push("|");
}

fn walk_shows_active_inactive_and_closing_handles_in_the_order_of_making(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let inactive = Timer::new();
    let signalled = Async::new(note(log, "async"));
    let idle = start_idle(note(log, "idle"));
    let closing = Timer::new();
    close(&closing, log, "closing");
    let unreferenced = start_timer(NEVER, note(log, "unref"));
    unreferenced.unref();
    let known: [(&str, &Handle); 5] = [
        ("inactive", &inactive),
        ("async", &signalled),
        ("idle", &idle),
        ("closing", &closing),
        ("unref", &unreferenced),
    ];
    walk(log, lp, &known);
    idle.stop();
    walk(log, lp, &known);
    Ok(())
}

fn walk_shows_a_new_handle_behind_the_older_ones(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (one, two, three) = (Timer::new(), Timer::new(), Timer::new());
    close(&two, log, "2");
    run(lp, log, Loop::run)?;
    walk(log, lp, &[("1", &one), ("2", &two), ("3", &three)]);
    let four = Timer::new();
    walk(log, lp, &[("1", &one), ("2", &two), ("3", &three), ("4", &four)]);
    Ok(())
}

fn walk_does_not_show_the_handle_that_is_called_back(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timers = Rc::new(["1", "2", "3"].map(|label| (label, Timer::new())));
    for &(label, ref timer) in &timers[..2] {
        close_then(timer, {
            let (log, lp, timers) = (log.clone(), LoopRef::clone(lp), timers.clone());
            move || {
                log.push(format!("{label}-closed"));
                walk(&log, &lp, &timers.each_ref().map(|(label, timer)| (*label, &**timer)));
            }
        });
    }
    run(lp, log, Loop::run)
}

fn walk_may_close_all_that_it_shows(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let all = start_one_of_each_kind(log);
    let known: [(&'static str, &Handle, &dyn Fn()); 6] = [
        ("idle", &all.idle, &|| close(&all.idle, log, "idle")),
        ("prepare", &all.prepare, &|| close(&all.prepare, log, "prepare")),
        ("async", &all.signalled, &|| close(&all.signalled, log, "async")),
        ("poll", &all.poll, &|| close(&all.poll, log, "poll")),
        ("check", &all.check, &|| close(&all.check, log, "check")),
        ("timer", &all.timer, &|| close(&all.timer, log, "timer")),
    ];
    lp.walk(|handle| {
        for (label, _, close) in known.iter().filter(|(_, one, _)| *one == handle) {
            log.push(label);
            close();
        }
    });
    run(lp, log, Loop::run)?;
    walk(log, lp, &[]);
    Ok(())
}

fn walk_shows_the_handle_whose_callback_runs(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let walk_in_timer = |log: &EventLog, timer: &Timer| {
        walk(log, &timer.loop_ref(), &[("timer", timer)]);
        close(timer, log, "timer");
    };
    let _timer = start_timer(ms(0), noting(log, walk_in_timer));
    run(lp, log, Loop::run)?;
    walk(log, lp, &[]);
    Ok(())
}

table!(
    close_is_last_in_first_out,
    handles_of_other_kinds_are_closed_the_last_first_too,
    no_callback_of_a_closed_handle_runs_and_all_are_called_back,
    what_closes_in_an_iteration_is_called_back_in_it_but_for_timers,
    a_timer_closed_before_the_first_iteration_is_called_back_in_it,
    a_handle_closed_in_a_close_callback_waits_for_the_next_iteration,
    what_starts_in_a_close_callback_runs_from_there_on,
    a_closed_handle_is_inactive_and_closing_for_ever,
    a_handle_is_not_referenced_any_more_in_its_close_callback,
    an_unreferenced_handle_keeps_the_loop_alive_until_it_is_closed,
    ref_and_unref_of_a_closing_handle_change_nothing,
    close_needs_no_callback,
    no_close_callback_runs_before_check_is_through,
    a_handle_closed_in_an_earlier_phase_does_not_run,
    walk_shows_active_inactive_and_closing_handles_in_the_order_of_making,
    walk_shows_a_new_handle_behind_the_older_ones,
    walk_does_not_show_the_handle_that_is_called_back,
    walk_may_close_all_that_it_shows,
    walk_shows_the_handle_whose_callback_runs,
);
