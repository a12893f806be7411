//! Advisory locks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::File;
use super::open_file::OpenFile;
use crate::event_loop::current;
use crate::request::{Request, Unwanted, by_task};
use crate::sys;
use crate::time::sleep;

/// A lock that somebody else has is asked for again after so long, then after twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(64);

/// Locks of the whole file among those who ask for them. They keep nobody from reading or writing.
///
/// A lock is that of the open file, so of all its clones. Taken anew it turns from exclusive to shared
/// or back, and is given up for a moment while it does; it ends with [`unlock`](Self::unlock), and with the last clone.
///
/// # Platform notes
/// `flock` on unix. `Unsupported` on Windows.
impl File {
    /// Waits until nobody else has a lock of the file, and takes one that nobody else can have beside it.
    ///
    /// No thread waits: who has to is asked for again, after 1 ms and up to 64 ms. So it can be cancelled,
    /// and who waits longest is not always first.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropped while it waits it takes no lock, not even one that is just granted; the same goes for
    /// [`cancel`](Request::cancel). A lock that was granted stays, whether or not anybody came for the answer.
    #[must_use = "await it, or give it a callback: dropped it takes no lock"]
    #[track_caller]
    pub fn lock(&self) -> Request<()> {
        self.lock_when_free("lock", false)
    }

    /// As [`lock`](Self::lock), but others can have shared locks, too.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`lock`](Self::lock).
    #[must_use = "await it, or give it a callback: dropped it takes no lock"]
    #[track_caller]
    pub fn lock_shared(&self) -> Request<()> {
        self.lock_when_free("lock_shared", true)
    }

    /// Takes a lock as [`lock`](Self::lock) does, if that can be had now. True: it has it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn try_lock(&self) -> Request<bool> {
        self.open_file().act("try_lock", |open| sys::try_lock(&open.file, false))
    }

    /// Takes a lock as [`lock_shared`](Self::lock_shared) does, if that can be had now. True: it has it.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn try_lock_shared(&self) -> Request<bool> {
        self.open_file().act("try_lock_shared", |open| sys::try_lock(&open.file, true))
    }

    /// Gives the lock up, if there is one.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn unlock(&self) -> Request<()> {
        self.open_file().act("unlock", |open| sys::unlock(&open.file))
    }

    #[track_caller]
    fn lock_when_free(&self, name: &'static str, is_shared: bool) -> Request<()> {
        let open = self.open_file().clone();
        let steps = async move {
            let mut pause = FIRST_PAUSE;
            loop {
                if try_to_lock(&open, name, is_shared).await? {
                    return Ok(());
                }
                sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        };
        by_task(&current(), Unwanted::Ends, steps)
    }
}

/// A lock that was granted, until its asker comes for it: dropped it is given up.
struct Granted(Option<Arc<OpenFile>>);

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(open) = &self.0 {
            // It does not wait, and fails only for what has no lock.
            let _ = sys::unlock(&open.file);
        }
    }
}

async fn try_to_lock(
    open: &Arc<OpenFile>,
    name: &'static str,
    is_shared: bool,
) -> io::Result<bool> {
    let its = open.clone();
    let granted = open.ask(name, move |open| {
        let is_granted = sys::try_lock(&open.file, is_shared)?;
        Ok(Granted(is_granted.then_some(its)))
    });
    Ok(granted.await?.0.take().is_some())
}
