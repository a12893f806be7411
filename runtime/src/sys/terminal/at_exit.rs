//! The process ends: a terminal goes back to its mode.

#![allow(unsafe_code)] // one call

use std::sync::Once;

use super::reset_terminal;

/// Sees to it that the modes of all terminals come back when the process exits, by whichever way but a
/// signal or an abort.
pub(super) fn restore_at_exit() {
    static ONCE: Once = Once::new();
    extern "C" fn restore() {
        // Nobody is left to be told.
        let _ = reset_terminal();
    }
    ONCE.call_once(|| {
        // SAFETY: the function takes nothing, unwinds never and touches nothing but a static that has no
        // destructor, so it may run at any time until the process is gone.
        // It fails for want of memory only, and then what ends the loop still restores.
        let _ = unsafe { libc::atexit(restore) };
    });
}
