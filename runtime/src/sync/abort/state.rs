//! A signal itself, and the right to abort it.

use std::cell::Cell;
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::Waker;

use super::{AbortFlag, Line, Thrown};
use crate::base::Guarded;
use crate::error::Result;
use crate::schedule::TimerId;

/// The right to abort a signal. Dropping the last says that it never will be.
pub(super) struct Trigger(Weak<State>);

impl Trigger {
    pub(super) fn pull(&self) {
        if let Some(state) = self.0.upgrade() {
            state.abort();
        }
    }
}

impl Drop for Trigger {
    fn drop(&mut self) {
        if let Some(state) = self.0.upgrade() {
            state.give_up();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Aborted, and not all are told: who comes now may still be.
    Aborting,
    Aborted,
    /// Nobody can abort it any more.
    Never,
}

/// Fewer followers than these are not looked through.
const FIRST_SWEEP: usize = 32;

/// What aborts a signal that no controller has.
enum Origin {
    Timer(TimerId),
    /// The signals it follows, and its number among their followers.
    Sources(Vec<(Weak<State>, u64)>),
}

/// What ends with a signal.
pub(super) trait Operation {
    fn abort(&self);
}

/// Who waits in the line of a signal.
pub(super) enum Listener {
    Callback(Box<dyn FnOnce() -> Result>),
    Task(Waker),
    Operation(Rc<dyn Operation>),
}

impl Listener {
    fn tell(self) -> Result {
        match self {
            Self::Callback(callback) => callback(),
            Self::Task(waker) => {
                waker.wake();
                Ok(())
            }
            Self::Operation(operation) => {
                operation.abort();
                Ok(())
            }
        }
    }
}

/// A signal: what the clones of an [`AbortSignal`] share.
pub(super) struct State {
    stage: Cell<Stage>,
    listeners: Guarded<Line<Listener>>,
    followers: Guarded<Line<Rc<Trigger>>>,
    /// How many followers there are when those are looked for that nobody needs any more.
    sweep_at: Cell<usize>,
    /// Made when first asked for.
    flag: Guarded<Option<AbortFlag>>,
    /// Nothing once it is aborted.
    origin: Guarded<Option<Origin>>,
    /// This state itself, while it has somebody to tell and a trigger.
    kept: Cell<Option<Rc<State>>>,
}

impl State {
    pub(super) fn new() -> (Rc<Self>, Rc<Trigger>) {
        let state = Rc::new(Self {
            stage: Cell::new(Stage::Waiting),
            listeners: Guarded::default(),
            followers: Guarded::default(),
            sweep_at: Cell::new(FIRST_SWEEP),
            flag: Guarded::default(),
            origin: Guarded::default(),
            kept: Cell::default(),
        });
        let trigger = Rc::new(Trigger(Rc::downgrade(&state)));
        (state, trigger)
    }

    /// A signal that the timer which `arm` makes aborts.
    pub(super) fn of_timer(arm: impl FnOnce(Rc<Trigger>) -> TimerId) -> Rc<Self> {
        let (state, trigger) = Self::new();
        let id = arm(trigger);
        state.origin.with(|origin| *origin = Some(Origin::Timer(id)));
        state
    }

    /// A signal that is aborted with the first of `others`.
    pub(super) fn following(others: &[Rc<Self>]) -> Rc<Self> {
        let (state, trigger) = Self::new();
        if others.iter().any(|other| other.is_aborted()) {
            state.stage.set(Stage::Aborted);
            return state;
        }
        let follow = |source: &Rc<Self>| {
            source.sweep();
            let number = source.followers.with(|line| line.push(trigger.clone()));
            source.keep_while_needed();
            (Rc::downgrade(source), number)
        };
        let sources = Self::sources(others).iter().map(follow).collect();
        state.origin.with(|origin| *origin = Some(Origin::Sources(sources)));
        state
    }

    /// Lets followers go that were kept for a flag which nobody has any more: that goes on another thread, and
    /// says nothing. Seldom enough to cost each of them a constant time.
    fn sweep(&self) {
        if self.followers.with(|line| line.len()) < self.sweep_at.get() {
            return;
        }
        let all = |line: &mut Line<Rc<Trigger>>| line.values().cloned().collect::<Vec<_>>();
        for trigger in self.followers.with(all) {
            let follower = trigger.0.upgrade();
            follower.inspect(Self::keep_while_needed);
        }
        let left = self.followers.with(|line| line.len());
        self.sweep_at.set((2 * left).max(FIRST_SWEEP));
    }

    pub(super) fn flag(self: &Rc<Self>) -> AbortFlag {
        let new = || AbortFlag::new(self.is_aborted());
        let flag = self.flag.with(|flag| flag.get_or_insert_with(new).clone());
        self.keep_while_needed();
        flag
    }

    /// The controllers' and timers' signals behind `signals` that may still be aborted, each once.
    fn sources(signals: &[Rc<Self>]) -> Vec<Rc<Self>> {
        let mut sources: Vec<Rc<Self>> = Vec::new();
        for signal in signals {
            let behind = signal.origin.with(|origin| match origin {
                Some(Origin::Sources(all)) => all.iter().filter_map(|(s, _)| s.upgrade()).collect(),
                _ => vec![signal.clone()],
            });
            for source in behind {
                let is_known = sources.iter().any(|known| Rc::ptr_eq(known, &source));
                if !is_known && source.stage.get() == Stage::Waiting {
                    sources.push(source);
                }
            }
        }
        sources
    }

    pub(super) fn is_aborted(&self) -> bool {
        matches!(self.stage.get(), Stage::Aborting | Stage::Aborted)
    }

    /// Puts `listener` at the end of the line; gives its number there, or none if nobody will ever be
    /// told any more.
    pub(super) fn listen(self: &Rc<Self>, listener: Listener) -> Option<u64> {
        if matches!(self.stage.get(), Stage::Aborted | Stage::Never) {
            return None;
        }
        let number = self.listeners.with(|line| line.push(listener));
        self.keep_while_needed();
        Some(number)
    }

    /// Lets the task at `number` be woken by `waker`; the caller drops the waker that it replaces.
    pub(super) fn wake_instead(&self, number: u64, waker: Waker) -> Option<Listener> {
        self.listeners.with(|line| line.replace(number, Listener::Task(waker)))
    }

    /// Takes a listener out of the line, if it is still there.
    pub(super) fn forget(self: &Rc<Self>, number: u64) {
        let gone = self.listeners.with(|line| line.remove(number));
        self.keep_while_needed();
        drop(gone);
    }

    fn keep_while_needed(self: &Rc<Self>) {
        let is_needed = self.stage.get() == Stage::Waiting
            && (self.listeners.with(|line| !line.is_empty())
                || self.followers.with(|line| !line.is_empty())
                || self.flag.with(|flag| flag.as_ref().is_some_and(AbortFlag::is_elsewhere)));
        // Not the last owner: the caller has one.
        drop(self.kept.replace(is_needed.then(|| self.clone())));
    }

    fn abort(self: &Rc<Self>) {
        if self.stage.get() != Stage::Waiting {
            return;
        }
        let triggers: Vec<_> = self.followers.take().into_values().collect();
        let followers: Vec<_> = triggers
            .iter()
            .filter_map(|trigger| trigger.0.upgrade())
            .filter(|follower| follower.stage.get() == Stage::Waiting)
            .collect();
        self.begin();
        for follower in &followers {
            follower.begin();
            follower.leave();
        }
        // Not before: it would say that they never will be aborted.
        drop(triggers);
        let mut thrown = Thrown::default();
        self.tell(&mut thrown);
        for follower in &followers {
            follower.tell(&mut thrown);
        }
        thrown.raise();
    }

    fn begin(self: &Rc<Self>) {
        self.stage.set(Stage::Aborting);
        self.flag.with(|flag| flag.as_ref().inspect(|flag| flag.set()).is_some());
        self.keep_while_needed();
    }

    fn tell(&self, thrown: &mut Thrown) {
        self.listeners.with(Line::rewind);
        while let Some(listener) = self.listeners.with(Line::take_next) {
            thrown.guard(|| listener.tell());
        }
        self.stage.set(Stage::Aborted);
        let late = self.listeners.take();
        thrown.guard(|| {
            drop(late);
            Ok(())
        });
    }

    /// Needs its timer, or its places among the followers of others, no longer.
    fn leave(&self) {
        match self.origin.take() {
            Some(Origin::Timer(id)) => id.clear(),
            Some(Origin::Sources(sources)) => {
                for (source, number) in sources {
                    let Some(source) = source.upgrade() else { continue };
                    let trigger = source.followers.with(|line| line.remove(number));
                    source.keep_while_needed();
                    drop(trigger);
                }
            }
            None => {}
        }
    }

    /// The last trigger is gone.
    fn give_up(&self) {
        if self.stage.get() == Stage::Waiting {
            self.stage.set(Stage::Never);
            let (listeners, followers) = (self.listeners.take(), self.followers.take());
            drop((listeners, followers, self.kept.take()));
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortSignal")
            .field("is_aborted", &self.is_aborted())
            .field("listeners", &self.listeners.with(|line| line.len()))
            .field("followers", &self.followers.with(|line| line.len()))
            .finish()
    }
}
