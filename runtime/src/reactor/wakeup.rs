//! How another thread wakes a loop, with as few system calls as can be.
//!
//! ```text
//!   sender                         loop
//!   push the mail                  asleep = true
//!   has_mail was false, now true?  has_mail? then do not sleep
//!   asleep was true, now false?    wait ............................
//!   signal  ─────────────────────▶ asleep = false
//!                                  has_mail = false, then look at the mail
//! ```
//!
//! A sender that finds `has_mail` set may leave: the loop clears it only before it looks at the mail,
//! and looks at it again before it sleeps. All operations are sequentially consistent, so of "asleep,
//! then has_mail?" and "has_mail, then asleep?" at least one sees the other.
//!
//! The mail lies under a lock, which is why a sender may look at `has_mail` by a plain load: if the
//! loop looked at the mail before it was pushed, its lock was released after the flag was cleared, and
//! taken by the sender before the load, which so finds the flag clear, or set anew by another sender.
//!
//! `asleep` is true also while no run is on the stack: somebody may be waiting on the loop's
//! `backend_fd`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst, fence};

use super::poller::Signal;

/// The flags and the signal. Shared by the loop and its senders.
#[derive(Debug)]
pub(crate) struct Wakeup {
    has_mail: AtomicBool,
    asleep: AtomicBool,
    signal: Signal,
}

impl Wakeup {
    pub(super) fn new(signal: Signal) -> Self {
        Self { has_mail: AtomicBool::new(false), asleep: AtomicBool::new(true), signal }
    }

    /// Tells the loop that there is mail. To be called after the mail was pushed, under the lock that
    /// the loop takes to look at it.
    #[inline]
    pub(crate) fn notify(&self) {
        // The load spares most senders the locked swap, and the loop the loss of the cache line.
        if !self.has_mail.load(SeqCst)
            && !self.has_mail.swap(true, SeqCst)
            && self.asleep.swap(false, SeqCst)
        {
            self.signal.raise();
        }
    }

    /// The loop, awake, has found mail by itself, of which it was not told.
    pub(crate) fn note_mail(&self) {
        self.has_mail.store(true, SeqCst);
    }

    /// Whether mail came since the last [`take_mail`](Self::take_mail).
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(SeqCst)
    }

    /// Clears the flag: what was pushed before is visible to the caller now.
    #[inline]
    pub(crate) fn take_mail(&self) -> bool {
        // The plain load spares an idle iteration the locked swap.
        self.has_mail.load(SeqCst) && self.has_mail.swap(false, SeqCst)
    }

    /// The loop is about to wait: to be called before the last look at `has_mail`.
    #[inline]
    pub(crate) fn set_asleep(&self) {
        self.asleep.store(true, SeqCst);
    }

    /// The loop does not wait any more. Who sees that late raises one signal too many.
    #[inline]
    pub(crate) fn set_awake(&self) {
        self.asleep.store(false, Relaxed);
    }

    /// No run is on the stack. Somebody may wait for the descriptor, but asks first: see
    /// [`expect_a_wait`](Self::expect_a_wait).
    #[inline]
    pub(crate) fn set_idle(&self) {
        self.asleep.store(true, Relaxed);
    }

    /// To be called between [`set_idle`](Self::set_idle) and the look at `has_mail` before such a wait: it
    /// makes of the two what [`set_asleep`](Self::set_asleep) is.
    pub(crate) fn expect_a_wait(&self) {
        fence(SeqCst);
    }
}
