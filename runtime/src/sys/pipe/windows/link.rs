//! What the threads of a pipe and the loop's end tell each other besides bytes.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use super::drain::Unwritten;

/// Errors go this way, since a socket has no word for them.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// The system's codes, once there are errors.
    read_error: AtomicI32,
    write_error: AtomicI32,
    /// What the loop has sent and the pipe does not have yet.
    pub(super) unwritten: Unwritten,
}

impl Link {
    pub(super) fn check_read(&self) -> io::Result<()> {
        error_of(&self.read_error)
    }

    pub(super) fn check_written(&self) -> io::Result<()> {
        error_of(&self.write_error)
    }

    pub(super) fn fail_reads(&self, error: &io::Error) {
        note(&self.read_error, error);
    }

    pub(super) fn fail_writes(&self, error: &io::Error) {
        note(&self.write_error, error);
    }
}

/// The first error is the one that is told.
fn note(place: &AtomicI32, error: &io::Error) {
    let code = error.raw_os_error().expect("it is the system's");
    // It fails if there is one.
    let _ = place.compare_exchange(0, code, SeqCst, SeqCst);
}

fn error_of(place: &AtomicI32) -> io::Result<()> {
    match place.load(SeqCst) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
