//! One poll: what it may do, and what it said.
//!
//! It may do 128 operations of this crate's own futures, as in tokio. A task whose reads are always
//! ready would otherwise never let go of the loop. When the budget is gone the next operation wakes
//! its task and returns `Pending`; the task goes on at the end of the next poll phase.
//!
//! It says what it means by waking itself: that decides when it goes on, and whether it is counted.

use std::cell::Cell;
use std::task::{Context, Poll, Waker};

pub(crate) const OPERATIONS_PER_POLL: u32 = 128;

/// Between polls: nothing limits a future that somebody else polls, such as another executor.
const UNLIMITED: u32 = u32::MAX;

/// What a task means by waking itself during its poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)] // so that `State` is copied as one word
pub(super) enum SelfWake {
    /// It did not say: a foreign `yield_now`, `join!`, `FuturesUnordered`. Counted.
    #[default]
    Plain,
    /// `yield_microtask`: one turn, as often as it likes.
    Yielding,
    /// It used up its budget.
    Deferred,
}

/// Plain wakes of itself that one task may do in a checkpoint before it is deferred.
const SELF_WAKES_PER_CHECKPOINT: u32 = 64;

/// A checkpoint, and how often a task woke itself in it.
#[derive(Debug, Default)]
pub(super) struct SelfWakes(Cell<(u32, u32)>);

impl SelfWakes {
    /// Whether a task that woke itself in its poll is to go on after the next poll phase only.
    #[inline]
    pub(super) fn is_over_limit(&self, meaning: SelfWake, checkpoint: u64) -> bool {
        match meaning {
            SelfWake::Yielding => false,
            SelfWake::Deferred => true,
            SelfWake::Plain => {
                let (counted_in, wakes) = self.0.get();
                // The low half tells neighbours apart.
                let checkpoint = checkpoint as u32;
                let wakes = if counted_in == checkpoint { wakes + 1 } else { 1 };
                self.0.set((checkpoint, wakes));
                wakes > SELF_WAKES_PER_CHECKPOINT
            }
        }
    }
}

#[derive(Clone, Copy)]
struct State {
    /// Operations left.
    left: u32,
    /// What was said in it: the task is queued again only when it returns.
    said: SelfWake,
}

thread_local! {
    static POLL: Cell<State> =
        const { Cell::new(State { left: UNLIMITED, said: SelfWake::Plain }) };
    /// What the wake that goes on just now means.
    static WAKE: Cell<SelfWake> = const { Cell::new(SelfWake::Plain) };
}

/// A poll that goes on. What it interrupts (a `spawn_eager` inside of another task's poll) gets the
/// rest of its budget back at the end, and does not see what was said meanwhile.
#[must_use]
pub(super) struct OnePoll(State);

impl OnePoll {
    #[inline]
    pub(super) fn begin() -> Self {
        Self(POLL.replace(State { left: OPERATIONS_PER_POLL, said: SelfWake::Plain }))
    }

    /// What the task meant by waking itself.
    #[inline]
    pub(super) fn said(&self) -> SelfWake {
        POLL.get().said
    }
}

impl Drop for OnePoll {
    #[inline]
    fn drop(&mut self) {
        POLL.set(self.0);
    }
}

/// Asked by a leaf future before it does its operation: `Pending` if the budget is gone, and then
/// the task is deferred.
#[inline]
pub(crate) fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    let poll = POLL.get();
    match poll.left {
        0 => {
            wake_as(cx.waker(), SelfWake::Deferred);
            return Poll::Pending;
        }
        UNLIMITED => {}
        left => POLL.set(State { left: left - 1, ..poll }),
    }
    Poll::Ready(())
}

/// Gives an operation back that turned out to wait: only progress is counted.
#[inline]
pub(crate) fn made_no_progress() {
    let poll = POLL.get();
    if poll.left != UNLIMITED {
        POLL.set(State { left: (poll.left + 1).min(OPERATIONS_PER_POLL), ..poll });
    }
}

/// Polls what knows nothing of the budget, within it.
#[inline]
pub(crate) fn poll_within<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    std::task::ready!(poll_proceed(cx));
    let polled = poll(cx);
    if polled.is_pending() {
        made_no_progress();
    }
    polled
}

/// Wakes through `waker` without counting it among the task's plain wakes of itself.
pub(super) fn wake_yielding(waker: &Waker) {
    wake_as(waker, SelfWake::Yielding);
}

fn wake_as(waker: &Waker, meaning: SelfWake) {
    struct Restore(SelfWake);
    impl Drop for Restore {
        fn drop(&mut self) {
            WAKE.set(self.0);
        }
    }
    let _restore = Restore(WAKE.replace(meaning));
    let poll = POLL.get();
    if poll.said != SelfWake::Deferred {
        POLL.set(State { said: meaning, ..poll });
    }
    waker.wake_by_ref();
}

/// What the wake that goes on just now means.
#[inline]
pub(super) fn this_wake() -> SelfWake {
    WAKE.get()
}
