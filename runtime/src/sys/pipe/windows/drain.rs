//! What is on its way to pipes when a loop ends.
//!
//! A system whose pipes the loop writes to itself keeps what was written. Here the threads that carry it end
//! with the process, so the end of a loop waits for them, as long as something is taken: a reader who does
//! not read must not keep the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long the end of a loop waits while nothing is taken.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// That of the loops of this thread.
    static HERE: Arc<Account> = Arc::default();
}

/// Bytes on their way to the pipes of one thread's loops.
#[derive(Debug, Default)]
struct Account {
    /// Below 0 for a moment if a thread is quicker with the bytes than the loop with the count.
    bytes: AtomicIsize,
    lock: Mutex<()>,
    /// Told when there are none.
    drained: Condvar,
}

impl Account {
    fn remove(&self, bytes: isize) {
        if self.bytes.fetch_sub(bytes, SeqCst) <= bytes {
            let _lock = self.lock.lock();
            self.drained.notify_all();
        }
    }
}

/// Bytes on their way to one pipe.
#[derive(Debug)]
pub(super) struct Unwritten {
    bytes: AtomicIsize,
    account: Arc<Account>,
}

impl Default for Unwritten {
    fn default() -> Self {
        Self { bytes: AtomicIsize::new(0), account: HERE.with(Arc::clone) }
    }
}

impl Unwritten {
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes.cast_signed(), SeqCst);
        self.account.bytes.fetch_add(bytes.cast_signed(), SeqCst);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes.cast_signed(), SeqCst);
        self.account.remove(bytes.cast_signed());
    }
}

impl Drop for Unwritten {
    /// The rest will never be written.
    fn drop(&mut self) {
        self.account.remove(*self.bytes.get_mut());
    }
}

/// Waits until the pipes of this thread's loops have what was written to them, or take no more of it.
pub(crate) fn let_pipes_drain() {
    // A loop may be dropped by the end of its thread, behind this: then nobody knows.
    let Ok(account) = HERE.try_with(Arc::clone) else { return };
    let mut lock = account.lock.lock();
    let mut left = account.bytes.load(SeqCst);
    while left > 0 {
        let is_over = account.drained.wait_for(&mut lock, PATIENCE).timed_out();
        let before = std::mem::replace(&mut left, account.bytes.load(SeqCst));
        if is_over && left >= before {
            return;
        }
    }
}
