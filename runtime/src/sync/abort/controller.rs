//! Who aborts.

use std::fmt;
use std::rc::Rc;

use super::{AbortSignal, State, Trigger};

/// Aborts its [`AbortSignal`]: JavaScript's `AbortController`.
///
/// Clones are one controller. When the last is dropped its signal can't be aborted any more: its
/// listeners are dropped, and who awaits it waits for ever.
///
/// # Examples
/// ```
/// use runtime::{ms, set_timeout, spawn, sync::AbortController, time::sleep};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let controller = AbortController::new();
///     let signal = controller.signal();
///     let task = spawn(async move { signal.race(sleep(ms(60_000))).await });
///     set_timeout(ms(1), move || controller.abort());
///     assert!(task.await?.is_err());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct AbortController {
    trigger: Rc<Trigger>,
    signal: AbortSignal,
}

impl AbortController {
    /// A controller with a signal of its own. It needs no loop.
    pub fn new() -> Self {
        let (state, trigger) = State::new();
        Self { trigger, signal: AbortSignal(state) }
    }

    /// The signal, for those who are to be told.
    pub fn signal(&self) -> AbortSignal {
        self.signal.clone()
    }

    /// Aborts the signal, and what [`any`](AbortSignal::any) made of it: their listeners are called from
    /// inside this call, and tasks that await them are woken. Only the first time.
    ///
    /// So a `RefCell` that is borrowed meanwhile may be met borrowed by a listener.
    ///
    /// # Ordering
    /// First the signal and all that follow it become aborted; then the listeners of the signal are
    /// called, then those of each that follows, in the order they were made. Listeners and waiting tasks
    /// are one line, in the order they came; a task goes on in a microtask.
    ///
    /// Which listener is next is looked up before one is called, as in Node. So what a listener adds
    /// is called too, unless that listener was the last; one that is removed is not.
    ///
    /// What a listener throws, be it an `Err` or a panic, does not keep the next from being called: it is
    /// thrown by a tick.
    ///
    /// # Panics
    /// With what the first listener threw, when all were called, if this thread has no current loop that
    /// could tell.
    pub fn abort(&self) {
        self.trigger.pull();
    }
}

impl Default for AbortController {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AbortController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortController").field("signal", &self.signal).finish()
    }
}
