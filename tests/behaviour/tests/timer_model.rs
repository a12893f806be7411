//! `Timer`s under random use, against a list that is searched each time.

mod loop_support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use loop_support::{manual, note};
use runtime::handle::Timer;
use runtime::{Clock, Loop, clear_timeout, ms, set_timeout};

const TIMERS: usize = 12;

/// What a timer should be doing.
#[derive(Clone, Copy, Default)]
struct Plan {
    was_started: bool,
    /// The deadline and the serial of the start.
    armed: Option<(Duration, u64)>,
    repeat: Option<Duration>,
}

/// The timers, and the plan of each.
struct Pair {
    timers: RefCell<Vec<Timer>>,
    plans: RefCell<Vec<Plan>>,
    last_serial: Cell<u64>,
    /// What runs in the phase: up to this deadline and this serial.
    limit: Cell<(Duration, u64)>,
    now: Cell<Duration>,
    random: Cell<u64>,
    fired: Cell<u64>,
    /// One was closed in this phase: the loop does not wait before its closing phase.
    has_closing: Cell<bool>,
}

impl Pair {
    fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            timers: RefCell::new((0..TIMERS).map(|_| Timer::new()).collect()),
            plans: RefCell::new(vec![Plan::default(); TIMERS]),
            last_serial: Cell::new(0),
            limit: Cell::new((Duration::ZERO, 0)),
            now: Cell::new(Duration::ZERO),
            random: Cell::new(0x2545_f491_4f6c_dd1d ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            fired: Cell::new(0),
            has_closing: Cell::new(false),
        })
    }

    fn below(&self, bound: u64) -> u64 {
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        random % bound
    }

    fn armed(&self, after: Duration) -> Option<(Duration, u64)> {
        self.last_serial.set(self.last_serial.get() + 1);
        Some((self.now.get() + after, self.last_serial.get()))
    }

    /// The timer whose turn it is in this phase.
    fn next_due(&self) -> Option<usize> {
        let (deadline, serial) = self.limit.get();
        let plans = self.plans.borrow();
        let armed = plans.iter().enumerate().filter_map(|(at, plan)| Some((plan.armed?, at)));
        let due = armed.filter(|((at, number), _)| *at <= deadline && *number <= serial);
        due.min().map(|(_, at)| at)
    }

    /// One random use of a random timer.
    fn change(self: &Rc<Self>) {
        let at = self.below(TIMERS as u64) as usize;
        let timer = self.timers.borrow()[at].clone();
        let mut plan = self.plans.borrow()[at];
        match self.below(8) {
            0..=2 => {
                // Equal deadlines are frequent, zero among them.
                let (after, repeat) = (ms(self.below(8)), self.below(6));
                plan.repeat = (repeat < 3 && repeat > 0).then(|| ms(repeat));
                (plan.was_started, plan.armed) = (true, self.armed(after));
                let pair = self.clone();
                timer.start(after, plan.repeat, move |_| pair.fire(at)).unwrap();
            }
            3..=4 => {
                timer.stop();
                plan.armed = None;
            }
            5..=6 => {
                assert_eq!(timer.again().is_ok(), plan.was_started);
                if let Some(repeat) = plan.repeat.filter(|_| plan.was_started) {
                    plan.armed = self.armed(repeat);
                }
            }
            _ => {
                timer.close();
                self.has_closing.set(true);
                self.timers.borrow_mut()[at] = Timer::new();
                plan = Plan::default();
            }
        }
        self.plans.borrow_mut()[at] = plan;
    }

    fn fire(self: &Rc<Self>, at: usize) {
        assert_eq!(self.next_due(), Some(at), "at {:?}", self.now.get());
        self.fired.set(self.fired.get() + 1);
        let repeat = self.plans.borrow()[at].repeat;
        let armed = repeat.and_then(|repeat| self.armed(repeat));
        self.plans.borrow_mut()[at].armed = armed;
        for _ in 0..self.below(4) {
            self.change();
        }
    }

    fn first_deadline(&self) -> Option<Duration> {
        let plans = self.plans.borrow();
        plans.iter().filter_map(|plan| plan.armed).min().map(|(deadline, _)| deadline)
    }
}

fn run(lp: &mut Loop, clock: &Clock, pair: &Rc<Pair>, by: Duration) {
    clock.advance(by);
    pair.now.set(pair.now.get() + by);
    pair.limit.set((pair.now.get(), pair.last_serial.get()));
    pair.has_closing.set(false);
    lp.run_nowait().unwrap();
    assert_eq!(pair.next_due(), None, "it was due and did not fire");
}

#[test]
fn timers_fire_as_a_sorted_list_says() {
    let mut fired = 0;
    for seed in 0..30 {
        let (mut lp, clock, _log, _guards) = manual();
        let pair = Pair::new(seed);
        for _ in 0..500 {
            for _ in 0..pair.below(4) {
                pair.change();
            }
            let by = ms(pair.below(5));
            run(&mut lp, &clock, &pair, by);
            if let Some(deadline) = pair.first_deadline().filter(|_| !pair.has_closing.get()) {
                assert_eq!(lp.backend_timeout(), Some(deadline - pair.now.get()));
            }
        }
        fired += pair.fired.get();
        // They hold their callbacks, which hold them.
        pair.timers.borrow_mut().drain(..).for_each(|timer| timer.close());
    }
    assert!(fired > 5_000, "only {fired} fired: the test does not test much");
}

#[test]
fn what_was_stopped_or_cleared_does_not_end_the_wait() {
    let (lp, _clock, log, _guards) = manual();
    let (sooner, later) = (Timer::new(), Timer::new());
    later.start(ms(50), None, note(&log, "later")).unwrap();
    sooner.start(ms(10), None, note(&log, "sooner")).unwrap();
    assert_eq!(lp.backend_timeout(), Some(ms(10)));
    sooner.stop();
    assert_eq!(lp.backend_timeout(), Some(ms(50)));
    let timeouts = [20, 30, 40].map(|after| set_timeout(ms(after), || ()));
    assert_eq!(lp.backend_timeout(), Some(ms(20)));
    clear_timeout(timeouts[0]);
    clear_timeout(timeouts[1]);
    assert_eq!(lp.backend_timeout(), Some(ms(40)));
    clear_timeout(timeouts[2]);
    assert_eq!(lp.backend_timeout(), Some(ms(50)));
    later.stop();
    assert_eq!(lp.backend_timeout(), Some(Duration::ZERO), "nothing is alive");
}

#[test]
fn a_wait_whose_timers_were_put_off_is_one_iteration() {
    let _deadline = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let timer = Timer::new();
    timer.start(ms(1), ms(30), note(&log, "repeats")).unwrap();
    timer.again().unwrap();
    set_timeout(ms(2), || ()).clear();
    set_timeout(ms(3), || ()).clear();
    lp.run_once().unwrap();
    assert_eq!(lp.metrics().iterations, 1);
    log.expect(["repeats"]);
    timer.close();
}

#[test]
fn a_list_that_is_founded_anew_counts_from_then() {
    let (mut lp, clock, log, _guards) = manual();
    let start = lp.now();
    set_timeout(ms(10), || ()).clear();
    clock.advance(ms(5));
    let mark = |event: &'static str| {
        let log = log.clone();
        move || log.push(event)
    };
    set_timeout(ms(7), mark("seven"));
    set_timeout(ms(10), mark("ten"));
    assert_eq!(lp.backend_timeout(), Some(ms(7)));
    clock.advance(ms(5));
    lp.run_nowait().unwrap();
    log.expect([]);
    lp.run().unwrap();
    log.expect(["seven", "ten"]);
    assert_eq!(lp.now() - start, ms(15));
}
