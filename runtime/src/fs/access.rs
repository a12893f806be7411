//! What is asked of `access`.

use std::ops::{BitOr, BitOrAssign};

/// What a process wants to do to a file: see [`access`](super::access).
///
/// # Examples
/// ```
/// use runtime::fs::Access;
///
/// let both = Access::READ | Access::WRITE;
/// assert!(both.contains(Access::WRITE) && !both.contains(Access::EXECUTE));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// Nothing: it has to be there. `F_OK`.
    pub const EXISTS: Self = Self(0);
    /// To execute it, or to search a directory. `X_OK`.
    pub const EXECUTE: Self = Self(1);
    /// To write to it. `W_OK`.
    pub const WRITE: Self = Self(2);
    /// To read it. `R_OK`.
    pub const READ: Self = Self(4);

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Access {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Access {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
