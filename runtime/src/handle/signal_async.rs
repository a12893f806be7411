//! `Async`: a loop woken from other threads.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};

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
    senders: Cell<Weak<Token>>,
}

/// What the loop and the senders share.
#[derive(Debug, Default)]
struct Signal {
    is_pending: AtomicBool,
    is_closed: AtomicBool,
}

/// Exists as long as there is a sender; its end wakes the loop.
#[derive(Debug)]
struct Token {
    signal: Arc<Signal>,
    sending: Arc<Sending>,
    key: HandleKey,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.sending.signalled(self.key);
    }
}

impl Async {
    /// A handle on the current loop. `f` runs on the loop's thread.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn new<R: Outcome>(mut f: impl FnMut(&Async) -> R + 'static) -> Self {
        let inner = Handle::make(&current(), Kind::Async, |handle| Inner {
            handle,
            callback: CallbackSlot::default(),
            signal: Arc::default(),
            senders: Cell::default(),
        });
        drop(inner.callback.set(Box::new(move |handle| f(handle).into_result())));
        Self(inner)
    }

    /// A sender, for any thread. The handle is active until the last one is dropped.
    pub fn sender(&self) -> AsyncSender {
        let senders = self.0.senders.take();
        let token = senders.upgrade().unwrap_or_else(|| {
            Arc::new(Token {
                signal: self.0.signal.clone(),
                sending: self.state().sending.clone(),
                key: self.key(),
            })
        });
        self.0.senders.set(Arc::downgrade(&token));
        self.set_active(true);
        self.hold(true);
        AsyncSender { token }
    }
}

impl Inner {
    fn has_senders(&self) -> bool {
        let senders = self.senders.take();
        let count = senders.strong_count();
        self.senders.set(senders);
        count > 0
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
        if !self.has_senders() {
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
#[derive(Clone)]
pub struct AsyncSender {
    token: Arc<Token>,
}

const _: fn() = || {
    fn is_send<T: Send + Sync>() {}
    is_send::<AsyncSender>();
};

impl AsyncSender {
    /// Lets the callback run, once for all sends until then. Costs no system call while the loop is
    /// awake.
    ///
    /// # Errors
    /// [`LoopGone`] if the handle was closed or its loop dropped.
    pub fn send(&self) -> Result<(), LoopGone> {
        let Token { signal, sending, key } = &*self.token;
        if signal.is_closed.load(SeqCst) {
            return Err(LoopGone);
        }
        // The one who finds it clear sends the mail; the loop clears it before it calls back.
        if !signal.is_pending.swap(true, SeqCst) && !sending.signalled(*key) {
            return Err(LoopGone);
        }
        Ok(())
    }
}

impl fmt::Debug for AsyncSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSender").field("signal", &self.token.signal).finish_non_exhaustive()
    }
}
