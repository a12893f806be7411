//! Timers: their order, repeats, and siblings in one pass.

use crate::handles::{
    MODES, Mode, NEVER, close, close_then, must, note, note_active, note_due_in, note_wait, noting,
    run, settle, start_check, start_idle, start_prepare, start_timer,
};
use crate::labels::{flag, status};
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Async, Prepare, Timer};
use runtime::{Loop, ms};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

/// Lets every timer of up to 2 ms that was started so far become due.
fn let_time_pass() {
    sleep(ms(3));
}

fn start_repeating(after: Duration, repeat: Duration, f: impl FnMut(&Timer) + 'static) -> Timer {
    let timer = Timer::new();
    must(timer.start(after, repeat, f));
    timer
}

// --- order ---

fn timers_run_by_deadline_and_equal_ones_in_the_order_of_start(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _timers = [("2-a", 2), ("1-a", 1), ("2-b", 2), ("1-b", 1)]
        .map(|(label, after)| start_timer(ms(after), note(log, label)));
    let_time_pass();
    run(lp, log, Loop::run)
}

fn equal_deadlines_run_in_the_order_of_start_not_of_making(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (one, two) = (Timer::new(), Timer::new());
    two.start(ms(0), None, note(log, "two"))?;
    one.start(ms(0), None, note(log, "one"))?;
    run(lp, log, Loop::run)
}

fn a_timer_started_again_goes_behind_its_equals(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let one = start_timer(ms(0), note(log, "one"));
    let _two = start_timer(ms(0), note(log, "two"));
    one.start(ms(0), None, note(log, "one"))?;
    run(lp, log, Loop::run)
}

fn repeats_of_one_period_keep_their_order(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _one = start_repeating(ms(0), ms(1), note(log, "one"));
    let _two = start_repeating(ms(0), ms(1), note(log, "two"));
    for _ in 0..3 {
        run(lp, log, Loop::run_nowait)?;
        let_time_pass();
    }
    Ok(())
}

// --- start ---

fn a_second_start_replaces_the_time_and_the_callback(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(NEVER, note(log, "timer-never"));
    timer.start(ms(0), None, note(log, "timer"))?;
    run(lp, log, Loop::run)
}

/// Boxed, since a closure can't name its own type.
fn rearm_0(log: &EventLog, left: u32) -> Box<dyn FnMut(&Timer)> {
    Box::new(noting(log, move |log, timer: &Timer| {
        log.push("timer");
        if left > 0 {
            must(timer.start(ms(0), None, rearm_0(log, left - 1)));
        }
    }))
}

fn a_timer_rearmed_0_in_its_callback_runs_once_an_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    start_prepare(note(log, "prepare")).unref();
    start_check(note(log, "check")).unref();
    let _timer = start_timer(ms(0), rearm_0(log, 3));
    run(lp, log, Loop::run)
}

fn a_timer_of_0_started_in_a_timer_waits_for_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let other = Timer::new();
    let _one = start_timer(
        ms(0),
        noting(log, move |log, _| {
            log.push("one");
            must(other.start(ms(0), None, note(log, "other")));
        }),
    );
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)
}

/// A callback that notes its phase and starts a timer of 0.
fn start_in<H: 'static>(
    log: &EventLog,
    phase: &'static str,
    label: &'static str,
) -> impl FnMut(&H) + 'static {
    let timer = Timer::new();
    noting(log, move |log, _| {
        log.push(phase);
        must(timer.start(ms(0), None, note(log, label)));
    })
}

/// Of 0 by the cached time: poll reads the clock between the second and the third.
fn a_timer_of_0_started_in_a_phase_runs_in_that_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _idle = start_idle(start_in(log, "idle", "of-idle"));
    let _prepare = start_prepare(start_in(log, "prepare", "of-prepare"));
    let _check = start_check(start_in(log, "check", "of-check"));
    let timer = Timer::new();
    let mut on_close = start_in(log, "close", "of-close");
    close_then(&timer, move || on_close(&()));
    run(lp, log, Loop::run_once)
}

fn a_start_in_its_callback_replaces_the_repeat_and_the_callback(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let start_with_another_callback = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        must(timer.start(NEVER, None, note(log, "timer-never")));
        note_due_in(log, timer);
        must(timer.start(ms(0), None, note(log, "timer")));
    };
    let _timer = start_repeating(ms(0), ms(1), noting(log, start_with_another_callback));
    run(lp, log, Loop::run)
}

fn a_closing_timer_can_not_be_started(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(0), ms(1), note(log, "timer"));
    close(&timer, log, "timer");
    log.push(status("start", &timer.start(ms(0), None, note(log, "timer"))));
    timer.stop();
    note_active(log, &timer);
    run(lp, log, Loop::run)
}

fn again_on_a_closing_timer(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(0), ms(1), note(log, "timer"));
    close(&timer, log, "timer");
    log.push(status("again", &timer.again()));
    note_active(log, &timer);
    run(lp, log, Loop::run)
}

fn a_huge_timeout_is_never_due(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let huge = start_timer(Duration::MAX, note(log, "huge"));
    let _small = start_timer(ms(1), note(log, "small"));
    let_time_pass();
    run(lp, log, Loop::run_nowait)?;
    log.push(flag("far", huge.due_in() > NEVER));
    note_wait(log, "wait", lp);
    Ok(())
}

fn a_huge_repeat_is_never_due_again(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(0), Duration::MAX, note(log, "timer"));
    run(lp, log, Loop::run_nowait)?;
    let_time_pass();
    run(lp, log, Loop::run_nowait)?;
    log.push(flag("far", timer.due_in() > NEVER));
    Ok(())
}

// --- stop, due_in, active ---

/// `stop` can't fail here.
fn stop(log: &EventLog, timer: &Timer) {
    timer.stop();
    log.push("stop=0");
}

fn stopping_twice_is_stopping_once(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    stop(log, &timer);
    timer.start(ms(0), None, note(log, "timer"))?;
    stop(log, &timer);
    stop(log, &timer);
    note_active(log, &timer);
    run(lp, log, Loop::run)
}

fn due_in_is_not_reset_by_stop(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    note_due_in(log, &timer);
    timer.start(ms(500), None, note(log, "timer"))?;
    note_due_in(log, &timer);
    timer.stop();
    note_due_in(log, &timer);
    Ok(())
}

fn due_in_counts_by_the_cached_time(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_timer(ms(2), note(log, "timer"));
    let_time_pass();
    note_due_in(log, &timer);
    lp.update_time();
    note_due_in(log, &timer);
    Ok(())
}

fn a_one_shot_is_inactive_in_its_callback_a_repeat_is_active(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let note_active_of = |label| {
        noting(log, move |log, timer: &Timer| {
            log.push(label);
            note_active(log, timer);
        })
    };
    let one = start_timer(ms(0), note_active_of("one-shot"));
    let two = start_repeating(ms(0), NEVER, note_active_of("repeat"));
    run(lp, log, Loop::run_nowait)?;
    note_active(log, &one);
    note_active(log, &two);
    Ok(())
}

fn a_timer_is_active_from_start_to_stop_or_close(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    note_active(log, &timer);
    let ends: [&dyn Fn(); 2] = [&|| timer.stop(), &|| close(&timer, log, "timer")];
    for end in ends {
        timer.start(NEVER, None, note(log, "timer"))?;
        note_active(log, &timer);
        end();
        note_active(log, &timer);
        log.push(flag("closing", timer.is_closing()));
    }
    run(lp, log, Loop::run)
}

// --- repeat and again ---

fn again_on_a_timer_never_started_is_an_error(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    log.push(status("again", &timer.again()));
    timer.set_repeat(ms(1));
    log.push(status("again", &timer.again()));
    note_active(log, &timer);
    Ok(())
}

fn again_without_a_repeat_does_nothing(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_timer(ms(500), note(log, "timer"));
    log.push(status("again", &timer.again()));
    note_active(log, &timer);
    note_due_in(log, &timer);
    timer.stop();
    log.push(status("again", &timer.again()));
    note_active(log, &timer);
    Ok(())
}

fn again_counts_the_repeat_from_now(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(500), ms(70), note(log, "timer"));
    timer.again()?;
    note_due_in(log, &timer);
    let_time_pass();
    lp.update_time();
    timer.again()?;
    note_due_in(log, &timer);
    Ok(())
}

fn again_after_stop_starts_it_with_the_repeat(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(500), ms(1), note(log, "timer"));
    timer.stop();
    timer.again()?;
    note_active(log, &timer);
    note_due_in(log, &timer);
    let_time_pass();
    run(lp, log, Loop::run_nowait)
}

fn again_puts_off_a_timer_that_is_due(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = start_repeating(ms(0), NEVER, note(log, "timer"));
    timer.again()?;
    run(lp, log, Loop::run_nowait)?;
    note_active(log, &timer);
    Ok(())
}

fn a_repeat_set_in_the_callback_applies_to_the_arming_after_the_next(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let set_far_repeat = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        note_due_in(log, timer);
        timer.set_repeat(NEVER);
    };
    let _timer = start_repeating(ms(0), ms(1), noting(log, set_far_repeat));
    for _ in 0..3 {
        run(lp, log, Loop::run_nowait)?;
        let_time_pass();
    }
    Ok(())
}

fn a_repeat_set_to_0_in_the_callback_ends_it_after_one_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let set_no_repeat = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        timer.set_repeat(None);
    };
    let timer = start_repeating(ms(0), ms(1), noting(log, set_no_repeat));
    run(lp, log, Loop::run)?;
    note_active(log, &timer);
    Ok(())
}

fn a_repeat_set_in_the_callback_of_a_one_shot_waits_for_again(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let set_repeat_late = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        note_active(log, timer);
        timer.set_repeat(ms(1));
        note_active(log, timer);
    };
    let timer = start_timer(ms(0), noting(log, set_repeat_late));
    run(lp, log, Loop::run)?;
    timer.again()?;
    note_active(log, &timer);
    note_due_in(log, &timer);
    Ok(())
}

fn stop_in_its_callback_ends_the_repeat_and_again_resumes_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let stop_itself = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        timer.stop();
    };
    let timer = start_repeating(ms(0), ms(1), noting(log, stop_itself));
    run(lp, log, Loop::run)?;
    timer.again()?;
    run(lp, log, Loop::run)
}

fn close_in_its_callback_ends_the_repeat(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let close_itself = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        close(timer, log, "timer");
    };
    let _timer = start_repeating(ms(0), ms(1), noting(log, close_itself));
    run(lp, log, Loop::run)
}

fn note_repeat(log: &EventLog, timer: &Timer) {
    log.push(format!("repeat={}", timer.repeat().unwrap_or_default().as_millis()));
}

fn start_sets_the_repeat_and_stop_keeps_it(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    timer.set_repeat(ms(7));
    note_repeat(log, &timer);
    timer.start(ms(1), ms(5), note(log, "timer"))?;
    note_repeat(log, &timer);
    timer.stop();
    note_repeat(log, &timer);
    timer.start(ms(1), None, note(log, "timer"))?;
    note_repeat(log, &timer);
    Ok(())
}

fn periods_that_were_missed_are_not_made_up(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let sleep_past_the_next = |log: &EventLog, timer: &Timer| {
        log.push("timer");
        note_due_in(log, timer);
        let_time_pass();
        let_time_pass();
    };
    let _timer = start_repeating(ms(0), ms(2), noting(log, sleep_past_the_next));
    (0..3).try_for_each(|_| run(lp, log, Loop::run_nowait))
}

fn an_overdue_repeat_fires_once_in_a_run(
    lp: &mut Loop,
    log: &EventLog,
    mode: Mode,
) -> io::Result<()> {
    let _timer = start_repeating(ms(1), ms(1), note(log, "timer"));
    (0..2).try_for_each(|_| {
        let_time_pass();
        run(lp, log, mode)
    })
}

fn an_overdue_repeat_fires_once_in_a_run_once(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    an_overdue_repeat_fires_once_in_a_run(lp, log, Loop::run_once)
}

fn an_overdue_repeat_fires_once_in_a_run_nowait(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    an_overdue_repeat_fires_once_in_a_run(lp, log, Loop::run_nowait)
}

// --- with the loop ---

fn once_fires_a_timer_of_0_and_waits_for_one_that_is_not_due(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(ms(0), note(log, "timer"));
    run(lp, log, Loop::run_once)?;
    timer.start(ms(5), None, note(log, "timer"))?;
    run(lp, log, Loop::run_once)
}

fn once_waits_for_an_unreferenced_timer_if_an_async_is_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _sender = Async::new(note(log, "async")).sender();
    let timer = start_timer(ms(5), note(log, "timer"));
    timer.unref();
    run(lp, log, Loop::run_once)
}

fn a_due_timer_that_is_unreferenced_and_alone_does_not_fire(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(ms(0), note(log, "timer"));
    timer.unref();
    MODES.into_iter().try_for_each(|(_, mode)| run(lp, log, mode))?;
    note_active(log, &timer);
    Ok(())
}

fn a_due_timer_that_is_unreferenced_fires_if_another_handle_is_alive(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = start_timer(ms(0), note(log, "timer"));
    timer.unref();
    let _prepare = start_prepare(note(log, "prepare"));
    run(lp, log, Loop::run_nowait)
}

fn a_due_timer_restarted_in_check_does_not_fire_in_that_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let timer = Timer::new();
    let _check = start_check({
        let timer = timer.clone();
        noting(log, move |log, _| {
            log.push("check");
            must(timer.start(NEVER, None, note(log, "timer-never")));
        })
    });
    timer.start(ms(1), None, note(log, "timer"))?;
    let_time_pass();
    run(lp, log, Loop::run_nowait)
}

fn a_timer_started_after_long_work_is_short(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    lp.update_time();
    sleep(ms(10));
    let _stale = start_timer(ms(5), note(log, "stale"));
    lp.update_time();
    let _fresh = start_timer(NEVER, note(log, "fresh"));
    run(lp, log, Loop::run_nowait)
}

fn the_wait_after_a_slow_callback_is_counted_from_before_it(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    settle(lp)?;
    let _prepare = start_prepare(noting(log, |log, prepare: &Prepare| {
        note_wait(log, "wait", &prepare.loop_ref());
        prepare.loop_ref().stop();
    }));
    let sleep_long = |log: &EventLog, _: &Timer| {
        log.push("timer");
        sleep(ms(10));
    };
    let _timer = start_repeating(ms(0), ms(5), noting(log, sleep_long));
    run(lp, log, Loop::run)
}

fn a_timer_is_not_early_by_the_clock_of_the_loop(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let timer = Timer::new();
    for after in [ms(1), ms(3), ms(5)] {
        lp.update_time();
        let deadline = lp.now() + after;
        let note_early = move |log: &EventLog, timer: &Timer| {
            let lp = timer.loop_ref();
            lp.update_time();
            log.push(flag("early", lp.now() < deadline));
        };
        timer.start(after, None, noting(log, note_early))?;
        run(lp, log, Loop::run_once)?;
    }
    Ok(())
}

fn ten_timers_and_a_repeat_fire_and_a_stopped_one_does_not(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (fired, repeated) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let _timers: Vec<Timer> = (0..10)
        .map(|after| {
            let fired = fired.clone();
            start_timer(ms(after), move |_| fired.set(fired.get() + 1))
        })
        .collect();
    let _repeat = start_repeating(ms(10), ms(1), {
        let repeated = repeated.clone();
        noting(log, move |log, timer: &Timer| {
            repeated.set(repeated.get() + 1);
            if repeated.get() == 5 {
                close(timer, log, "repeat");
            }
        })
    });
    start_timer(ms(0), note(log, "stopped-never")).stop();
    run(lp, log, Loop::run)?;
    log.push(format!("fired={}", fired.get()));
    log.push(format!("repeated={}", repeated.get()));
    Ok(())
}

// --- siblings that are due in one pass ---

/// One runs first and acts on two; the next iteration has check before its timers.
fn run_siblings(
    lp: &mut Loop,
    log: &EventLog,
    act: impl Fn(&EventLog, &Timer) + 'static,
) -> io::Result<()> {
    let _check = start_check(note(log, "check"));
    let two = Timer::new();
    let _one = start_timer(ms(0), {
        let two = two.clone();
        noting(log, move |log, _| {
            log.push("one");
            act(log, &two);
        })
    });
    two.start(ms(0), NEVER, note(log, "two"))?;
    run(lp, log, Loop::run_nowait)?;
    run(lp, log, Loop::run_nowait)?;
    note_active(log, &two);
    Ok(())
}

fn a_sibling_that_is_due_is_not_active(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_siblings(lp, log, |log, two| note_active(log, two))
}

fn stop_of_a_sibling_takes_it_out_of_the_pass(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_siblings(lp, log, |_, two| two.stop())
}

fn close_of_a_sibling_takes_it_out_of_the_pass(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_siblings(lp, log, |log, two| close(two, log, "two"))
}

fn a_sibling_restarted_at_0_waits_for_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    run_siblings(lp, log, |log, two| must(two.start(ms(0), None, note(log, "two"))))
}

fn a_sibling_restarted_with_a_longer_time_waits_for_that(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    run_siblings(lp, log, |log, two| must(two.start(NEVER, None, note(log, "two"))))
}

fn again_of_a_sibling_takes_it_out_of_the_pass(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_siblings(lp, log, |log, two| log.push(status("again", &two.again())))
}

fn a_repeat_set_to_0_counts_for_a_sibling_that_is_due(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    run_siblings(lp, log, |_, two| two.set_repeat(None))
}

fn a_sibling_that_is_unreferenced_still_fires(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    run_siblings(lp, log, |_, two| two.unref())
}

table!(
    timers_run_by_deadline_and_equal_ones_in_the_order_of_start,
    equal_deadlines_run_in_the_order_of_start_not_of_making,
    a_timer_started_again_goes_behind_its_equals,
    repeats_of_one_period_keep_their_order,
    a_second_start_replaces_the_time_and_the_callback,
    a_timer_rearmed_0_in_its_callback_runs_once_an_iteration,
    a_timer_of_0_started_in_a_timer_waits_for_the_next_iteration,
    a_timer_of_0_started_in_a_phase_runs_in_that_iteration,
    a_start_in_its_callback_replaces_the_repeat_and_the_callback,
    a_closing_timer_can_not_be_started,
    again_on_a_closing_timer,
    a_huge_timeout_is_never_due,
    a_huge_repeat_is_never_due_again,
    stopping_twice_is_stopping_once,
    due_in_is_not_reset_by_stop,
    due_in_counts_by_the_cached_time,
    a_one_shot_is_inactive_in_its_callback_a_repeat_is_active,
    a_timer_is_active_from_start_to_stop_or_close,
    again_on_a_timer_never_started_is_an_error,
    again_without_a_repeat_does_nothing,
    again_counts_the_repeat_from_now,
    again_after_stop_starts_it_with_the_repeat,
    again_puts_off_a_timer_that_is_due,
    a_repeat_set_in_the_callback_applies_to_the_arming_after_the_next,
    a_repeat_set_to_0_in_the_callback_ends_it_after_one_more,
    a_repeat_set_in_the_callback_of_a_one_shot_waits_for_again,
    stop_in_its_callback_ends_the_repeat_and_again_resumes_it,
    close_in_its_callback_ends_the_repeat,
    start_sets_the_repeat_and_stop_keeps_it,
    periods_that_were_missed_are_not_made_up,
    an_overdue_repeat_fires_once_in_a_run_once,
    an_overdue_repeat_fires_once_in_a_run_nowait,
    once_fires_a_timer_of_0_and_waits_for_one_that_is_not_due,
    once_waits_for_an_unreferenced_timer_if_an_async_is_alive,
    a_due_timer_that_is_unreferenced_and_alone_does_not_fire,
    a_due_timer_that_is_unreferenced_fires_if_another_handle_is_alive,
    a_due_timer_restarted_in_check_does_not_fire_in_that_iteration,
    a_timer_started_after_long_work_is_short,
    the_wait_after_a_slow_callback_is_counted_from_before_it,
    a_timer_is_not_early_by_the_clock_of_the_loop,
    ten_timers_and_a_repeat_fire_and_a_stopped_one_does_not,
    a_sibling_that_is_due_is_not_active,
    stop_of_a_sibling_takes_it_out_of_the_pass,
    close_of_a_sibling_takes_it_out_of_the_pass,
    a_sibling_restarted_at_0_waits_for_the_next_iteration,
    a_sibling_restarted_with_a_longer_time_waits_for_that,
    again_of_a_sibling_takes_it_out_of_the_pass,
    a_repeat_set_to_0_counts_for_a_sibling_that_is_due,
    a_sibling_that_is_unreferenced_still_fires,
);
