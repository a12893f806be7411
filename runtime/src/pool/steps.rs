//! A job that looks, between its steps, whether it is to go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::Cancelled;

/// What a job of many steps looks at, and its request ends. Clones are one.
///
/// One bit that says "stop", and nothing is read because of it: so its order among other memory does
/// not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(Arc<AtomicBool>);

impl Steps {
    /// Before each step.
    ///
    /// # Errors
    /// [`Cancelled`] if the job is to end here.
    pub(crate) fn go_on(&self) -> io::Result<()> {
        if self.0.load(Relaxed) { Err(Cancelled.into()) } else { Ok(()) }
    }

    /// The job ends before its next step.
    pub(crate) fn stop(&self) {
        self.0.store(true, Relaxed);
    }
}
