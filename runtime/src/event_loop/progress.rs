//! Where an iteration stands, so that an error does not lose the rest of it.
//!
//! A callback's panic unwinds through the phase it was called from, up to `run`. Nothing on the
//! stack remembers what was still to do: the batch of events, the due timers, the immediates lie in
//! the loop, and here lies which phase was under way. `run` enters the iteration again, and the
//! phases before that one are skipped.

use std::cell::Cell;

use crate::timers::Pass;

/// The phases in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Pending,
    Idle,
    Prepare,
    Poll,
    PendingAgain,
    Check,
    Closing,
    Timers,
}

/// What runs just now, as an error's handler wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The main script: whatever it throws, a full drain follows.
    Script,
    /// A callback that the loop started.
    Callback,
    /// A tick, or the end of a checkpoint: an error abandons the rest of the drain.
    Tick,
    /// A microtask: the drain goes on behind it.
    Microtask,
}

/// How a phase is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Fresh,
    /// It was left by an error that was thrown there.
    After(Stage),
}

/// The position within an iteration.
#[derive(Debug)]
pub(crate) struct Progress {
    phase: Cell<Phase>,
    is_inside: Cell<bool>,
    /// The timers before the first iteration have run, or do so now; the iteration is still to come.
    pub(crate) owes_iteration: Cell<bool>,
    stage: Cell<Stage>,
    /// Where the error was thrown that ended the last attempt.
    thrown_in: Cell<Option<Stage>>,
    /// Idle, prepare, check: the handle that ran last.
    pub(crate) watcher: Cell<u64>,
    /// Check: the handles are done, the immediates are on.
    pub(crate) at_immediates: Cell<bool>,
    /// Pending: rounds that are left, and calls that are left in this one.
    pub(crate) rounds: Cell<usize>,
    pub(crate) calls: Cell<usize>,
    /// Timers: the deadline and the serial up to which they run in this phase.
    pub(crate) due: Cell<(u64, u64)>,
    /// Timers: the pass over Node's lists.
    pub(crate) pass: Cell<Option<Pass>>,
    /// Whether `run_once` may block: nothing was pending and no idle handle was active when the
    /// iteration began.
    pub(crate) may_block: Cell<bool>,
    /// Poll: whether the system was asked, and how often it may be asked again.
    pub(crate) has_waited: Cell<bool>,
    pub(crate) waits_left: Cell<usize>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            phase: Cell::new(Phase::Pending),
            is_inside: Cell::new(false),
            owes_iteration: Cell::new(false),
            stage: Cell::new(Stage::Callback),
            thrown_in: Cell::new(None),
            watcher: Cell::new(0),
            at_immediates: Cell::new(false),
            rounds: Cell::new(0),
            calls: Cell::new(0),
            due: Cell::new((0, 0)),
            pass: Cell::new(None),
            may_block: Cell::new(true),
            has_waited: Cell::new(false),
            waits_left: Cell::new(0),
        }
    }
}

impl Progress {
    /// Whether an iteration was begun and not finished.
    pub(crate) fn is_inside(&self) -> bool {
        self.is_inside.get()
    }

    /// Whether an error ended the last attempt, and nothing has gone on since.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.thrown_in.get().is_some()
    }

    /// Begins an iteration at `phase`, or goes on there: what comes before has nothing to do.
    #[inline]
    pub(crate) fn begin(&self, phase: Phase) -> Walk<'_> {
        self.is_inside.set(true);
        self.phase.set(phase);
        Walk { progress: self, from: phase, entry: Entry::Fresh }
    }

    /// The way through the phases that are left of an iteration, from the one that is under way.
    #[inline]
    pub(crate) fn resume(&self) -> Walk<'_> {
        let entry = self.thrown_in.take().map_or(Entry::Fresh, Entry::After);
        Walk { progress: self, from: self.phase.get(), entry }
    }

    /// The iteration is done.
    #[inline]
    pub(crate) fn finish(&self) {
        self.is_inside.set(false);
    }

    #[inline]
    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// An error got out: remembers where it was thrown.
    pub(crate) fn interrupt(&self) {
        self.thrown_in.set(Some(self.stage.replace(Stage::Callback)));
    }

    /// Where the error was thrown that ended the last attempt, if that was outside of an iteration:
    /// there is no phase that would ask.
    pub(crate) fn take_thrown_outside(&self) -> Option<Stage> {
        if self.is_inside.get() { None } else { self.thrown_in.take() }
    }
}

/// A walk through the phases: it skips those that were done before an error.
pub(crate) struct Walk<'a> {
    progress: &'a Progress,
    from: Phase,
    /// How the next phase is entered.
    entry: Entry,
}

impl Walk<'_> {
    /// Whether an error left a drain that is to go on with its microtasks.
    #[inline]
    pub(crate) fn is_behind_a_microtask(&self) -> bool {
        self.entry == Entry::After(Stage::Microtask)
    }

    /// Notes that `phase` is under way and says how to enter it; `None` if it is done already.
    #[inline]
    pub(crate) fn enter(&mut self, phase: Phase) -> Option<Entry> {
        if self.from > phase {
            return None;
        }
        self.progress.phase.set(phase);
        Some(std::mem::replace(&mut self.entry, Entry::Fresh))
    }
}
