//! One iteration, phase by phase.
//!
//! ```text
//!  ┌─▶ pending ─▶ idle ─▶ prepare ─▶ poll ─▶ pending ─▶ check ─▶ closing ─▶ timers ─┐
//!  └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! libuv's order since 1.45: due timers run at the end of an iteration, and `run` runs them once
//! before the first. A phase that an error leaves is entered again where it was left.

use std::rc::Rc;

use super::builder::Microtasks;
use super::progress::{Entry, Phase, Stage, Walk};
use super::run::Mode;
use super::{Dispatcher, Event, Flow, Pending, Resource, State, closing, poll, timers};
use crate::base::WatchList;
use crate::timers::Immediate;

/// Rounds of the pending queue after poll, as libuv: a write that is issued from a write's callback
/// must not starve the rest.
const PENDING_ROUNDS: usize = 8;

/// Runs one iteration, or the rest of one that an error interrupted.
///
/// Most iterations do nothing but wait. So the phases before the wait, and those behind it, are first asked
/// all together whether one of them has anything to do.
#[inline(always)] // see `poll::run`
pub(super) fn iteration(d: &mut Dispatcher<'_>, mode: Mode) -> Flow {
    let state: &State = d.state();
    let progress = &state.progress;
    if progress.is_inside() {
        return phases(d, progress.resume(), mode);
    }
    progress.owes_iteration.set(false);
    progress.may_block.set(state.pending.is_empty() && state.idle.is_empty());
    if !state.is_quiet_before_poll() {
        return phases(d, progress.begin(Phase::Pending), mode);
    }
    progress.begin(Phase::Poll);
    poll::run(d, Entry::Fresh, mode)?;
    end_of_phase(d, state)?;
    if !state.is_quiet_behind_poll() {
        return phases(d, progress.begin(Phase::PendingAgain), mode);
    }
    progress.finish();
    Ok(())
}

/// The phases that are left of an iteration.
#[inline(never)]
fn phases(d: &mut Dispatcher<'_>, mut walk: Walk<'_>, mode: Mode) -> Flow {
    let state: &State = d.state();
    if walk.is_behind_a_microtask() {
        d.drain_rest()?;
    }
    if let Some(entry) = walk.enter(Phase::Pending) {
        pending(d, entry, 1)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::Idle) {
        watchers(d, entry, &state.idle)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::Prepare) {
        watchers(d, entry, &state.prepare)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::Poll) {
        poll::run(d, entry, mode)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::PendingAgain) {
        pending(d, entry, PENDING_ROUNDS)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::Check) {
        check(d, entry)?;
        end_of_phase(d, state)?;
    }
    if walk.enter(Phase::Closing).is_some() {
        closing::run(d)?;
        end_of_phase(d, state)?;
    }
    if let Some(entry) = walk.enter(Phase::Timers) {
        timers::run(d, entry)?;
        end_of_phase(d, state)?;
    }
    state.progress.finish();
    Ok(())
}

/// Drains here, if callbacks are not followed by drains.
#[inline(always)]
fn end_of_phase(d: &mut Dispatcher<'_>, state: &State) -> Flow {
    match state.config.microtasks {
        Microtasks::AfterEachCallback => Ok(()),
        Microtasks::BetweenPhases => d.drain(),
    }
}

/// What completed without the system, or was done by it at once. A round takes what is there; what
/// is queued meanwhile waits for the next round.
#[inline]
fn pending(d: &mut Dispatcher<'_>, entry: Entry, rounds: usize) -> Flow {
    let is_idle = entry == Entry::Fresh && d.state().pending.is_empty();
    if is_idle { Ok(()) } else { run_pending(d, entry, rounds) }
}

#[inline(never)]
fn run_pending(d: &mut Dispatcher<'_>, entry: Entry, rounds: usize) -> Flow {
    let state = d.state();
    let (rounds_left, calls_left) = (&state.progress.rounds, &state.progress.calls);
    if entry == Entry::Fresh {
        rounds_left.set(rounds);
        calls_left.set(0);
    }
    loop {
        if calls_left.get() == 0 {
            if rounds_left.get() == 0 || state.pending.is_empty() {
                return Ok(());
            }
            rounds_left.set(rounds_left.get() - 1);
            calls_left.set(state.pending.len());
        }
        calls_left.set(calls_left.get() - 1);
        match state.pending.pop() {
            Some(Pending::Resource(resource)) => resource.dispatch(Event::Pending, d)?,
            Some(Pending::Callback(callback)) => d.call_once(callback)?,
            None => calls_left.set(0),
        }
    }
}

/// Idle, prepare or check handles, newest first.
#[inline]
fn watchers(d: &mut Dispatcher<'_>, entry: Entry, list: &WatchList<Rc<dyn Resource>>) -> Flow {
    if list.is_empty() { Ok(()) } else { run_watchers(d, entry, list) }
}

#[inline(never)]
fn run_watchers(d: &mut Dispatcher<'_>, entry: Entry, list: &WatchList<Rc<dyn Resource>>) -> Flow {
    let at = &d.state().progress.watcher;
    if entry == Entry::Fresh {
        at.set(u64::MAX);
    }
    while let Some((serial, resource)) = list.next_before(at.get()) {
        at.set(serial);
        resource.dispatch(Event::Turn, d)?;
    }
    Ok(())
}

/// Check handles, then the immediates that are queued by now. (Immediates are one check handle of
/// the loop's own, started first: newest first puts the user's before it.)
#[inline]
fn check(d: &mut Dispatcher<'_>, entry: Entry) -> Flow {
    let state = d.state();
    let is_idle = entry == Entry::Fresh
        && state.check.is_empty()
        && state.immediates.with(|immediates| immediates.len()) == 0
        && !state.executor.is_owed();
    if is_idle { Ok(()) } else { run_check(d, entry) }
}

#[inline(never)]
fn run_check(d: &mut Dispatcher<'_>, mut entry: Entry) -> Flow {
    let state = d.state();
    let immediates = &state.immediates;
    let at_immediates = &state.progress.at_immediates;
    if entry == Entry::Fresh {
        at_immediates.set(false);
        state.progress.watcher.set(u64::MAX);
        // What an error in the phases before left over runs before the first immediate.
        d.drain()?;
    }
    if !at_immediates.get() {
        watchers(d, Entry::After(Stage::Tick), &state.check)?;
        at_immediates.set(true);
        entry = Entry::Fresh;
        immediates.with(|immediates| immediates.begin_batch());
    }
    loop {
        let next = immediates.with(|immediates| immediates.next_of_batch());
        let Some(next) = next else {
            // The last of a batch threw: the phase starts over with what was queued meanwhile, and
            // the first of that comes before any drain. Node does so.
            if entry == Entry::After(Stage::Callback) {
                entry = Entry::Fresh;
                immediates.with(|immediates| immediates.begin_batch());
                continue;
            }
            return Ok(());
        };
        entry = Entry::Fresh;
        match next {
            Immediate::Callback(callback) => d.call_once(callback)?,
            Immediate::Wake(waker) => {
                waker.wake();
                d.checkpoint()?;
            }
        }
    }
}
