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

/// What was current: the loop, and its executor, which wakers ask for.
type Previous = (Option<LoopRef>, Option<Rc<Executor>>);

/// Keeps a loop current; see [`LoopRef::enter`].
#[must_use = "the loop is current only while this guard lives"]
#[derive(Debug)]
pub struct Entered {
    /// What was current before; nothing if that was the same loop.
    previous: Option<Previous>,
    /// Current is a thread's word.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    #[inline]
    pub(super) fn new(lp: &LoopRef) -> Self {
        let is_current =
            CURRENT.with(|now| now.with(|now| now.as_ref().is_some_and(|now| now == lp)));
        let previous = if is_current { None } else { Some(replace(lp)) };
        Self { previous, not_send: PhantomData }
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take() {
            put_back(previous);
        }
    }
}

#[inline(never)]
fn replace(lp: &LoopRef) -> Previous {
    let lp = lp.clone();
    let home = home::replace(Some(lp.state().executor.clone()));
    let current = CURRENT.with(|current| current.with(|current| current.replace(lp)));
    (current, home)
}

#[inline(never)]
fn put_back((current, home): Previous) {
    let home = home::replace(home);
    let left = CURRENT.with(|now| now.with(|now| std::mem::replace(&mut **now, current)));
    // The last owner of a loop may be among these: dropped with nothing borrowed.
    drop((left, home));
}
