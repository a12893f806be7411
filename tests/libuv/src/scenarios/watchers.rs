//! Idle, prepare and check handles. They have the same rules, so most scenarios come three times.

use crate::handles::{
    Close, close, close_then, must, note, note_active, note_alive, noting, run, start_check,
    start_idle, start_prepare,
};
use crate::labels::status;
use crate::sockets::iterate;
use crate::table;
use behaviour::EventLog;
use runtime::handle::{Check, Handle, Idle, Prepare, Timer};
use runtime::{Loop, ms};
use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Deref;
use std::rc::Rc;

/// A handle of any of the three kinds.
trait Watcher: Close + Clone + Deref<Target = Handle> + 'static {
    fn make() -> Self;
    fn start(&self, f: impl FnMut(&Self) + 'static) -> io::Result<()>;
    fn stop(&self);
}

macro_rules! watcher {
    ($($kind:ident)*) => {
        $(impl Watcher for $kind {
            fn make() -> Self {
                $kind::new()
            }

            fn start(&self, f: impl FnMut(&Self) + 'static) -> io::Result<()> {
                $kind::start(self, f)
            }

            fn stop(&self) {
                $kind::stop(self);
            }
        })*
    };
}

watcher!(Idle Prepare Check);

/// Four handles; their labels are `1` to `4`.
#[derive(Clone)]
struct Four<W>(Rc<[(&'static str, W); 4]>);

impl<W: Watcher> Four<W> {
    fn of(&self, number: usize) -> &W {
        &self.0[number - 1].1
    }

    fn start(&self, log: &EventLog, number: usize) -> io::Result<()> {
        self.start_with(log, number, |_, _| ())
    }

    /// Its callback notes the label, then calls `act`.
    fn start_with(
        &self,
        log: &EventLog,
        number: usize,
        mut act: impl FnMut(&EventLog, &Self) + 'static,
    ) -> io::Result<()> {
        let (label, watcher) = self.0[number - 1].clone();
        let all = self.clone();
        watcher.start(noting(log, move |log, _| {
            log.push(label);
            act(log, &all);
        }))
    }

    fn restart(&self, log: &EventLog, number: usize) {
        self.of(number).stop();
        must(self.start(log, number));
    }
}

/// Makes four and starts three.
fn start_three<W: Watcher>(log: &EventLog) -> Four<W> {
    start_three_with(log, 0, |_, _| ())
}

/// In the callback of number `actor` there is `act` as well.
fn start_three_with<W: Watcher>(
    log: &EventLog,
    actor: usize,
    act: impl FnMut(&EventLog, &Four<W>) + 'static,
) -> Four<W> {
    let four = Four(Rc::new(["1", "2", "3", "4"].map(|label| (label, W::make()))));
    let mut act = Some(act);
    for number in 1..=3 {
        match act.take_if(|_| number == actor) {
            Some(act) => must(four.start_with(log, number, act)),
            None => must(four.start(log, number)),
        }
    }
    four
}

/// Lets `act` act the first time only.
fn once<W>(
    mut act: impl FnMut(&EventLog, &Four<W>) + 'static,
) -> impl FnMut(&EventLog, &Four<W>) + 'static {
    let mut is_over = false;
    move |log, four| {
        if !std::mem::replace(&mut is_over, true) {
            act(log, four);
        }
    }
}

// --- each of these is about one kind ---

fn run_newest_first<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_three::<W>(log);
    iterate(lp, log, 1)?;
    four.start(log, 4)?;
    iterate(lp, log, 2)
}

fn keep_place_when_started_again<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_three::<W>(log);
    log.push(status("start", &four.start(log, 1)));
    iterate(lp, log, 1)
}

fn come_first_when_stopped_and_started<W: Watcher>(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let four = start_three::<W>(log);
    four.restart(log, 1);
    iterate(lp, log, 2)
}

fn can_be_stopped_twice<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_three::<W>(log);
    four.of(2).stop();
    four.of(2).stop();
    note_active(log, four.of(2));
    iterate(lp, log, 1)
}

fn started_by_their_own_kind_wait<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_three_with(log, 3, |log, four: &Four<W>| {
        must(four.start(log, 2));
        must(four.start(log, 4));
    });
    four.of(2).stop();
    iterate(lp, log, 2)
}

fn stopped_by_one_before_do_not_run<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _four = start_three_with(log, 3, |_, four: &Four<W>| four.of(2).stop());
    iterate(lp, log, 2)
}

fn closed_by_one_before_do_not_run<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _four = start_three_with(log, 3, once(|log, four: &Four<W>| close(four.of(2), log, "2")));
    iterate(lp, log, 2)
}

fn restarted_by_one_before_wait<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _four = start_three_with(log, 3, once(|log, four: &Four<W>| four.restart(log, 2)));
    iterate(lp, log, 2)
}

fn restarted_by_one_behind_come_first<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _four = start_three_with(log, 1, once(|log, four: &Four<W>| four.restart(log, 2)));
    iterate(lp, log, 2)
}

/// The callback that it is restarted with restarts it too.
fn restart_itself<W: Watcher>(log: &EventLog, four: &Four<W>) {
    four.of(2).stop();
    must(four.start_with(log, 2, restart_itself));
}

fn restarted_by_themselves_run_once_an_iteration<W: Watcher>(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _four = start_three_with::<W>(log, 2, restart_itself);
    iterate(lp, log, 3)
}

fn stopped_by_themselves_are_inactive<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let four = start_three_with(log, 2, |_, four: &Four<W>| four.of(2).stop());
    iterate(lp, log, 2)?;
    note_active(log, four.of(2));
    Ok(())
}

fn closed_by_themselves_are_called_back_in_the_iteration<W: Watcher>(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let _four = start_three_with(log, 2, |log, four: &Four<W>| close(four.of(2), log, "2"));
    iterate(lp, log, 2)
}

fn that_are_unreferenced_run_while_another_is_alive<W: Watcher>(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let four = start_three::<W>(log);
    four.of(1).unref();
    four.of(2).unref();
    iterate(lp, log, 1)?;
    four.of(3).stop();
    note_alive(log, lp);
    iterate(lp, log, 1)
}

// --- the callback that they keep ---

fn start_on_a_started_handle_keeps_its_callback_until_it_is_stopped(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let idle = start_idle(note(log, "idle"));
    let prepare = start_prepare(note(log, "prepare"));
    let check = start_check(note(log, "check"));
    let start_all_with_another_callback = || {
        must(idle.start(note(log, "idle-other")));
        must(prepare.start(note(log, "prepare-other")));
        must(check.start(note(log, "check-other")));
    };
    start_all_with_another_callback();
    iterate(lp, log, 1)?;
    idle.stop();
    prepare.stop();
    check.stop();
    start_all_with_another_callback();
    iterate(lp, log, 1)
}

// --- one kind and another ---

/// The starter starts one of each kind, of which those that come later run at once.
fn start_others_in<W: Watcher>(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (idle, prepare, check) = (Idle::new(), Prepare::new(), Check::new());
    let starter = W::make();
    starter.start(noting(log, move |log, _| {
        log.push("starter");
        must(idle.start(note(log, "idle")));
        must(prepare.start(note(log, "prepare")));
        must(check.start(note(log, "check")));
    }))?;
    iterate(lp, log, 2)
}

fn what_idle_starts_for_a_later_phase_runs_in_that_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    start_others_in::<Idle>(lp, log)
}

fn what_prepare_starts_for_a_later_phase_runs_in_that_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    start_others_in::<Prepare>(lp, log)
}

fn what_check_starts_runs_in_the_next_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    start_others_in::<Check>(lp, log)
}

// --- all together ---

const IDLES: [&str; 7] = ["0", "1", "2", "3", "4", "5", "6"];
const ITERATIONS: usize = 21;

/// The handles of the scenario, and how often each kind ran.
struct Crowd {
    prepare: Prepare,
    sometimes: Prepare,
    check: Check,
    idles: [Idle; IDLES.len()],
    /// Opened now and then by a turn of the others; it closes itself in its own.
    inner: RefCell<Option<Idle>>,
    prepares: Cell<usize>,
    sometimes_prepared: Cell<usize>,
    checks: Cell<usize>,
    idle_turns: Cell<usize>,
    inner_started: Cell<usize>,
}

/// Counts one more.
fn count(cell: &Cell<usize>) -> usize {
    cell.set(cell.get() + 1);
    cell.get()
}

impl Crowd {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            prepare: Prepare::new(),
            sometimes: Prepare::new(),
            check: Check::new(),
            idles: IDLES.map(|_| Idle::new()),
            inner: RefCell::default(),
            prepares: Cell::default(),
            sometimes_prepared: Cell::default(),
            checks: Cell::default(),
            idle_turns: Cell::default(),
            inner_started: Cell::default(),
        })
    }

    fn turn_of_prepare(self: &Rc<Self>) {
        // The number of the iteration, from 0.
        if self.prepares.get().is_multiple_of(2) {
            let crowd = self.clone();
            must(self.sometimes.start(move |sometimes| {
                count(&crowd.sometimes_prepared);
                sometimes.stop();
            }));
        }
        count(&self.prepares);
    }

    fn turn_of_check(self: &Rc<Self>, log: &EventLog) {
        count(&self.checks);
        let iteration = self.prepares.get();
        if iteration < ITERATIONS {
            for idle in &self.idles[..1 + iteration % IDLES.len()] {
                let crowd = self.clone();
                must(idle.start(move |idle| crowd.turn_of_idles(idle)));
            }
        } else {
            self.close_all(log);
        }
    }

    /// Each fifth turn of any of them stops that one.
    fn turn_of_idles(self: &Rc<Self>, idle: &Idle) {
        if self.inner.borrow().is_none() {
            count(&self.inner_started);
            let crowd = self.clone();
            self.inner.replace(Some(start_idle(move |_| crowd.close_inner())));
        }
        if count(&self.idle_turns).is_multiple_of(5) {
            idle.stop();
        }
    }

    /// The next one is opened when this one is closed.
    fn close_inner(self: &Rc<Self>) {
        if let Some(inner) = &*self.inner.borrow() {
            let crowd = self.clone();
            close_then(inner, move || drop(crowd.inner.take()));
        }
    }

    fn close_all(self: &Rc<Self>, log: &EventLog) {
        close(&self.prepare, log, "prepare");
        close(&self.check, log, "check");
        close(&self.sometimes, log, "sometimes");
        for (label, idle) in IDLES.iter().zip(&self.idles) {
            close(idle, log, label);
        }
        self.close_inner();
    }
}

fn handles_start_stop_and_close_each_other(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let crowd = Crowd::new();
    crowd.prepare.start({
        let crowd = crowd.clone();
        move |_| crowd.turn_of_prepare()
    })?;
    crowd.check.start({
        let crowd = crowd.clone();
        noting(log, move |log, _| crowd.turn_of_check(log))
    })?;
    // Nothing else ends the wait of an iteration that has no idle handle.
    let timer = Timer::new();
    timer.start(ms(1), ms(1), |_| ())?;
    timer.unref();
    run(lp, log, Loop::run)?;
    let counts = [
        ("prepares", &crowd.prepares),
        ("sometimes", &crowd.sometimes_prepared),
        ("checks", &crowd.checks),
        ("idles", &crowd.idle_turns),
        ("inner", &crowd.inner_started),
    ];
    for (what, count) in counts {
        log.push(format!("{what}={}", count.get()));
    }
    Ok(())
}

/// One scenario of each kind for a fact of all three, under the names that are given.
macro_rules! of_each_kind {
    ($($fact:ident: $idles:ident $prepares:ident $checks:ident)*) => {
        $(
            fn $idles(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
                $fact::<Idle>(lp, log)
            }

            fn $prepares(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
                $fact::<Prepare>(lp, log)
            }

            fn $checks(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
                $fact::<Check>(lp, log)
            }
        )*

        table!(
            $($idles, $prepares, $checks,)*
            start_on_a_started_handle_keeps_its_callback_until_it_is_stopped,
            what_idle_starts_for_a_later_phase_runs_in_that_iteration,
            what_prepare_starts_for_a_later_phase_runs_in_that_iteration,
            what_check_starts_runs_in_the_next_iteration,
            handles_start_stop_and_close_each_other,
        );
    };
}

of_each_kind! {
    run_newest_first:
        idles_run_newest_first
        prepares_run_newest_first
        checks_run_newest_first
    keep_place_when_started_again:
        idles_keep_place_when_started_again
        prepares_keep_place_when_started_again
        checks_keep_place_when_started_again
    come_first_when_stopped_and_started:
        idles_come_first_when_stopped_and_started
        prepares_come_first_when_stopped_and_started
        checks_come_first_when_stopped_and_started
    can_be_stopped_twice:
        idles_can_be_stopped_twice
        prepares_can_be_stopped_twice
        checks_can_be_stopped_twice
    started_by_their_own_kind_wait:
        idles_started_by_their_own_kind_wait
        prepares_started_by_their_own_kind_wait
        checks_started_by_their_own_kind_wait
    stopped_by_one_before_do_not_run:
        idles_stopped_by_one_before_do_not_run
        prepares_stopped_by_one_before_do_not_run
        checks_stopped_by_one_before_do_not_run
    closed_by_one_before_do_not_run:
        idles_closed_by_one_before_do_not_run
        prepares_closed_by_one_before_do_not_run
        checks_closed_by_one_before_do_not_run
    restarted_by_one_before_wait:
        idles_restarted_by_one_before_wait
        prepares_restarted_by_one_before_wait
        checks_restarted_by_one_before_wait
    restarted_by_one_behind_come_first:
        idles_restarted_by_one_behind_come_first
        prepares_restarted_by_one_behind_come_first
        checks_restarted_by_one_behind_come_first
    restarted_by_themselves_run_once_an_iteration:
        idles_restarted_by_themselves_run_once_an_iteration
        prepares_restarted_by_themselves_run_once_an_iteration
        checks_restarted_by_themselves_run_once_an_iteration
    stopped_by_themselves_are_inactive:
        idles_stopped_by_themselves_are_inactive
        prepares_stopped_by_themselves_are_inactive
        checks_stopped_by_themselves_are_inactive
    closed_by_themselves_are_called_back_in_the_iteration:
        idles_closed_by_themselves_are_called_back_in_the_iteration
        prepares_closed_by_themselves_are_called_back_in_the_iteration
        checks_closed_by_themselves_are_called_back_in_the_iteration
    that_are_unreferenced_run_while_another_is_alive:
        idles_that_are_unreferenced_run_while_another_is_alive
        prepares_that_are_unreferenced_run_while_another_is_alive
        checks_that_are_unreferenced_run_while_another_is_alive
}
