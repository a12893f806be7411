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
pub(super) const SCHEDULED: u8 = 1;
/// Its stage is lent to a poll, or to the drop of its future.
pub(super) const RUNNING: u8 = 1 << 1;
/// Its output is wanted.
pub(super) const JOINED: u8 = 1 << 2;
/// It is among the executor's living.
pub(super) const LIVING: u8 = 1 << 3;
/// Woken while it was polled.
pub(super) const WOKEN: u8 = 1 << 4;
/// Its future is gone, or going; nothing wakes it any more.
pub(super) const DONE: u8 = 1 << 5;
/// Its next turn is the last.
pub(super) const ABORTED: u8 = 1 << 6;
/// Its panic is no output: it goes through to who polls.
pub(super) const IS_CALLBACK: u8 = 1 << 7;

/// While one of these is set home refers to the task, so that spawning, queueing, joining and ending it
/// count no references.
pub(super) const CLAIMS: u8 = SCHEDULED | RUNNING | JOINED | LIVING;

#[derive(Debug)]
pub(super) struct Flags(Cell<u8>);

impl Flags {
    pub(super) fn new(flags: u8) -> Self {
        Self(Cell::new(flags))
    }

    /// Whether one of them is set.
    #[inline]
    pub(super) fn has(&self, flags: u8) -> bool {
        self.0.get() & flags != 0
    }

    #[inline]
    pub(super) fn change(&self, clear: u8, set: u8) {
        self.0.set(self.0.get() & !clear | set);
    }

    /// The future is gone, and the output may be looked at.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.0.get() & (DONE | RUNNING) == DONE
    }
}
