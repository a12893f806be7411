//! The process ends: a terminal goes back to its mode.

#![allow(unsafe_code)] // one call

use std::io;
use std::sync::OnceLock;
use std::{process, thread};

use super::reset_terminal;

/// The process whose exit it is: one that was forked from it leaves the terminal as it is.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// How often a change by another thread is waited for, which takes two system calls.
const TRIES: usize = 1000;

/// Sees to it that the modes of all terminals come back when the process exits, by whichever way but a
/// signal or an abort.
pub(super) fn restore_at_exit() {
    PROCESS.get_or_init(|| {
        // SAFETY: the function takes nothing, never unwinds, and touches nothing but statics without
        // destructors, so it may run at any time until the process is gone.
        // It fails for want of memory only, and then what ends the loop still restores.
        let _ = unsafe { libc::atexit(restore) };
        process::id()
    });
}

extern "C" fn restore() {
    if PROCESS.get() != Some(&process::id()) {
        return;
    }
    for _ in 0..TRIES {
        match reset_terminal() {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::yield_now(),
            // Nobody is left to be told.
            _ => return,
        }
    }
}
