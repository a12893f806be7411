//! What other threads send to a loop.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::RwLock;

use super::TaskRef;
use crate::base::Key;
use crate::error::Result;
use crate::reactor::Wakeup;

/// A closure that was posted by a [`Remote`](crate::Remote).
pub(crate) type Posted = Box<dyn FnOnce() -> Result + Send>;

/// One entry of the general queue: closures and wakes are delivered in the order they came.
pub(crate) enum Mail {
    Post(Posted),
    Wake(TaskRef),
    WakeMain,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post(_) => "Post",
            Self::Wake(_) => "Wake",
            Self::WakeMain => "WakeMain",
        })
    }
}

/// Names a handle from another thread. Slots are used again, serials never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandleKey {
    pub(crate) slot: usize,
    pub(crate) serial: u64,
}

/// The send end. Sending to a loop that is gone does nothing.
#[derive(Debug)]
pub(crate) struct Sending {
    completed: Sender<Key>,
    signalled: Sender<HandleKey>,
    mail: Sender<Mail>,
    wakeup: Arc<Wakeup>,
    /// The loop is gone. Its end of the channels may live on, with a handle that somebody kept.
    is_closed: AtomicBool,
}

impl Sending {
    /// A pool job of the loop's request `key` is done.
    pub(crate) fn completed(&self, key: Key) {
        if self.completed.send(key).is_ok() {
            self.wakeup.notify();
        }
    }

    /// An `Async` was signalled, or lost its last sender. False: the loop is gone.
    pub(crate) fn signalled(&self, handle: HandleKey) -> bool {
        let sent = !self.is_closed.load(SeqCst) && self.signalled.send(handle).is_ok();
        if sent {
            self.wakeup.notify();
        }
        sent
    }

    /// Anything else. The mail comes back if the loop is gone.
    pub(crate) fn mail(&self, mail: Mail) -> std::result::Result<(), Mail> {
        if self.is_closed.load(SeqCst) {
            return Err(mail);
        }
        self.mail.send(mail).map_err(|refused| refused.0)?;
        self.wakeup.notify();
        Ok(())
    }

    /// The loop is going away: nothing more is taken.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }
}

/// The loop's end: three queues, since completions are delivered before signals, and signals before
/// the rest.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) completed: Receiver<Key>,
    pub(crate) signalled: Receiver<HandleKey>,
    pub(crate) mail: Receiver<Mail>,
}

impl Mailbox {
    pub(crate) fn new(wakeup: Arc<Wakeup>) -> (Self, Arc<Sending>) {
        let (completed_tx, completed) = unbounded();
        let (signalled_tx, signalled) = unbounded();
        let (mail_tx, mail) = unbounded();
        let sending = Sending {
            completed: completed_tx,
            signalled: signalled_tx,
            mail: mail_tx,
            wakeup,
            is_closed: AtomicBool::new(false),
        };
        (Self { completed, signalled, mail }, Arc::new(sending))
    }
}

/// Every live loop's send end, by the loop's id: how a waker of a task, which carries nothing but
/// the id, finds its loop from another thread.
static LOOPS: RwLock<BTreeMap<u64, Arc<Sending>>> = RwLock::new(BTreeMap::new());

/// Makes the loop reachable.
pub(crate) fn publish(loop_id: u64, sending: Arc<Sending>) {
    LOOPS.write().insert(loop_id, sending);
}

/// Makes the loop unreachable: it is going away.
pub(crate) fn withdraw(loop_id: u64) {
    LOOPS.write().remove(&loop_id);
}

/// Sends to the loop `loop_id` from wherever this is. The mail comes back if the loop is gone.
pub(super) fn send(loop_id: u64, mail: Mail) -> std::result::Result<(), Mail> {
    let sending = LOOPS.read().get(&loop_id).cloned();
    match sending {
        Some(sending) => sending.mail(mail),
        None => Err(mail),
    }
}
