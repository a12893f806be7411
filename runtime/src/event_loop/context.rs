//! The current loop of a thread: where free functions and new handles go.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};

use super::{LoopRef, State};
use crate::base::Guarded;
use crate::task::{Executor, home};

thread_local! {
    /// Without a destructor: the end of a thread may drop a loop, which becomes the current one for that.
    static CURRENT: Guarded<ManuallyDrop<Option<LoopRef>>> =
        const { Guarded::new(ManuallyDrop::new(None)) };
    /// All live loops of this thread: an id finds its loop though another is current, or none.
    static LOOPS: Guarded<Vec<Weak<State>>> = const { Guarded::new(Vec::new()) };
}

/// The current loop of this thread.
///
/// A loop is current while it runs, and while the guard of [`LoopRef::enter`] lives.
///
/// # Panics
/// If there is none. [`try_current`] asks first.
#[track_caller]
pub fn current() -> LoopRef {
    match try_current() {
        Some(current) => current,
        None => panic!(
            "there is no current loop on this thread: call this inside of `#[runtime::main]`, \
             `Loop::run` or `Loop::block_on`, or make a loop current by `Loop::enter`"
        ),
    }
}

/// The current loop of this thread, if there is one.
pub fn try_current() -> Option<LoopRef> {
    CURRENT.with(|current| current.with(|current| (**current).clone()))
}

/// The loop `id` of this thread, current or not.
pub(crate) fn find(id: u64) -> Option<LoopRef> {
    if let Some(current) = try_current().filter(|current| current.state().id == id) {
        return Some(current);
    }
    let found = LOOPS.try_with(|loops| {
        loops.with(|loops| loops.iter().filter_map(Weak::upgrade).find(|state| state.id == id))
    });
    found.ok().flatten().map(LoopRef::new)
}

/// Makes a new loop findable on this thread.
pub(super) fn announce(state: &Rc<State>) {
    LOOPS.with(|loops| {
        loops.with(|loops| {
            loops.retain(|known| known.strong_count() > 0);
            loops.push(Rc::downgrade(state));
        });
    });
}

/// Keeps a loop current; see [`LoopRef::enter`].
#[must_use = "the loop is current only while this guard lives"]
#[derive(Debug)]
pub struct Entered {
    /// What was current before; nothing if that was the same loop.
    _previous: Option<Previous>,
    /// Current is a thread's word.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    #[inline]
    pub(super) fn new(lp: &LoopRef) -> Self {
        let is_current =
            CURRENT.with(|now| now.with(|now| now.as_ref().is_some_and(|now| now == lp)));
        let previous = if is_current { None } else { Some(Previous::replaced_by(lp)) };
        Self { _previous: previous, not_send: PhantomData }
    }
}

/// What was current before: it is again when this is dropped.
#[derive(Debug)]
struct Previous {
    current: Option<LoopRef>,
    /// Its executor, which wakers ask for.
    home: Option<Rc<Executor>>,
}

impl Previous {
    #[inline(never)]
    fn replaced_by(lp: &LoopRef) -> Self {
        let lp = lp.clone();
        let home = home::replace(Some(lp.state().executor.clone()));
        let current = CURRENT.with(|current| current.with(|current| current.replace(lp)));
        Self { current, home }
    }
}

impl Drop for Previous {
    #[inline(never)]
    fn drop(&mut self) {
        let home = home::replace(self.home.take());
        let current = self.current.take();
        let left = CURRENT.with(|now| now.with(|now| std::mem::replace(&mut **now, current)));
        // The last owner of a loop may be among these: dropped with nothing borrowed.
        drop((left, home));
    }
}
