//! The end of a loop that other threads hold.

use std::sync::Arc;

use crate::error::{LoopGone, Outcome, Result};
use crate::task::mail::{Mail, Sending};

/// Posts closures to a loop, from any thread. Cheap to clone.
///
/// It does not keep the loop alive; an [`Async`](crate::handle::Async) handle does, until its senders
/// are gone.
///
/// # Examples
/// ```
/// use runtime::{Loop, handle::Async};
///
/// let mut lp = Loop::new()?;
/// let _here = lp.enter();
/// let remote = lp.remote();
/// let sender = Async::new(|_| ()).sender(); // keeps the loop waiting
/// std::thread::spawn(move || {
///     remote.post(|| println!("on the loop's thread")).unwrap();
///     drop(sender);
/// });
/// lp.run()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Remote {
    sending: Arc<Sending>,
}

const _: fn() = || {
    fn is_send<T: Send + Sync>() {}
    is_send::<Remote>();
};

impl Remote {
    pub(super) fn new(sending: Arc<Sending>) -> Self {
        Self { sending }
    }

    /// Runs `f` on the loop's thread, and wakes the loop if it waits.
    ///
    /// # Ordering
    /// In the poll phase, in the order of posting, each followed by a checkpoint. What is posted while
    /// that goes on waits for the next iteration.
    ///
    /// # Errors
    /// [`LoopGone`] if the loop was dropped; then `f` is dropped here. A closure that is on its way when
    /// the loop is dropped is dropped there.
    pub fn post<R: Outcome>(&self, f: impl FnOnce() -> R + Send + 'static) -> Result<(), LoopGone> {
        let post = Mail::Post(Box::new(move || f().into_result()));
        self.sending.mail(post).map_err(|_refused| LoopGone)
    }
}
