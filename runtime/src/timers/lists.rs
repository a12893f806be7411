//! Node's timer lists.
//!
//! ```text
//!   durations: 10 ms ─▶ [t1, t4, t5]   expiry 1010, serial 7      heap by (expiry, serial)
//!              25 ms ─▶ [t2]           expiry 1012, serial 8
//!               1 ms ─▶ []             gone; its node may be in the heap still
//! ```
//!
//! All timers of one duration form a list in the order they were set, so arming and clearing are
//! O(1). A list's expiry is that of the timer which founded it and is corrected only when it comes
//! up. A pass reads the time once; it runs *all* due timers of the first due list before it looks at
//! the next list. Times are whole milliseconds since the loop's clock began.
//!
//! A list that goes, in Node's sense, is stopped in the heap and keeps its record: the next timer of
//! its duration founds it anew, with a new expiry and a new serial. So a timer knows its list's record for
//! ever, and nothing is looked up but the duration of a timer that is made. A record without a timer is
//! spare: the next duration that has none takes it over, with its place in the heap, the last one that became
//! spare first.
//!
//! A pass is driven from outside, one [`Step`] at a time: nothing is borrowed while a timer runs.

use super::durations::Durations;
use crate::base::{Arena, Heap, InlineFn, Key, Origin};
use crate::error::Result;

/// No timer: the end of a list.
const NONE: u32 = u32::MAX;

/// What a timer does when it fires.
pub(crate) enum Fired<Id> {
    /// `set_timeout`.
    Once(InlineFn<(), Result>),
    /// `set_timeout_mut` and `set_interval`.
    Again(Box<dyn FnMut(Id) -> Result>),
    /// A task sleeps.
    Wake(std::task::Waker),
}

/// A timer that is to be set.
pub(crate) struct Timer<T> {
    action: T,
    duration: u64,
    kind: Kind,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Gone when it has fired.
    Once,
    /// Kept when it has fired: `refresh` arms it again.
    Kept,
    Interval,
}

impl<T> Timer<T> {
    /// Fires once and is gone. The caller is noted, by this and the other two.
    #[track_caller]
    pub(crate) fn once(action: T, duration: u64) -> Self {
        Self { action, duration, kind: Kind::Once, origin: Origin::here() }
    }

    /// Fires once and can be armed again.
    #[track_caller]
    pub(crate) fn kept(action: T, duration: u64) -> Self {
        Self { action, duration, kind: Kind::Kept, origin: Origin::here() }
    }

    /// Fires again and again.
    #[track_caller]
    pub(crate) fn interval(action: T, duration: u64) -> Self {
        Self { action, duration, kind: Kind::Interval, origin: Origin::here() }
    }

    /// Says where it was asked for, if that was not the call which made it.
    pub(crate) fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }
}

/// A timer that is set. A million of them are walked in the order they fall due, so that each is a cache
/// miss: it is kept small, and what its neighbours change lies together.
#[repr(C)]
struct Entry<T> {
    /// Its neighbours in the list, while it is armed. The first one's `previous` means nothing.
    previous: u32,
    next: u32,
    /// The record of its duration.
    list: u32,
    kind: Kind,
    place: Place,
    is_ref: bool,
    /// What it does; out while it runs.
    action: Option<T>,
    /// When it was armed.
    start: u64,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In its list.
    Armed,
    /// Its callback runs just now.
    Running,
    /// Nowhere: a kept timer that has fired.
    Fired,
}

impl<T> Entry<T> {
    /// Whether it is one of `refs`.
    fn counts(&self) -> bool {
        self.is_ref && self.place != Place::Fired
    }
}

/// The record of a duration. The list stands while the record is started in the heap.
struct List {
    duration: u64,
    /// The last one means nothing while there is no first.
    first: u32,
    last: u32,
    /// Timers of this duration, armed or not: their record stays.
    timers: u32,
    /// Whether it is among the spare records. It may have got a timer since.
    is_among_spare: bool,
}

impl List {
    fn of(duration: u64) -> Self {
        Self { duration, first: NONE, last: NONE, timers: 0, is_among_spare: false }
    }
}

/// All timers of one loop.
pub(crate) struct TimerLists<T> {
    timers: Arena<Entry<T>>,
    records: Durations,
    /// The lists, by (expiry, serial).
    lists: Heap<List>,
    /// Records that had no timer when they came here, and were not started.
    spare: Vec<u32>,
    /// Referenced timers that are armed or running: they keep the loop alive.
    refs: usize,
}

impl<T> Default for TimerLists<T> {
    fn default() -> Self {
        Self {
            timers: Arena::default(),
            records: Durations::default(),
            lists: Heap::default(),
            spare: Vec::new(),
            refs: 0,
        }
    }
}

/// Where a pass stands. It outlives a callback's panic, so it lives in the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The time that this pass counts as now.
    now: u64,
    /// The list that is being run, and the serial by which it was entered: one that was founded anew
    /// meanwhile is another list.
    list: Option<(u32, u64)>,
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

    /// What is owed would drain nothing.
    pub(crate) fn nothing_to_drain(&mut self) {
        self.owed = Owed::No;
    }

    /// Leaves the list; what was queued is drained before the next one.
    fn leave_list(&mut self) {
        self.list = None;
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

/// What a timer is to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerKind {
    Timeout,
    Interval,
    /// It wakes a task.
    Sleep,
}

impl<Id> TimerLists<Fired<Id>> {
    /// Those that keep the loop alive, in no order: what each is, its duration, and where it was set.
    pub(crate) fn that_count(&self) -> Vec<(TimerKind, u64, Origin)> {
        let timers = self.timers.iter().map(|(_, timer)| timer).filter(|timer| timer.counts());
        let told = timers.map(|timer| {
            let kind = match (timer.kind, &timer.action) {
                (Kind::Interval, _) => TimerKind::Interval,
                (_, Some(Fired::Wake(_))) => TimerKind::Sleep,
                _ => TimerKind::Timeout,
            };
            (kind, self.lists.at(timer.list).duration, timer.origin)
        });
        told.collect()
    }
}

impl<T> TimerLists<T> {
    /// Adds a timer and arms it as of `start`.
    pub(crate) fn insert(&mut self, timer: Timer<T>, start: u64) -> Key {
        let list = self.record(timer.duration);
        self.lists.at_mut(list).timers += 1;
        self.refs += 1;
        let previous = self.append(list, self.timers.next_key().index(), start);
        self.timers.vacancy().fill(Entry {
            action: Some(timer.action),
            start,
            list,
            previous,
            next: NONE,
            kind: timer.kind,
            place: Place::Armed,
            is_ref: true,
            origin: timer.origin,
        })
    }

    /// When the loop has to run a pass: the earliest expiry.
    pub(crate) fn next_expiry(&mut self) -> Option<u64> {
        self.lists.first().map(|((expiry, _), _)| expiry)
    }

    /// No list expires before this. It becomes earlier only when a list is founded.
    #[inline]
    pub(crate) fn expiry_bound(&self) -> Option<u64> {
        self.lists.bound()
    }

    /// Number of timers that keep the loop alive.
    #[inline]
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
        let timer = self.timers.get_mut(key)?;
        let action = timer.action.take();
        let &mut Entry { list, previous, next, place, is_ref, .. } = timer;
        if place == Place::Armed {
            self.close_gap(list, key.index(), previous, next);
        }
        if is_ref && self.lists.at(list).first == NONE {
            self.lists.stop_at(list);
        }
        self.forget(key.index());
        action
    }

    /// Arms a timer anew, with its duration, as of `start`; false if it is gone, or fires just now for
    /// the only time.
    pub(crate) fn refresh(&mut self, key: Key, start: u64) -> bool {
        let Some(timer) = self.timers.get(key) else { return false };
        match timer.place {
            Place::Armed => {
                self.move_to_end(key.index(), start);
                return true;
            }
            Place::Running if timer.kind == Kind::Once => return false,
            Place::Running => {}
            Place::Fired => self.refs += usize::from(timer.is_ref),
        }
        self.arm(key.index(), start);
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
            let Some((list, serial)) = pass.list else {
                match self.lists.first() {
                    Some(((expiry, serial), list)) if expiry <= pass.now => {
                        if pass.owed != Owed::No {
                            pass.owed = Owed::No;
                            return Step::Drain;
                        }
                        pass.list = Some((list.index(), serial));
                        continue;
                    }
                    _ => return Step::Done(pass.owed != Owed::No),
                }
            };
            if self.lists.rank_at(list).is_none_or(|rank| rank.1 != serial) {
                // It went when its last timer was cleared.
                pass.list = None;
                continue;
            }
            let &List { first, duration, .. } = self.lists.at(list);
            if first == NONE {
                self.lists.stop_at(list);
                self.spare_if_unused(list);
                pass.leave_list();
                continue;
            }
            let start = self.timers.at(first).start;
            if pass.now.saturating_sub(start) < duration {
                self.lists.start_at(list, start.saturating_add(duration).max(pass.now + 1));
                pass.leave_list();
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
    #[inline]
    fn fire(&mut self, first: u32) -> Step<T> {
        let timer = self.timers.at_mut(first);
        timer.place = Place::Running;
        let action = timer.action.take().expect("an armed timer has an action");
        let next = timer.next;
        self.lists.at_mut(timer.list).first = next;
        self.bring_near(next);
        Step::Run(self.timers.key_at(first), action)
    }

    /// Stores what is there already to the timer behind `index`, the one after the next: that fetches it while
    /// others run. Each of a million is a miss of the cache: 480 ns without this, 320 with it.
    #[inline]
    fn bring_near(&mut self, index: u32) {
        if index != NONE {
            let after = self.timers.at(index).next;
            if after != NONE {
                self.timers.at_mut(after).previous = index;
            }
        }
    }

    /// Forgets a timer that has run for the only time. The caller drops what comes back: an action that was
    /// put in its place meanwhile.
    #[inline]
    pub(crate) fn finish_once(&mut self, key: Key) -> Option<T> {
        let replaced = self.timers.get_mut(key)?.action.take();
        self.forget(key.index());
        replaced
    }

    /// Takes a timer back that has run and may run again: an interval is armed as of `start`, the time before
    /// its callback; a kept one waits for `refresh`. The caller drops what comes back: the action of a timer
    /// that was cleared meanwhile.
    pub(crate) fn finish(&mut self, key: Key, action: T, start: u64) -> Option<T> {
        let Some(timer) = self.timers.get_mut(key) else { return Some(action) };
        let replaced = timer.action.replace(action);
        if timer.kind == Kind::Interval {
            // In its own callback a `refresh` has no effect: this one wins.
            if timer.place == Place::Armed {
                self.move_to_end(key.index(), start);
            } else {
                self.arm(key.index(), start);
            }
        } else if timer.place == Place::Running {
            timer.place = Place::Fired;
            self.refs -= usize::from(timer.is_ref);
        }
        replaced
    }

    /// Empties everything; the caller drops the actions.
    pub(crate) fn take_actions(&mut self) -> Vec<T> {
        let all = std::mem::take(self);
        all.timers.into_values().filter_map(|timer| timer.action).collect()
    }

    /// Removes a timer that is in no list and has no action any more.
    #[inline(always)]
    fn forget(&mut self, index: u32) {
        let timer = self.timers.at(index);
        let list = timer.list;
        self.refs -= usize::from(timer.counts());
        self.timers.discard_at(index);
        let record = self.lists.at_mut(list);
        record.timers -= 1;
        if record.timers == 0 {
            self.spare_if_unused(list);
        }
    }

    /// Puts a timer at the end of its list.
    fn arm(&mut self, index: u32, start: u64) {
        let list = self.timers.at(index).list;
        let previous = self.append(list, index, start);
        let timer = self.timers.at_mut(index);
        (timer.start, timer.place) = (start, Place::Armed);
        (timer.previous, timer.next) = (previous, NONE);
    }

    /// Lets a list end with the timer `index`, and founds it if it does not stand. Gives what was the last.
    #[inline(always)]
    fn append(&mut self, list: u32, index: u32, start: u64) -> u32 {
        let record = self.lists.at_mut(list);
        let previous = std::mem::replace(&mut record.last, index);
        if record.first != NONE {
            self.timers.at_mut(previous).next = index;
            return previous;
        }
        record.first = index;
        let expiry = start.saturating_add(record.duration);
        if self.lists.rank_at(list).is_none() {
            self.lists.start_at(list, expiry);
        }
        previous
    }

    /// Arms a timer anew that is armed: it goes to the end of its list, which keeps the expiry it has and is
    /// corrected when it comes up.
    #[inline]
    fn move_to_end(&mut self, index: u32, start: u64) {
        let timer = self.timers.at_mut(index);
        timer.start = start;
        let (list, next) = (timer.list, timer.next);
        if next == NONE {
            return;
        }
        let previous = std::mem::replace(&mut timer.previous, self.lists.at(list).last);
        let last = timer.previous;
        timer.next = NONE;
        self.close_gap(list, index, previous, next);
        self.timers.at_mut(last).next = index;
        self.lists.at_mut(list).last = index;
    }

    /// Links what was before and behind a timer.
    #[inline(always)]
    fn close_gap(&mut self, list: u32, index: u32, previous: u32, next: u32) {
        let place = self.lists.at_mut(list);
        if place.first == index {
            place.first = next;
        } else {
            self.timers.at_mut(previous).next = next;
        }
        if next == NONE {
            place.last = previous;
        } else {
            self.timers.at_mut(next).previous = previous;
        }
    }

    /// The record of a duration, a new one if there is none.
    #[inline]
    fn record(&mut self, duration: u64) -> u32 {
        let lists = &self.lists;
        let known = self.records.find(duration, |list| lists.at(list).duration == duration);
        known.unwrap_or_else(|| self.new_record(duration))
    }

    #[inline(never)]
    fn new_record(&mut self, duration: u64) -> u32 {
        let list = match self.take_spare() {
            Some(list) => {
                let former = std::mem::replace(self.lists.at_mut(list), List::of(duration));
                self.records.remove(former.duration, list);
                list
            }
            None => self.lists.insert(List::of(duration)).index(),
        };
        self.records.insert(duration, list);
        list
    }

    /// A record that is spare still, the latest: it is in the cache.
    #[inline]
    fn take_spare(&mut self) -> Option<u32> {
        while let Some(list) = self.spare.pop() {
            self.lists.at_mut(list).is_among_spare = false;
            if self.is_unused(list) {
                return Some(list);
            }
        }
        None
    }

    /// Whether no timer names a record, and its list does not stand.
    #[inline]
    fn is_unused(&self, list: u32) -> bool {
        self.lists.at(list).timers == 0 && self.lists.rank_at(list).is_none()
    }

    #[inline]
    fn spare_if_unused(&mut self, list: u32) {
        if self.is_unused(list)
            && !std::mem::replace(&mut self.lists.at_mut(list).is_among_spare, true)
        {
            self.spare.push(list);
        }
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
                    let is_once =
                        lists.timers.get(key).is_none_or(|timer| timer.kind == Kind::Once);
                    if is_once {
                        lists.finish_once(key);
                    } else {
                        lists.finish(key, name, now);
                    }
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

    #[test]
    fn records_of_durations_that_nobody_has_do_not_pile_up() {
        let mut lists = TimerLists::default();
        let kept = lists.insert(Timer::kept('k', 7), 0);
        assert_eq!(pass(&mut lists, 7), "k|");
        for duration in 1..50_000 {
            let key = lists.insert(Timer::once('x', duration), 0);
            lists.clear(key);
        }
        assert_eq!((lists.records.len(), lists.spare.len()), (2, 1));
        assert!(lists.refresh(kept, 20), "its record is there");
        assert_eq!((lists.next_expiry(), pass(&mut lists, 27)), (Some(27), "k|".into()));
    }
}
