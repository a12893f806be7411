//! What a task may expect to wait in the system, so that it asks in vain as rarely as can be.
//!
//! ```text
//!   [ Untried ] ── accepted ──▶ [ More ] ── accepted ──▶ [ More ]
//!        ▲                        │ in vain: the next events bring one connection each
//!        └──────── event ──── [ Nothing ]
//! ```
//!
//! To ask in vain costs 3.2 us here, as much as an accept: Linux makes the socket before it looks. A wait
//! that reports the next connection costs 0.4 us. So where connections come one by one, each is waited
//! for; where many come at once they are taken at once.

use std::cell::Cell;

/// Events that bring one connection each, after it was in vain to ask for another.
const SINGLES: u32 = 32;

/// What is known of the connections that wait.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    expected: Cell<Expected>,
    /// Connections still to come that nothing more is asked for behind.
    singles: Cell<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    /// Nobody asked, or the system has reported one since.
    #[default]
    Untried,
    /// One was accepted: there may be more.
    More,
    /// None before the system reports one.
    Nothing,
}

impl Backlog {
    /// Whether it is worth to ask the system.
    pub(super) fn may_have(&self) -> bool {
        self.expected.get() != Expected::Nothing
    }

    /// The system reports one.
    pub(super) fn is_reported(&self) {
        self.expected.set(Expected::Untried);
    }

    /// One was accepted.
    pub(super) fn gave_one(&self) {
        let singles = self.singles.get();
        self.singles.set(singles.saturating_sub(1));
        self.expected.set(if singles > 0 { Expected::Nothing } else { Expected::More });
    }

    /// There was none.
    pub(super) fn was_empty(&self) {
        if self.expected.replace(Expected::Nothing) == Expected::More {
            self.singles.set(SINGLES);
        }
    }
}
