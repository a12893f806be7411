//! The timers phase: `Timer` handles by deadline, and among them, as one timer, all of Node's.

use super::progress::{Entry, Stage};
use super::{Dispatcher, Event, Flow, Kind, TimerTarget};
use crate::base::clock::NS_PER_MS;
use crate::timers::{Fired, Pass, Step, TimerId};

/// Runs what was due when the phase began. What is armed meanwhile has a later serial and waits for
/// the next iteration, even if it is due at once.
pub(super) fn run(d: &mut Dispatcher<'_>, entry: Entry) -> Flow {
    let state = d.state();
    let progress = &state.progress;
    match entry {
        Entry::Fresh => {
            if !state.has_timers() {
                return Ok(());
            }
            progress.due.set((state.update_time(), state.timer_serial.get()));
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
    let (deadline, serial) = progress.due.get();
    while let Some(target) = state.heap.with(|heap| {
        let (rank, key) = heap.first()?;
        // The lists' entry has a new serial when a timer was cleared meanwhile. What is due of them was
        // due before, and must not hide the timers behind it.
        let is_old = rank.1 <= serial || heap.get(key) == Some(&TimerTarget::Lists);
        if rank.0 <= deadline && is_old { heap.remove(key) } else { None }
    }) {
        match target {
            TimerTarget::Lists => {
                state.lists_are_due();
                progress.pass.set(Some(Pass::new(state.update_time() / NS_PER_MS)));
                run_lists(d)?;
            }
            TimerTarget::Resource(slot) => {
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
    state.heap.with(|heap| {
        heap.each_due(deadline, |target| {
            if let TimerTarget::Resource(slot) = target {
                slots.push(*slot);
            }
        });
    });
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
    while let Some(mut pass) = progress.pass.get() {
        let step = state.lists.with(|lists| lists.step(&mut pass));
        progress.pass.set(Some(pass));
        match step {
            Step::Drain => d.checkpoint()?,
            Step::Run(key, action) => fire(d, key, action)?,
            Step::Done(owed) => {
                progress.pass.set(None);
                // A timer that became due during the pass waits for an iteration.
                state.schedule_lists((state.now_ns() / NS_PER_MS + 1) * NS_PER_MS);
                if owed {
                    d.checkpoint()?;
                }
            }
        }
    }
    Ok(())
}

/// Runs one timer, without a drain: the pass says when that comes.
fn fire(d: &mut Dispatcher<'_>, key: crate::base::Key, action: Fired<TimerId>) -> Flow {
    let state = d.state();
    let mut running = Running { state, key, callback: None, start: 0 };
    match action {
        Fired::Once(callback) => callback()?,
        Fired::Wake(waker) => waker.wake(),
        Fired::Again(callback) => {
            // An interval counts from before its callback.
            running.start = state.timer_start();
            running.callback.insert(callback)(TimerId::new(state.id, key))?;
        }
    }
    state.check_exit()
}

/// A timer that fires: it goes back to its list or is forgotten, also after a panic.
struct Running<'a> {
    state: &'a super::State,
    key: crate::base::Key,
    callback: Option<Box<dyn FnMut(TimerId) -> crate::Result>>,
    start: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let action = self.callback.take().map(Fired::Again);
        let cleared = self.state.lists.with(|lists| lists.finish(self.key, action, self.start));
        drop(cleared);
    }
}
