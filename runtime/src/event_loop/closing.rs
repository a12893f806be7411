//! Closing: how a handle leaves the loop.
//!
//! ```text
//!   start/stop     close() or last owner         closing phase
//!  [ Open ] ────────────▶ [ Closing ] ───────────────▶ [ Closed ]
//!              fd closed, disarmed      callback, slot freed
//! ```
//!
//! Between the two arrows no callback of the handle runs. In the closing phase what was in flight
//! completes as cancelled, then `closed()` is answered, then the callbacks are dropped, and a
//! checkpoint runs what that set off. Slots are freed in one place only, so an event still in this
//! batch can never meet a reused slot.
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

/// The closing phase. It takes what is closing now; what an error interrupts is left to the next attempt,
/// with the rest.
#[inline]
pub(super) fn run(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    let is_idle = state.closing_now.is_empty() && state.closing.is_empty();
    if is_idle { Ok(()) } else { close_all(d) }
}

#[inline(never)]
fn close_all(d: &mut Dispatcher<'_>) -> Flow {
    let state = d.state();
    if state.closing_now.is_empty() {
        state.closing_now.swap(&state.closing);
    }
    while let Some(closing) = state.closing_now.pop_newest() {
        let mut under_way = UnderWay { state, closing: Some(closing) };
        under_way.cancel_all(d)?;
        under_way.tell_waiters(d)?;
        if let Some(Closing::Ended { slot, resource, .. }) = under_way.closing.take() {
            drop(state.registry.free(slot));
            if let Some(resource) = resource {
                let was_owed = state.executor.is_owed();
                resource.discard();
                // What the callbacks owned is dropped with them, and may wake a task, the last that there is.
                // What an error left behind before waits for the next callback.
                if !was_owed {
                    d.checkpoint()?;
                }
            }
        }
    }
    Ok(())
}

/// The handle whose callbacks run. It goes back to the list if one of them does not return.
struct UnderWay<'a> {
    state: &'a State,
    closing: Option<Closing>,
}

impl UnderWay<'_> {
    /// What was in flight ends as cancelled, and the handle is closed then.
    fn cancel_all(&mut self, d: &mut Dispatcher<'_>) -> Flow {
        let Some(Closing::Open(resource)) = &self.closing else { return Ok(()) };
        let resource = resource.clone();
        while let Some(cancelled) = resource.cancel_next(d) {
            cancelled?;
        }
        let handle = resource.handle();
        handle.set_closed();
        let (slot, waiters) = (handle.slot(), handle.take_closed_waiters());
        self.closing = Some(Closing::Ended { slot, resource: Some(resource), waiters });
        Ok(())
    }

    /// Answers `closed()`, as often as it was asked for.
    fn tell_waiters(&mut self, d: &mut Dispatcher<'_>) -> Flow {
        while let Some(Closing::Ended { waiters: Some(waiters), .. }) = &mut self.closing
            && let Some((answer, result)) = waiters.next()
        {
            answer.settle(result, d)?;
        }
        Ok(())
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(closing) = self.closing.take() {
            self.state.closing_now.push(closing);
        }
    }
}
