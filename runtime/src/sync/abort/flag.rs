//! A signal as other threads see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

use super::AbortSignal;
use crate::error::Aborted;

/// Whether an [`AbortSignal`] was aborted, for any thread to ask: how a job in the pool that runs already
/// learns that it is to end.
///
/// [`AbortSignal::flag`] gives it. Clones are one flag.
///
/// # Examples
/// A job of many steps, which looks between them. What ends it early is its own result, so what it leaves
/// behind is known when that comes:
/// ```
/// use runtime::{ms, spawn_blocking, sync::{AbortController, AbortFlag, Aborted}, set_timeout};
///
/// fn search(flag: &AbortFlag) -> Result<u64, Aborted> {
///     let mut found = 0;
///     for number in 0..u64::MAX {
///         flag.check()?;
///         found += u64::from(number % 7 == 0);
///     }
///     Ok(found)
/// }
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let controller = AbortController::new();
///     let flag = controller.signal().flag();
///     let job = spawn_blocking(move || search(&flag)).abort_on(&controller.signal());
///     set_timeout(ms(20), move || controller.abort());
///     assert_eq!(job.await?, Err(Aborted));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct AbortFlag(Arc<AtomicBool>);

impl AbortFlag {
    pub(super) fn new(is_aborted: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_aborted)))
    }

    /// Whether the signal was aborted. Who is told so also sees what its thread wrote before it aborted.
    pub fn is_aborted(&self) -> bool {
        self.0.load(Acquire)
    }

    /// For `?` between two steps.
    ///
    /// # Errors
    /// [`Aborted`] if the signal was aborted.
    pub fn check(&self) -> Result<(), Aborted> {
        if self.is_aborted() { Err(Aborted) } else { Ok(()) }
    }

    pub(super) fn set(&self) {
        self.0.store(true, Release);
    }

    /// Whether somebody has it besides the signal.
    pub(super) fn is_elsewhere(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl fmt::Debug for AbortFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortFlag").field("is_aborted", &self.is_aborted()).finish()
    }
}

impl AbortSignal {
    /// What tells other threads whether this is aborted. It is set before the listeners are called, and from
    /// the start if the signal is aborted.
    ///
    /// A flag that somebody has keeps its signal, as a listener does: no clone need be kept for it.
    ///
    /// The loop's thread sets it. So a [`timeout`](Self::timeout) that is over while that thread is busy, or
    /// runs no loop, is told to nobody before the loop's timers have their turn; and since it does not keep the
    /// loop alive, something else must: the job that looks at the flag does.
    pub fn flag(&self) -> AbortFlag {
        self.0.flag()
    }
}

const _: fn() = || {
    fn send_and_sync<T: Send + Sync + Clone>() {}
    send_and_sync::<AbortFlag>();
};
