//! `Async`: a loop woken from other threads.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::handle_type;
use crate::base::CallbackSlot;
use crate::error::{LoopGone, Outcome, Result};
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Kind, Resource, current};
use crate::task::mail::{HandleKey, Sending};

handle_type! {
    /// Calls back on the loop's thread when another thread says so.
    ///
    /// Signals are coalesced: one or more sends before the callback are one callback, and there is
    /// always a callback after the last send. To hand over data use
    /// [`Remote::post`](crate::Remote::post), or a queue beside this.
    ///
    /// It is active while a sender exists; the drop of the last one lets the loop end.
    ///
    /// # Ordering
    /// In the poll phase, after completions of the pool and before posted closures. Several handles
    /// that were signalled run in the order they were made.
    ///
    /// # Examples
    /// ```
    /// use runtime::handle::Async;
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     let sender = Async::new(|_| println!("woken")).sender();
    ///     std::thread::spawn(move || sender.send());
    /// }
    /// ```
    Async, Inner
}

pub(crate) struct Inner {
    handle: Handle,
    callback: CallbackSlot<dyn FnMut(&Async) -> Result>,
    signal: Arc<Signal>,
}

/// What the loop and the senders share: all that a send looks at while a signal is pending lies together.
struct Signal {
    is_pending: AtomicBool,
    is_closed: AtomicBool,
    /// The end of the last one wakes the loop.
    senders: AtomicUsize,
    sending: Arc<Sending>,
    key: HandleKey,
}

impl Async {
    /// A handle on the current loop. `f` runs on the loop's thread.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn new<R: Outcome>(mut f: impl FnMut(&Async) -> R + 'static) -> Self {
        let inner = Handle::make(&current(), Kind::Async, |handle| Inner {
            callback: CallbackSlot::default(),
            signal: Arc::new(Signal {
                is_pending: AtomicBool::new(false),
                is_closed: AtomicBool::new(false),
                senders: AtomicUsize::new(0),
                sending: handle.state().sending.clone(),
                key: handle.key(),
            }),
            handle,
        });
        drop(inner.callback.set(Box::new(move |handle| f(handle).into_result())));
        Self(inner)
    }

    /// A sender, for any thread. The handle is active until the last one is dropped.
    pub fn sender(&self) -> AsyncSender {
        let sender = AsyncSender::of(&self.0.signal);
        self.set_active(true);
        self.hold(true);
        sender
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, d: &mut Dispatcher<'_>) -> Flow {
        // Closed by a callback before this one.
        if self.handle.is_closing() {
            return Ok(());
        }
        // Senders first: one that sends and then goes must be heard.
        if self.signal.senders.load(SeqCst) == 0 {
            self.handle.set_active(false);
            self.handle.hold(false);
        }
        if !self.signal.is_pending.swap(false, SeqCst) {
            return Ok(());
        }
        let handle = Async(self);
        let Some(mut callback) = handle.0.callback.take() else { return Ok(()) };
        let result = callback(&handle);
        drop(callback);
        d.done(result)
    }

    fn release(&self) {
        self.signal.is_closed.store(true, SeqCst);
    }

    fn discard(&self) {
        drop(self.callback.clear());
    }
}

/// Signals an [`Async`] from any thread. Cheap to clone.
pub struct AsyncSender {
    signal: Arc<Signal>,
}

const _: fn() = || {
    fn is_send<T: Send + Sync>() {}
    is_send::<AsyncSender>();
};

impl AsyncSender {
    fn of(signal: &Arc<Signal>) -> Self {
        signal.senders.fetch_add(1, SeqCst);
        Self { signal: signal.clone() }
    }

    /// Lets the callback run, once for all sends until then. Costs no system call while the loop is
    /// awake.
    ///
    /// # Errors
    /// [`LoopGone`] if the handle was closed or its loop dropped.
    #[inline]
    pub fn send(&self) -> Result<(), LoopGone> {
        if self.signal.is_closed.load(SeqCst) {
            return Err(LoopGone);
        }
        // The one who finds it clear sends the mail; the loop clears it before it calls back. It is exchanged
        // though it may be set: a plain look can be over before the sender's own writes have left its
        // processor, and the callback that is pending may then run without having seen them.
        if self.signal.is_pending.swap(true, SeqCst) { Ok(()) } else { self.signal.tell_loop() }
    }
}

impl Signal {
    #[cold]
    fn tell_loop(&self) -> Result<(), LoopGone> {
        if self.sending.signalled(self.key) {
            return Ok(());
        }
        self.is_closed.store(true, SeqCst);
        Err(LoopGone)
    }
}

impl Clone for AsyncSender {
    fn clone(&self) -> Self {
        Self::of(&self.signal)
    }
}

impl Drop for AsyncSender {
    fn drop(&mut self) {
        if self.signal.senders.fetch_sub(1, SeqCst) == 1 {
            self.signal.sending.signalled(self.signal.key);
        }
    }
}

impl fmt::Debug for AsyncSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSender")
            .field("is_pending", &self.signal.is_pending)
            .field("is_closed", &self.signal.is_closed)
            .finish_non_exhaustive()
    }
}
