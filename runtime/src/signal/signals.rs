//! `Signals`: all that come, one after the other.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;

use crate::base::LocalQueue;
use crate::error::Closed;
use crate::handle::Signal;
use crate::task::{coop, keep};

/// Signals that are kept for a reader who does not come. Beyond it each kind is kept once.
const UNREAD: usize = 1024;

/// The signals that were asked for, in the order in which they come. Also a `Stream`, which ends when a
/// watcher of its was closed.
///
/// Made by [`signals`]. While it is held none is lost between two reads: up to 1,024 are kept, then one of
/// each kind. Its drop gives the signals back.
///
/// Only [`walk`](crate::LoopRef::walk) finds the handles that watch for it, to close them, say.
pub struct Signals {
    unread: Rc<Unread>,
    handles: Vec<Signal>,
}

#[derive(Default)]
struct Unread {
    queue: LocalQueue<i32>,
    waker: Cell<Option<Waker>>,
}

/// What a watcher has of it. It goes with the watcher's callback: who waits then finds out why.
struct Teller(Rc<Unread>);

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Watches all of `signums` on the current loop, until the result is dropped.
///
/// # Errors
/// For what can't be watched: see [`Signal::start`]. Then none is.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```
/// use runtime::signal::{SIGHUP, SIGTERM, signals};
///
/// async fn serve() -> std::io::Result<()> {
///     let mut signals = signals(&[SIGHUP, SIGTERM])?;
///     while signals.recv().await? != SIGTERM {
///         println!("reading the settings again");
///     }
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn signals(signums: &[i32]) -> io::Result<Signals> {
    let mut signals = Signals { unread: Rc::default(), handles: Vec::new() };
    for &signum in signums {
        // Twice the same is once.
        if signals.handles.iter().any(|handle| handle.signum() == Some(signum)) {
            continue;
        }
        let handle = Signal::new();
        signals.handles.push(handle.clone());
        let teller = Teller(signals.unread.clone());
        handle.start(signum, move |_, signum| teller.0.push(signum))?;
    }
    Ok(signals)
}

impl Unread {
    fn push(&self, signum: i32) {
        if self.queue.len() < UNREAD || !self.queue.any(|&unread| unread == signum) {
            self.queue.push(signum);
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Signals {
    /// Waits for the next signal, and gives its number.
    ///
    /// # Errors
    /// [`LoopGone`](crate::LoopGone), or [`Closed`](crate::Closed) if a watcher was closed, once all
    /// that came before was read.
    ///
    /// # Cancel safety
    /// Nothing is lost: a signal that was not given is there for the next call.
    pub async fn recv(&mut self) -> io::Result<i32> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next signal, if one came; never waits.
    pub fn try_recv(&mut self) -> Option<i32> {
        self.unread.queue.pop()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<i32>> {
        ready!(coop::poll_proceed(cx));
        if let Some(signum) = self.try_recv() {
            return Poll::Ready(Ok(signum));
        }
        if let Some(error) = self.handles.iter().find_map(|handle| handle.check_open().err()) {
            return Poll::Ready(Err(error));
        }
        coop::made_no_progress();
        drop(self.unread.waker.replace(Some(keep(cx))));
        Poll::Pending
    }
}

impl Stream for Signals {
    type Item = io::Result<i32>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<i32>>> {
        self.get_mut().poll_recv(cx).map(|signum| match signum {
            Err(error) if Closed::is_in(&error) => None,
            signum => Some(signum),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handle in &self.handles {
            handle.close();
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watched: Vec<_> = self.handles.iter().filter_map(|handle| handle.signum()).collect();
        f.debug_struct("Signals")
            .field("watched", &watched)
            .field("unread", &self.unread.queue.len())
            .finish()
    }
}
