//! Node's timer lists.
//!
//! ```text
//!   durations: 10 ms ─▶ [t1, t4, t5]   expiry 1010, serial 7      heap by (expiry, serial)
//!              25 ms ─▶ [t2]           expiry 1012, serial 8
//!               1 ms ─▶ [t3]           expiry 1013, serial 9
//! ```
//!
//! All timers of one duration form a list in the order they were set, so arming and clearing are
//! O(1). A list's expiry is that of the timer which founded it and is corrected only when it comes
//! up. A pass reads the time once; it runs *all* due timers of the first due list before it looks at
//! the next list. Times are whole milliseconds since the loop's clock began.
//!
//! A pass is driven from outside, one [`Step`] at a time: nothing is borrowed while a timer runs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::base::{Arena, Heap, Key};
use crate::error::Result;

/// What a timer does when it fires.
pub(crate) enum Fired<Id> {
    /// `set_timeout`.
    Once(Box<dyn FnOnce() -> Result>),
    /// `set_timeout_mut` and `set_interval`.
    Again(Box<dyn FnMut(Id) -> Result>),
    /// A task sleeps.
    Wake(std::task::Waker),
}

/// One timer.
pub(crate) struct Timer<T> {
    /// What it does; out while it runs.
    action: Option<T>,
    /// When it was armed, and for how long.
    start: u64,
    duration: u64,
    kind: Kind,
    is_ref: bool,
    link: Link,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Gone when it has fired.
    Once,
    /// Kept when it has fired: `refresh` arms it again.
    Kept,
    Interval,
}

/// Where the timer is.
#[derive(Clone, Copy)]
enum Link {
    /// In a list, between two others.
    Armed { list: Key, previous: Key, next: Key },
    /// Its callback runs just now.
    Running,
    /// A kept timer that has fired.
    Fired,
}

impl<T> Timer<T> {
    fn new(action: T, duration: u64, kind: Kind) -> Self {
        Self { action: Some(action), start: 0, duration, kind, is_ref: true, link: Link::Fired }
    }

    /// Fires once and is gone.
    pub(crate) fn once(action: T, duration: u64) -> Self {
        Self::new(action, duration, Kind::Once)
    }

    /// Fires once and can be armed again.
    pub(crate) fn kept(action: T, duration: u64) -> Self {
        Self::new(action, duration, Kind::Kept)
    }

    /// Fires again and again.
    pub(crate) fn interval(action: T, duration: u64) -> Self {
        Self::new(action, duration, Kind::Interval)
    }
}

struct List {
    duration: u64,
    first: Key,
    last: Key,
}

/// All timers of one loop.
pub(crate) struct TimerLists<T> {
    timers: Arena<Timer<T>>,
    by_duration: HashMap<u64, Key, BuildHasherDefault<DurationHasher>>,
    /// The lists, by (expiry, serial).
    lists: Heap<List>,
    next_serial: u64,
    /// Referenced timers that are armed or running: they keep the loop alive.
    refs: usize,
}

impl<T> Default for TimerLists<T> {
    fn default() -> Self {
        Self {
            timers: Arena::default(),
            by_duration: HashMap::default(),
            lists: Heap::default(),
            next_serial: 0,
            refs: 0,
        }
    }
}

/// Where a pass stands. It outlives a callback's panic, so it lives in the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The time that this pass counts as now.
    now: u64,
    /// The list that is being run.
    list: Option<Key>,
    owed: Owed,
}

/// Which drain of the tick queue is still to come. A timer's drain comes before the next timer, not
/// after the callback: what lies between (a list emptied, an expiry corrected) shows after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// None: nothing has run since the last drain, or since the pass was entered anew.
    No,
    /// One, before the next list: one was entered, though no timer of it may have run.
    OnSwitch,
    /// One, before the next timer.
    Now,
}

impl Pass {
    pub(crate) fn new(now: u64) -> Self {
        Self { now, list: None, owed: Owed::No }
    }

    /// An error left the pass: it is entered anew with the same `now`, owing nothing.
    pub(crate) fn restart(&mut self) {
        (self.list, self.owed) = (None, Owed::No);
    }

    fn owed_on_switch(&mut self) {
        if self.owed == Owed::No {
            self.owed = Owed::OnSwitch;
        }
    }
}

/// What the loop has to do next in a pass.
pub(crate) enum Step<T> {
    /// Drain ticks and microtasks.
    Drain,
    /// Run this timer, then hand it back by [`TimerLists::finish`].
    Run(Key, T),
    /// Nothing more is due. `true`: a drain is owed.
    Done(bool),
}

impl<T> TimerLists<T> {
    /// Adds a timer and arms it as of `start`.
    pub(crate) fn insert(&mut self, timer: Timer<T>, start: u64) -> Key {
        self.refs += 1;
        let key = self.timers.insert(timer);
        self.arm(key, start);
        key
    }

    /// When the loop has to run a pass: the earliest expiry.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.lists.first().map(|((expiry, _), _)| expiry)
    }

    /// Number of timers that keep the loop alive.
    pub(crate) fn refs(&self) -> usize {
        self.refs
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.timers.get(key).is_some()
    }

    /// Removes a timer. The caller drops what it would have done.
    ///
    /// A list that is empty then goes, also if the timer was its last and is running: what a pass does
    /// after an error shows it. The lists of unreferenced timers stay, and are corrected when they
    /// come up. Node does so.
    pub(crate) fn clear(&mut self, key: Key) -> Option<T> {
        self.unlink(key);
        let timer = self.timers.remove(key)?;
        self.refs -= usize::from(timer.counts());
        if timer.is_ref
            && let Some(list) = self.by_duration.get(&timer.duration).copied()
            && self.lists.get(list).is_some_and(|list| list.first == Key::DEAD)
        {
            self.drop_list(list);
        }
        timer.action
    }

    /// Arms a timer anew, with its duration, as of `start`; false if it is gone, or fires just now for
    /// the only time.
    pub(crate) fn refresh(&mut self, key: Key, start: u64) -> bool {
        let Some(timer) = self.timers.get(key) else { return false };
        if timer.kind == Kind::Once && matches!(timer.link, Link::Running) {
            return false;
        }
        self.refs += usize::from(timer.is_ref && !timer.counts());
        self.unlink(key);
        self.arm(key, start);
        true
    }

    /// Sets whether the timer keeps the loop alive; nothing if it is gone.
    pub(crate) fn set_ref(&mut self, key: Key, is_ref: bool) {
        let Some(timer) = self.timers.get_mut(key) else { return };
        let counted = timer.counts();
        timer.is_ref = is_ref;
        self.refs = self.refs + usize::from(timer.counts()) - usize::from(counted);
    }

    /// Whether the timer is there and would keep the loop alive.
    pub(crate) fn has_ref(&self, key: Key) -> bool {
        self.timers.get(key).is_some_and(|timer| timer.is_ref)
    }

    /// Puts another action in the place of a timer's; the caller drops the one that comes back, be
    /// it the old one or, if the timer is gone, the new one.
    pub(crate) fn replace_action(&mut self, key: Key, action: T) -> Option<T> {
        match self.timers.get_mut(key) {
            Some(timer) => timer.action.replace(action),
            None => Some(action),
        }
    }

    /// The next thing to do in `pass`.
    pub(crate) fn step(&mut self, pass: &mut Pass) -> Step<T> {
        loop {
            let Some(list) = pass.list else {
                match self.lists.first() {
                    Some(((expiry, _), list)) if expiry <= pass.now => {
                        if pass.owed != Owed::No {
                            pass.owed = Owed::No;
                            return Step::Drain;
                        }
                        pass.list = Some(list);
                        continue;
                    }
                    _ => return Step::Done(pass.owed != Owed::No),
                }
            };
            // A list whose last timer was cleared is gone.
            let Some(first) = self.lists.get(list).map(|list| list.first) else {
                pass.list = None;
                continue;
            };
            let Some(timer) = self.timers.get(first) else {
                self.drop_list(list);
                pass.list = None;
                pass.owed_on_switch();
                continue;
            };
            if pass.now.saturating_sub(timer.start) < timer.duration {
                let expiry = (timer.start + timer.duration).max(pass.now + 1);
                let rank = self.next_rank(expiry);
                self.lists.set_rank(list, rank);
                pass.list = None;
                pass.owed_on_switch();
                continue;
            }
            if pass.owed == Owed::Now {
                pass.owed = Owed::No;
                return Step::Drain;
            }
            pass.owed = Owed::Now;
            return self.fire(first);
        }
    }

    /// Takes the first timer of a list out, to be run. The list stays, even if it is empty now.
    fn fire(&mut self, key: Key) -> Step<T> {
        self.unlink(key);
        let timer = self.linked(key);
        timer.link = Link::Running;
        let action = timer.action.take().expect("an armed timer has an action");
        Step::Run(key, action)
    }

    /// Takes a timer back that has run: an interval is armed as of `start`, the time before its
    /// callback; a kept one waits for `refresh`; one without an action any more is gone. The caller
    /// drops what comes back.
    pub(crate) fn finish(&mut self, key: Key, action: Option<T>, start: u64) -> Option<T> {
        let Some(timer) = self.timers.get_mut(key) else { return action };
        timer.action = action;
        if timer.kind == Kind::Once {
            let timer = self.timers.remove(key).expect("just found");
            self.refs -= usize::from(timer.counts());
        } else if timer.kind == Kind::Interval {
            // In its own callback a `refresh` has no effect: this one wins.
            self.unlink(key);
            self.arm(key, start);
        } else if matches!(timer.link, Link::Running) {
            self.refs -= usize::from(timer.is_ref);
            timer.link = Link::Fired;
        }
        None
    }

    /// Empties everything; the caller drops the actions.
    pub(crate) fn take_actions(&mut self) -> Vec<T> {
        let all = std::mem::take(self);
        all.timers.into_values().filter_map(|timer| timer.action).collect()
    }

    fn arm(&mut self, key: Key, start: u64) {
        let duration = self.timers.get(key).expect("armed by whoever holds it").duration;
        let list = match self.by_duration.get(&duration) {
            Some(list) => *list,
            None => {
                let rank = self.next_rank(start.saturating_add(duration));
                let list = List { duration, first: Key::DEAD, last: Key::DEAD };
                let list = self.lists.insert(rank, list);
                self.by_duration.insert(duration, list);
                list
            }
        };
        let place = self.lists.get_mut(list).expect("a list of the map is in the heap");
        let previous = std::mem::replace(&mut place.last, key);
        if previous == Key::DEAD {
            place.first = key;
        } else if let Link::Armed { next, .. } = &mut self.linked(previous).link {
            *next = key;
        }
        let timer = self.linked(key);
        timer.start = start;
        timer.link = Link::Armed { list, previous, next: Key::DEAD };
    }

    /// Takes a timer out of its list. The list stays, with the expiry it has, even if it is empty now:
    /// it is corrected when it comes up, which makes a refresh cheap.
    fn unlink(&mut self, key: Key) {
        let Some(&Link::Armed { list, previous, next }) = self.timers.get(key).map(|t| &t.link)
        else {
            return;
        };
        let place = self.lists.get_mut(list).expect("an armed timer's list");
        if place.first == key {
            place.first = next;
        }
        if place.last == key {
            place.last = previous;
        }
        if previous != Key::DEAD
            && let Link::Armed { next: following, .. } = &mut self.linked(previous).link
        {
            *following = next;
        }
        if next != Key::DEAD
            && let Link::Armed { previous: preceding, .. } = &mut self.linked(next).link
        {
            *preceding = previous;
        }
    }

    fn linked(&mut self, key: Key) -> &mut Timer<T> {
        self.timers.get_mut(key).expect("a linked timer")
    }

    fn drop_list(&mut self, list: Key) {
        if let Some(list) = self.lists.remove(list) {
            self.by_duration.remove(&list.duration);
        }
    }

    fn next_rank(&mut self, expiry: u64) -> (u64, u64) {
        self.next_serial += 1;
        (expiry, self.next_serial)
    }
}

impl<T> Timer<T> {
    /// Whether it is one of `refs`.
    fn counts(&self) -> bool {
        self.is_ref && !matches!(self.link, Link::Fired)
    }
}

/// Spreads the bits of a duration; no attacker chooses how long a program's timers run.
#[derive(Default)]
struct DurationHasher(u64);

impl Hasher for DurationHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("durations are hashed as u64");
    }

    fn write_u64(&mut self, n: u64) {
        // Fibonacci hashing: 2^64 divided by the golden ratio.
        self.0 = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a pass at `now` and gives what fired, `|` where it drained.
    fn pass(lists: &mut TimerLists<char>, now: u64) -> String {
        let (mut pass, mut log) = (Pass::new(now), String::new());
        loop {
            match lists.step(&mut pass) {
                Step::Done(owed) => return log + if owed { "|" } else { "" },
                Step::Drain => log.push('|'),
                Step::Run(key, name) => {
                    log.push(name);
                    lists.finish(key, Some(name), now);
                }
            }
        }
    }

    #[test]
    fn a_whole_list_runs_before_the_next() {
        let mut lists = TimerLists::default();
        for (name, duration) in [('A', 10), ('B', 4), ('C', 10), ('D', 4)] {
            lists.insert(Timer::once(name, duration), 100);
        }
        assert_eq!(pass(&mut lists, 103), "");
        assert_eq!(pass(&mut lists, 200), "B|D|A|C|");
        assert_eq!((lists.refs(), lists.next_expiry()), (0, None));
        assert!(lists.timers.is_empty());
    }

    #[test]
    fn a_timer_that_joined_a_list_later_waits_for_its_own_time() {
        let mut lists = TimerLists::default();
        lists.insert(Timer::once('A', 10), 0);
        lists.insert(Timer::once('B', 10), 7);
        assert_eq!(pass(&mut lists, 10), "A|");
        assert_eq!(lists.next_expiry(), Some(17));
        assert_eq!(pass(&mut lists, 17), "B|");
    }

    #[test]
    fn clearing_and_refreshing_keep_the_links_whole() {
        let mut lists = TimerLists::default();
        let keys: Vec<_> =
            "abcde".chars().map(|name| lists.insert(Timer::kept(name, 5), 0)).collect();
        assert_eq!(lists.clear(keys[2]), Some('c'));
        assert!(lists.refresh(keys[0], 0));
        assert_eq!(lists.clear(keys[4]), Some('e'));
        assert!(!lists.refresh(keys[2], 0));
        assert_eq!(pass(&mut lists, 5), "b|d|a|");
        assert!(lists.refresh(keys[1], 6), "a kept timer revives");
        assert_eq!((pass(&mut lists, 11), lists.refs()), ("b|".into(), 0));
    }

    #[test]
    fn an_interval_is_armed_from_before_its_callback() {
        let mut lists = TimerLists::default();
        let key = lists.insert(Timer::interval('i', 5), 0);
        assert_eq!(pass(&mut lists, 12), "i|");
        assert_eq!(lists.next_expiry(), Some(17));
        lists.set_ref(key, false);
        assert_eq!((lists.refs(), lists.has_ref(key)), (0, false));
        lists.set_ref(key, true);
        lists.clear(key);
        assert_eq!((lists.refs(), lists.next_expiry()), (0, None));
    }
}
