//! What is asked of the system about a source, and what it answers.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

// The bits of epoll, so that there nothing has to be translated for each event.
const READABLE: u16 = 1;
const PRIORITY: u16 = 2;
const WRITABLE: u16 = 4;
const ERROR: u16 = 8;
const HANGUP: u16 = 0x10;
const DISCONNECT: u16 = 0x2000;

fn debug_bits(bits: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let all = [
        (READABLE, "READABLE"),
        (PRIORITY, "PRIORITY"),
        (WRITABLE, "WRITABLE"),
        (ERROR, "ERROR"),
        (HANGUP, "HANGUP"),
        (DISCONNECT, "DISCONNECT"),
    ];
    let set = all.iter().filter(|(bit, _)| bits & bit != 0);
    let names: Vec<_> = set.map(|(_, name)| *name).collect();
    f.write_str(if names.is_empty() { "NONE" } else { "" })?;
    f.write_str(&names.join(" | "))
}

/// What to watch a file descriptor for. Combine by `|`; the default is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u16);

impl Interest {
    pub(crate) const NONE: Self = Self(0);
    /// Data, a connection or the end of the stream is there to be read.
    pub const READABLE: Self = Self(READABLE);
    /// There is room to write.
    pub const WRITABLE: Self = Self(WRITABLE);
    /// The peer will send no more. Linux only; elsewhere `start` gives `Unsupported`.
    pub const DISCONNECT: Self = Self(DISCONNECT);
    /// Urgent data. Linux only; elsewhere `start` gives `Unsupported`.
    pub const PRIORITY: Self = Self(PRIORITY);

    /// Whether all of `other` is in this interest.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
    pub(super) const fn bits(self) -> u16 {
        self.0
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_bits(self.0, f)
    }
}

/// What the system reported about a file descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ready(u16);

// Where the bits come from epoll itself, nothing else is made of them.
#[cfg(any(test, not(all(target_os = "linux", not(polling_test_poll_backend)))))]
impl Ready {
    pub(crate) const READABLE: Self = Self(READABLE);
    pub(crate) const WRITABLE: Self = Self(WRITABLE);
    #[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
    pub(crate) const DISCONNECT: Self = Self(DISCONNECT);
    pub(crate) const PRIORITY: Self = Self(PRIORITY);
    pub(crate) const HANGUP: Self = Self(HANGUP);
    pub(crate) const ERROR: Self = Self(ERROR);
}

impl Ready {
    #[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
    #[inline]
    pub(super) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Something can be read: data, a connection, the end or an error.
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0 & (READABLE | HANGUP | ERROR) != 0
    }

    /// There is room to write, or a write would give its error at once.
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0 & (WRITABLE | HANGUP | ERROR) != 0
    }

    /// The peer will send no more.
    #[inline]
    pub const fn is_disconnect(self) -> bool {
        self.0 & (DISCONNECT | HANGUP) != 0
    }

    /// There is urgent data.
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// The source is in an error state.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Whether this tells something that `interest` asked for.
    pub(crate) const fn answers(self, interest: Interest) -> bool {
        self.0 & (interest.0 | HANGUP | ERROR) != 0
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_bits(self.0, f)
    }
}
