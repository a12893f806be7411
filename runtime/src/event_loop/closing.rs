//! Closing: how a handle leaves the loop.
//!
//! ```text
//!   start/stop     close() or last owner         closing phase
//!  [ Open ] ────────────▶ [ Closing ] ───────────────▶ [ Closed ]
//!              fd closed, disarmed      callback, slot freed
//! ```
//!
//! Between the two arrows no callback of the handle runs. In the closing phase what was in flight
//! completes as cancelled, then `closed()` is answered, then the callbacks are dropped. Slots are
//! freed in one place only, so an event still in this batch can never meet a reused slot.
//!
//! The last closed is the first to be called back, as in libuv; what is closed in a callback of this
//! phase waits for the next iteration.

use std::rc::Rc;

use super::handle::ClosedWaiters;
use super::{Dispatcher, Flow, Resource, State};

/// A handle on its way out.
pub(crate) enum Closing {
    /// Closed by `close()`: requests may still be in flight.
    Open(Rc<dyn Resource>),
    /// All that is left is to answer `closed()` and to free the slot. Of a handle that ended by the
    /// drop of its last owner there is no resource any more.
    Ended { slot: usize, resource: Option<Rc<dyn Resource>>, waiters: Option<Box<ClosedWaiters>> },
}

impl State {
    pub(crate) fn close_later(&self, closing: Closing) {
        self.closing.push(closing);
    }

    /// Those whose close callbacks run right now keep nothing alive any more.
    pub(super) fn has_closing(&self) -> bool {
        !self.closing.is_empty()
    }
}

/// The closing phase. It takes what is closing now; an entry lies in the list while a callback of it
/// runs, so that an error leaves the rest to the next attempt.
#[inline]
pub(super) fn run(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    let is_idle = state.closing_now.is_empty() && state.closing.is_empty();
    if is_idle { Ok(()) } else { close_all(d) }
}

#[inline(never)]
fn close_all(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    if state.closing_now.is_empty() && !state.closing.is_empty() {
        drop(state.closing_now.replace(state.closing.take()));
    }
    while let Some(closing) = state.closing_now.pop_newest() {
        match closing {
            Closing::Open(resource) => {
                state.closing_now.push(Closing::Open(resource.clone()));
                if let Some(cancelled) = resource.cancel_next(d) {
                    cancelled?;
                    continue;
                }
                state.closing_now.pop_newest();
                let handle = resource.handle();
                handle.set_closed();
                let (slot, waiters) = (handle.slot(), handle.take_closed_waiters());
                state.closing_now.push(Closing::Ended { slot, resource: Some(resource), waiters });
            }
            Closing::Ended { slot, resource, waiters } => {
                if let Some(mut waiters) = waiters
                    && let Some((answer, result)) = waiters.next()
                {
                    let waiters = Some(waiters);
                    state.closing_now.push(Closing::Ended { slot, resource, waiters });
                    answer.settle(result, d)?;
                    continue;
                }
                drop(state.registry.free(slot));
                if let Some(resource) = resource {
                    resource.discard();
                }
            }
        }
    }
    Ok(())
}
