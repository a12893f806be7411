//! Node's timer lists written as plainly as they can be, and [`TimerLists`] compared with that.

use super::lists::{Pass, Step, Timer, TimerLists};
use crate::base::Key;
use crate::base::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Once,
    Kept,
    Interval,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Armed,
    Running,
    Fired,
}

struct ModelTimer {
    name: u32,
    key: Key,
    kind: Kind,
    duration: u64,
    start: u64,
    place: Place,
    is_ref: bool,
}

struct ModelList {
    duration: u64,
    expiry: u64,
    serial: u64,
    timers: Vec<u32>,
}

/// All that there is. A list that Node would drop is dropped at once.
#[derive(Default)]
struct Model {
    timers: Vec<ModelTimer>,
    lists: Vec<ModelList>,
    last_serial: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Drain,
    Run(u32),
    Done(bool),
}

/// A pass over the model. A list is named by its serial, which it has for as long as it is run.
struct ModelPass {
    now: u64,
    list: Option<u64>,
    owes_on_switch: bool,
    owes_now: bool,
}

impl Model {
    fn timer(&mut self, name: u32) -> Option<&mut ModelTimer> {
        self.timers.iter_mut().find(|timer| timer.name == name)
    }

    fn serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    fn arm(&mut self, name: u32, start: u64) {
        let timer = self.timer(name).expect("a timer");
        (timer.start, timer.place) = (start, Place::Armed);
        let duration = timer.duration;
        if !self.lists.iter().any(|list| list.duration == duration) {
            let (expiry, serial) = (start + duration, self.serial());
            self.lists.push(ModelList { duration, expiry, serial, timers: Vec::new() });
        }
        let list = self.lists.iter_mut().find(|list| list.duration == duration);
        list.expect("just made").timers.push(name);
    }

    fn unlink(&mut self, name: u32) {
        self.lists.iter_mut().for_each(|list| list.timers.retain(|timer| *timer != name));
    }

    fn clear(&mut self, name: u32) {
        let Some(at) = self.timers.iter().position(|timer| timer.name == name) else { return };
        self.unlink(name);
        let timer = self.timers.remove(at);
        if timer.is_ref {
            self.lists.retain(|list| list.duration != timer.duration || !list.timers.is_empty());
        }
    }

    fn refresh(&mut self, name: u32, start: u64) -> bool {
        match self.timer(name).map(|timer| (timer.kind, timer.place)) {
            None | Some((Kind::Once, Place::Running)) => return false,
            Some(_) => {}
        }
        self.unlink(name);
        self.arm(name, start);
        true
    }

    fn refs(&self) -> usize {
        self.timers.iter().filter(|timer| timer.is_ref && timer.place != Place::Fired).count()
    }

    fn first(&self) -> Option<&ModelList> {
        self.lists.iter().min_by_key(|list| (list.expiry, list.serial))
    }

    fn step(&mut self, pass: &mut ModelPass) -> Expected {
        loop {
            let Some(serial) = pass.list else {
                let first = self.first().filter(|list| list.expiry <= pass.now);
                let first = first.map(|list| list.serial);
                let owes = pass.owes_now || pass.owes_on_switch;
                if first.is_none() {
                    return Expected::Done(owes);
                }
                (pass.owes_now, pass.owes_on_switch) = (false, false);
                if owes {
                    return Expected::Drain;
                }
                pass.list = first;
                continue;
            };
            let Some(at) = self.lists.iter().position(|list| list.serial == serial) else {
                pass.list = None;
                continue;
            };
            let Some(name) = self.lists[at].timers.first().copied() else {
                self.lists.remove(at);
                (pass.list, pass.owes_on_switch) = (None, true);
                continue;
            };
            let timer = self.timer(name).expect("a timer of a list");
            let expiry = timer.start + timer.duration;
            if expiry > pass.now {
                let serial = self.serial();
                (self.lists[at].expiry, self.lists[at].serial) = (expiry, serial);
                (pass.list, pass.owes_on_switch) = (None, true);
                continue;
            }
            if std::mem::take(&mut pass.owes_now) {
                pass.owes_on_switch = false;
                return Expected::Drain;
            }
            pass.owes_now = true;
            self.timer(name).expect("a timer of a list").place = Place::Running;
            self.lists[at].timers.remove(0);
            return Expected::Run(name);
        }
    }

    fn finish(&mut self, name: u32, start: u64) {
        let Some(timer) = self.timer(name) else { return };
        match (timer.kind, timer.place) {
            (Kind::Once, _) => self.timers.retain(|timer| timer.name != name),
            (Kind::Interval, _) => {
                self.unlink(name);
                self.arm(name, start);
            }
            (Kind::Kept, Place::Running) => timer.place = Place::Fired,
            (Kind::Kept, _) => {}
        }
    }
}

/// Both, under the same changes.
struct Pair {
    lists: TimerLists<u32>,
    model: Model,
    random: Random,
    now: u64,
    next_name: u32,
    /// Its action is out.
    running: Option<u32>,
    /// Names of timers that are gone, to be used all the same.
    gone: Vec<(u32, Key)>,
    durations: u64,
}

impl Pair {
    fn new(seed: u64, durations: u64) -> Self {
        Self {
            lists: TimerLists::default(),
            model: Model::default(),
            random: Random::new(seed),
            now: 0,
            next_name: 0,
            running: None,
            gone: Vec::new(),
            durations,
        }
    }

    fn insert(&mut self) {
        let (name, duration) = (self.next_name, 1 + self.random.below(self.durations));
        self.next_name += 1;
        let (kind, timer) = match self.random.below(4) {
            0 => (Kind::Interval, Timer::interval(name, duration)),
            1 => (Kind::Kept, Timer::kept(name, duration)),
            _ => (Kind::Once, Timer::once(name, duration)),
        };
        let key = self.lists.insert(timer, self.now);
        let (start, place, is_ref) = (0, Place::Fired, true);
        self.model.timers.push(ModelTimer { name, key, kind, duration, start, place, is_ref });
        self.model.arm(name, self.now);
    }

    /// Any timer: mostly one that is there.
    fn any(&mut self) -> Option<(u32, Key)> {
        if self.random.below(10) == 0 {
            return self.gone.last().copied();
        }
        let count = self.model.timers.len() as u64;
        let at = (count > 0).then(|| self.random.below(count) as usize)?;
        Some((self.model.timers[at].name, self.model.timers[at].key))
    }

    fn clear(&mut self, (name, key): (u32, Key)) {
        let has_action = self.model.timer(name).is_some() && self.running != Some(name);
        self.model.clear(name);
        assert_eq!(self.lists.clear(key), has_action.then_some(name));
        self.gone.push((name, key));
    }

    /// One change, such as a callback makes.
    fn change(&mut self) {
        match (self.random.below(9), self.any()) {
            (0..=1, Some(timer)) => self.clear(timer),
            (2..=3, Some((name, key))) => {
                let is_there = self.model.refresh(name, self.now);
                assert_eq!(self.lists.refresh(key, self.now), is_there);
            }
            (4, Some((name, key))) => {
                let is_ref = self.random.below(2) == 0;
                self.lists.set_ref(key, is_ref);
                if let Some(timer) = self.model.timer(name) {
                    timer.is_ref = is_ref;
                }
            }
            (5, _) => self.now += self.random.below(3),
            _ => self.insert(),
        }
        self.compare();
    }

    fn changes(&mut self) {
        for _ in 0..self.random.below(4) {
            self.change();
        }
    }

    fn compare(&mut self) {
        let first = self.model.first().map(|list| list.expiry);
        assert_eq!(self.lists.refs(), self.model.refs());
        assert!(self.lists.expiry_bound().is_none_or(|bound| first.is_none_or(|at| bound <= at)));
        // Not always, since to look puts things right.
        if self.random.below(4) == 0 {
            assert_eq!(self.lists.next_expiry(), first);
        }
        if let Some((name, key)) = self.any() {
            let timer = self.model.timer(name).map(|timer| timer.is_ref);
            assert_eq!(self.lists.contains(key), timer.is_some());
            assert_eq!(self.lists.has_ref(key), timer == Some(true));
        }
    }

    /// A pass, in which some callbacks and drains throw.
    fn pass(&mut self) {
        let mut pass = Pass::new(self.now);
        let (now, list) = (self.now, None);
        let mut model = ModelPass { now, list, owes_on_switch: false, owes_now: false };
        loop {
            let step = self.lists.step(&mut pass);
            let expected = self.model.step(&mut model);
            let throws = self.random.below(6) == 0;
            match step {
                Step::Done(owed) => {
                    assert_eq!(expected, Expected::Done(owed));
                    return;
                }
                Step::Drain => {
                    assert_eq!(expected, Expected::Drain);
                    self.changes();
                }
                Step::Run(key, name) => {
                    assert_eq!(expected, Expected::Run(name));
                    self.run(name, key);
                }
            }
            if throws {
                pass.restart();
                (model.list, model.owes_on_switch, model.owes_now) = (None, false, false);
            }
            self.compare();
        }
    }

    fn run(&mut self, name: u32, key: Key) {
        let (kind, start) = (self.model.timer(name).map(|timer| timer.kind), self.now);
        self.running = Some(name);
        self.changes();
        if self.random.below(3) == 0 {
            // Its own callback is where a timer is cleared and refreshed most.
            if self.random.below(2) == 0 {
                self.clear((name, key));
            } else {
                let is_there = self.model.refresh(name, self.now);
                assert_eq!(self.lists.refresh(key, self.now), is_there);
            }
        }
        self.running = None;
        self.model.finish(name, start);
        match kind.expect("it runs") {
            Kind::Once => assert_eq!(self.lists.finish_once(key), None),
            Kind::Kept | Kind::Interval => {
                let is_there = self.model.timer(name).is_some();
                assert_eq!(self.lists.finish(key, name, start), (!is_there).then_some(name));
            }
        }
        if kind == Some(Kind::Once) {
            self.gone.push((name, key));
        }
    }
}

#[test]
fn lists_do_what_the_plain_algorithm_does() {
    // Few durations fill the lists; many make them come and go, and their records be swept.
    for (seed, durations) in (0..60).zip([1, 3, 8, 40, 400].into_iter().cycle()) {
        let mut pair = Pair::new(seed, durations);
        for _ in 0..400 {
            pair.changes();
            if pair.random.below(3) == 0 {
                pair.now += pair.random.below(6);
                pair.pass();
            }
        }
        let all: Vec<_> = pair.model.timers.iter().map(|timer| (timer.name, timer.key)).collect();
        for timer in all {
            pair.clear(timer);
        }
        assert_eq!(pair.lists.refs(), 0);
        // Lists of unreferenced timers stay until they come up.
        pair.now += durations + 1;
        pair.pass();
        pair.compare();
        assert_eq!(pair.lists.next_expiry(), pair.model.first().map(|list| list.expiry));
    }
}
