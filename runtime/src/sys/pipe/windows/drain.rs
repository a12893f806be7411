//! What is on its way to pipes when a loop ends.
//!
//! A system whose pipes the loop writes to itself keeps what was written. Here the threads that carry it end
//! with the process, so the end of a loop waits for them, for a moment: a reader who does not read must
//! not keep the process.

use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long the end of a loop waits.
const LIMIT: Duration = Duration::from_millis(200);

/// Bytes on their way, of all pipes of the process. Below 0 for a moment if a thread is quicker with the
/// bytes than the loop with the count.
static UNWRITTEN: AtomicIsize = AtomicIsize::new(0);
static WRITTEN: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// Bytes on their way to one pipe.
#[derive(Debug, Default)]
pub(super) struct Unwritten(AtomicIsize);

impl Unwritten {
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes.cast_signed(), SeqCst);
        UNWRITTEN.fetch_add(bytes.cast_signed(), SeqCst);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes.cast_signed(), SeqCst);
        settle(bytes.cast_signed());
    }
}

impl Drop for Unwritten {
    /// The rest will never be written.
    fn drop(&mut self) {
        settle(*self.0.get_mut());
    }
}

fn settle(bytes: isize) {
    if UNWRITTEN.fetch_sub(bytes, SeqCst) <= bytes {
        let _lock = WRITTEN.0.lock();
        WRITTEN.1.notify_all();
    }
}

/// Waits until all pipes have what was written to them, but not long.
pub(crate) fn let_pipes_drain() {
    let deadline = Instant::now() + LIMIT;
    let mut lock = WRITTEN.0.lock();
    WRITTEN.1.wait_while_until(&mut lock, |()| UNWRITTEN.load(SeqCst) > 0, deadline);
}
