//! `Notify`: a wake without a value.

use std::future::Future;
use std::sync::Arc;

use super::Wait;

/// Wakes who waits for something that has no value of its own. Clones are one `Notify`, on any thread.
///
/// [`notify_one`](Self::notify_one) lets one wait end; if nobody waits, the next wait ends at once. It keeps
/// one such permit, not several.
///
/// # Ordering
/// Waits end in the order in which they began. A task goes on in a microtask that is queued at the call, if
/// that is on its own thread, else in the poll phase; a callback runs in the poll phase.
///
/// # Examples
/// ```
/// use runtime::{next_tick, sync::Notify};
///
/// #[runtime::main]
/// async fn main() {
///     let ready = Notify::new();
///     next_tick({
///         let ready = ready.clone();
///         move || ready.notify_one()
///     });
///     ready.notified().await;
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Notify(Arc<tokio::sync::Notify>);

impl Notify {
    /// One that nobody was notified by.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the wait that began first, or else the next one.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Ends all waits there are, those included whose [`notified`](Self::notified) was called and that were
    /// not polled yet. What is waited for later is not ended by it.
    pub fn notify_waiters(&self) {
        self.0.notify_waiters();
    }

    /// Waits to be notified: await it, or give it a callback.
    ///
    /// # Cancel safety
    /// Nothing is lost: a notification that was on its way to a wait that is dropped goes to the next one.
    /// The place in the line is lost.
    pub fn notified(&self) -> Wait<impl Future<Output = ()> + use<>> {
        Wait::new(self.0.clone().notified_owned())
    }
}
