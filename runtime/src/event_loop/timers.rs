//! The timers phase: `Timer` handles by deadline, and among them, as one timer, all of Node's.

use super::deadlines::Due;
use super::progress::{Entry, Stage};
use super::{Dispatcher, Event, Flow, Kind, State};
use crate::base::Key;
use crate::base::clock::NS_PER_MS;
use crate::timers::{Fired, Pass, Step, TimerId};

/// Runs what was due when the phase began. What is armed meanwhile has a later serial and waits for
/// the next iteration, even if it is due at once.
#[inline]
pub(super) fn run(d: &mut Dispatcher<'_>, entry: Entry) -> Flow {
    let is_idle = entry == Entry::Fresh && !d.state().may_have_timers();
    if is_idle { Ok(()) } else { run_due(d, entry) }
}

#[inline(never)]
fn run_due(d: &mut Dispatcher<'_>, entry: Entry) -> Flow {
    let state = d.state();
    let progress = &state.progress;
    match entry {
        Entry::Fresh => {
            let serial = state.heap.with(|heap| heap.last_serial());
            progress.due.set((state.update_time(), serial));
            deactivate_due(d);
        }
        Entry::After(thrown_in) => {
            if let Some(mut pass) = progress.pass.get() {
                if thrown_in != Stage::Microtask {
                    pass.restart();
                    progress.pass.set(Some(pass));
                }
                run_lists(d)?;
            }
        }
    }
    while let Some(due) = state.take_due(progress.due.get()) {
        match due {
            Due::Lists => {
                progress.pass.set(Some(Pass::new(state.update_time() / NS_PER_MS)));
                run_lists(d)?;
            }
            Due::Resource(slot) => {
                if let Some(resource) = state.registry.get(slot) {
                    resource.dispatch(Event::Timer, d)?;
                }
            }
        }
    }
    Ok(())
}

/// A timer whose turn is to come in this phase is not active any more, as in libuv.
fn deactivate_due(d: &mut Dispatcher<'_>) {
    let state = d.state();
    let (deadline, _) = state.progress.due.get();
    if !state.heap.with(|heap| heap.first().is_some_and(|((first, _), _)| first <= deadline)) {
        return;
    }
    let mut slots = Vec::new();
    state.heap.with(|heap| heap.each_due(deadline, |slot| slots.push(*slot)));
    for slot in slots {
        if let Some(resource) = state.registry.get(slot)
            && resource.handle().kind() == Kind::Timer
        {
            resource.handle().set_active(false);
        }
    }
}

/// The pass over Node's lists, from where it stands.
fn run_lists(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    let progress = &state.progress;
    let Some(mut pass) = progress.pass.get() else { return Ok(()) };
    loop {
        let step = state.lists.with(|lists| lists.step(&mut pass));
        progress.pass.set(Some(pass));
        match step {
            Step::Drain => d.checkpoint()?,
            Step::Run(key, action) => {
                fire(state, key, action)?;
                if !state.executor.is_owed() {
                    pass.nothing_to_drain();
                }
            }
            Step::Done(owed) => {
                progress.pass.set(None);
                state.pass_ended();
                return if owed { d.checkpoint() } else { Ok(()) };
            }
        }
    }
}

/// Runs one timer, without a drain: the pass says when that comes.
fn fire(state: &State, key: Key, action: Fired<TimerId>) -> Flow {
    match action {
        Fired::Once(callback) => {
            let _ends = Once { state, key };
            callback.call(())?;
        }
        Fired::Wake(waker) => {
            let _ends = Once { state, key };
            waker.wake();
        }
        Fired::Again(callback) => {
            // An interval counts from before its callback.
            let start = state.timer_start();
            let mut running = Again { state, key, start, callback: Some(callback) };
            let callback = running.callback.as_mut().expect("just put there");
            callback(TimerId::new(state.id, key))?;
        }
    }
    state.check_exit()
}

/// A timer that fires for the only time: it is forgotten then, also after a panic.
struct Once<'a> {
    state: &'a State,
    key: Key,
}

impl Drop for Once<'_> {
    fn drop(&mut self) {
        let replaced = self.state.lists.with(|lists| lists.finish_once(self.key));
        drop(replaced);
    }
}

/// A timer that may fire again: it goes back to its list, also after a panic.
struct Again<'a> {
    state: &'a State,
    key: Key,
    start: u64,
    callback: Option<Box<dyn FnMut(TimerId) -> crate::Result>>,
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        let Some(callback) = self.callback.take() else { return };
        let action = Fired::Again(callback);
        let cleared = self.state.lists.with(|lists| lists.finish(self.key, action, self.start));
        drop(cleared);
    }
}
