//! The state of a task, as its home thread sees it.
//!
//! ```text
//!              run                  output, panic
//!   SCHEDULED ─────▶ RUNNING ─────────────────────▶ DONE
//!       ▲               │ │                          ▲
//!       │ woken since   │ │ waits                    │ aborted: at the next turn
//!       ├─── (WOKEN) ───┘ ▼                          │ the loop goes: at once
//!       └──── woken ─── no flag ─────────────────────┘
//! ```

use std::cell::Cell;

/// A turn of it is queued.
pub(super) const SCHEDULED: u16 = 1;
/// Its stage is lent to a poll, or to the drop of its future.
pub(super) const RUNNING: u16 = 1 << 1;
/// Its output is wanted.
pub(super) const JOINED: u16 = 1 << 2;
/// It is among the executor's living.
pub(super) const LIVING: u16 = 1 << 3;
/// Woken while it was polled.
pub(super) const WOKEN: u16 = 1 << 4;
/// Its future is gone, or going; nothing wakes it any more. What the stage holds is told by this.
pub(super) const DONE: u16 = 1 << 5;
/// Its next turn is the last.
pub(super) const ABORTED: u16 = 1 << 6;
/// Its panic is no output: it goes through to who polls.
pub(super) const IS_CALLBACK: u16 = 1 << 7;
/// Somebody waits for the end.
pub(super) const AWAITED: u16 = 1 << 8;

/// While one of these is set home refers to the task, so that spawning, queueing, joining and ending it
/// count no references.
pub(super) const CLAIMS: u16 = SCHEDULED | RUNNING | JOINED | LIVING;

#[derive(Debug)]
pub(super) struct Flags(Cell<u16>);

impl Flags {
    pub(super) fn new(flags: u16) -> Self {
        Self(Cell::new(flags))
    }

    /// Whether one of them is set.
    #[inline]
    pub(super) fn has(&self, flags: u16) -> bool {
        self.0.get() & flags != 0
    }

    #[inline]
    pub(super) fn change(&self, clear: u16, set: u16) {
        self.0.set(self.0.get() & !clear | set);
    }

    /// The future is gone, and the output may be looked at.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.0.get() & (DONE | RUNNING) == DONE
    }
}
