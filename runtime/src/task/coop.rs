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

/// What a task means by waking itself during its poll, a bit for each that was said. None: a foreign
/// `yield_now`, `join!`, `FuturesUnordered`. Such a wake is counted.
#[derive(Clone, Copy)]
pub(super) struct SelfWake(u32);

/// `yield_microtask`: one turn, as often as it likes.
const YIELDING: u32 = 1 << 8;
/// It used up its budget.
const DEFERRED: u32 = 1 << 9;

/// Plain wakes of itself that one task may do in a checkpoint before it is deferred.
const SELF_WAKES_PER_CHECKPOINT: u32 = 64;

/// How often a task woke itself in a checkpoint, in the low byte; and which one that was: the low bits of
/// its number, which tell neighbours apart.
#[derive(Debug, Default)]
pub(super) struct SelfWakes(Cell<u32>);

impl SelfWakes {
    /// Whether a task that woke itself in its poll is to go on after the next poll phase only.
    #[inline]
    pub(super) fn is_over_limit(&self, meaning: SelfWake, checkpoint: u64) -> bool {
        match meaning.0 & (YIELDING | DEFERRED) {
            0 => self.is_one_too_many(checkpoint),
            YIELDING => false,
            _ => true,
        }
    }

    #[inline(never)]
    fn is_one_too_many(&self, checkpoint: u64) -> bool {
        let checkpoint = (checkpoint as u32) << 8;
        let counted = self.0.get();
        let before = if counted & !0xff == checkpoint { counted & 0xff } else { 0 };
        if before < SELF_WAKES_PER_CHECKPOINT {
            self.0.set(checkpoint | (before + 1));
        }
        before >= SELF_WAKES_PER_CHECKPOINT
    }
}

/// A poll in one word, so that it is kept and put back as one: the operations that are left and one, in the
/// low byte, and what was said in it.
#[derive(Clone, Copy)]
struct State(u32);

/// Between polls: nothing limits a future that somebody else polls, such as another executor.
const UNLIMITED: State = State(0);
const FRESH: State = State(OPERATIONS_PER_POLL + 1);
const LEFT: u32 = 0xff;

thread_local! {
    static POLL: Cell<State> = const { Cell::new(UNLIMITED) };
}

/// A poll that goes on. What it interrupts (a `spawn_eager` inside of another task's poll) gets the
/// rest of its budget back at the end, and does not see what was said meanwhile.
#[must_use]
pub(super) struct OnePoll(State);

impl OnePoll {
    #[inline]
    pub(super) fn begin() -> Self {
        Self(POLL.replace(FRESH))
    }

    /// What the task meant by waking itself.
    #[inline]
    pub(super) fn said(&self) -> SelfWake {
        SelfWake(POLL.get().0)
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
    let State(poll) = POLL.get();
    if poll & LEFT > 1 {
        POLL.set(State(poll - 1));
        Poll::Ready(())
    } else {
        proceed_at_the_limit(cx)
    }
}

#[cold]
fn proceed_at_the_limit(cx: &mut Context<'_>) -> Poll<()> {
    if POLL.get().0 & LEFT == UNLIMITED.0 {
        return Poll::Ready(());
    }
    wake_as(cx.waker(), DEFERRED);
    Poll::Pending
}

/// Gives an operation back that turned out to wait: only progress is counted.
#[inline]
pub(crate) fn made_no_progress() {
    let State(poll) = POLL.get();
    // Neither without a limit nor beyond it.
    if (1..=OPERATIONS_PER_POLL).contains(&(poll & LEFT)) {
        POLL.set(State(poll + 1));
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
#[inline]
pub(super) fn wake_yielding(waker: &Waker) {
    wake_as(waker, YIELDING);
}

/// Wakes the task that is polled, which learns what that means when its poll returns.
#[inline]
fn wake_as(waker: &Waker, meaning: u32) {
    POLL.set(State(POLL.get().0 | meaning));
    waker.wake_by_ref();
}
