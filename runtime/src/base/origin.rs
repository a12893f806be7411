//! Where something was made, of which there may be a million.

use std::panic::Location;

/// The place of a call. Noted in builds with debug assertions; in others it takes no room and no time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    #[cfg(debug_assertions)]
    location: &'static Location<'static>,
}

impl Origin {
    #[inline(always)]
    #[track_caller]
    pub(crate) fn here() -> Self {
        Self {
            #[cfg(debug_assertions)]
            location: Location::caller(),
        }
    }

    #[cfg(debug_assertions)]
    pub(crate) fn location(self) -> Option<&'static Location<'static>> {
        Some(self.location)
    }

    #[cfg(not(debug_assertions))]
    pub(crate) fn location(self) -> Option<&'static Location<'static>> {
        None
    }
}
