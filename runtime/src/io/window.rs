//! The window of a terminal: who waits for another size of it.
//!
//! The system tells by `SIGWINCH`, to the processes of the terminal's foreground, and without the size; so
//! who is told asks, and compares.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Tty;
use crate::base::{Waiter, Wakers};
use crate::error::Outcome;
use crate::event_loop::State;
use crate::handle::Signal;
use crate::signal::SIGWINCH;
use crate::sys::WindowSize;
use crate::task::keep;

/// What a terminal keeps of its window. Its drop ends what waits for another size.
pub(super) struct Window {
    /// The size that `resized` compares with: that of the beginning, or the one it told.
    told: Cell<Option<WindowSize>>,
    /// Calls what `on_resize` was given.
    watcher: Cell<Option<Signal>>,
    waiters: Rc<Wakers>,
    state: Rc<State>,
}

impl Window {
    pub(super) fn new(state: Rc<State>, size: Option<WindowSize>) -> Self {
        Self { told: Cell::new(size), watcher: Cell::default(), waiters: Rc::default(), state }
    }

    fn watch_by(&self, watcher: Option<Signal>) {
        if let Some(former) = self.watcher.replace(watcher) {
            former.close();
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.watch_by(None);
        let waiters = self.waiters.clone();
        if !waiters.is_empty() {
            // Not here, in the middle of a close: a foreign waker may panic.
            self.state.call_later(move || {
                waiters.wake();
                Ok(())
            });
        }
    }
}

/// The window's size.
impl Tty {
    /// Calls `f` with the size whenever it has changed. A second call replaces `f`, and takes the size of
    /// that moment to compare with.
    ///
    /// The loop holds the terminal from then on, until it is closed or [`resize_stop`](Self::resize_stop) is called. It does
    /// not keep the loop alive, as no signal does.
    ///
    /// # Ordering
    /// In the poll phase, with the signals: behind everything else that the system reported. Several
    /// changes may be one call, with the last size.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed); too many open files; the system's.
    ///
    /// # Platform notes
    /// The system tells of the terminal that controls the process, by `SIGWINCH`. Of another one (a
    /// pseudo-terminal that the program made) a change is seen when that signal comes for whatever reason.
    pub fn on_resize<R: Outcome>(
        &self,
        mut f: impl FnMut(&Self, WindowSize) -> R + 'static,
    ) -> io::Result<()> {
        let mut told = self.window_size()?;
        let tty = self.clone();
        let watcher = self.watcher()?;
        watcher.start(SIGWINCH, move |_, _| {
            match tty.window_size() {
                Ok(size) if size != told => {
                    told = size;
                    f(&tty, size).into_result()
                }
                // It is gone: who reads is told.
                _ => Ok(()),
            }
        })?;
        self.0.with_channel(|end| {
            end.window.watch_by(Some(watcher));
            Ok(())
        })
    }

    /// Calls back no more, and drops what [`on_resize`](Self::on_resize) was given.
    pub fn resize_stop(&self) {
        // A closed terminal has stopped.
        let _ = self.0.with_channel(|end| {
            end.window.watch_by(None);
            Ok(())
        });
    }

    /// Waits until the size is another one than when the terminal was opened, or than the one that this
    /// told last.
    ///
    /// # Errors
    /// Those of [`on_resize`](Self::on_resize); [`Closed`](crate::Closed) if it is closed meanwhile.
    ///
    /// # Cancel safety
    /// No change is lost: the next call tells it.
    pub async fn resized(&self) -> io::Result<WindowSize> {
        let mut waiting = Waiting::new(self)?;
        std::future::poll_fn(|cx| waiting.poll(cx)).await
    }

    /// A watcher on the terminal's loop, which need not be the current one.
    fn watcher(&self) -> io::Result<Signal> {
        self.check_open()?;
        let _here = self.loop_ref().enter();
        Ok(Signal::new())
    }

    /// The size, if it is another one than the one that was told.
    fn untold_size(&self) -> io::Result<Option<WindowSize>> {
        let size = self.window_size()?;
        self.0.with_channel(|end| {
            let former = end.window.told.replace(Some(size));
            Ok((former != Some(size)).then_some(size))
        })
    }
}

/// A task that waits for another size.
struct Waiting<'a> {
    tty: &'a Tty,
    signal: Signal,
    waiters: Rc<Wakers>,
    waiter: Option<Waiter>,
}

impl<'a> Waiting<'a> {
    fn new(tty: &'a Tty) -> io::Result<Self> {
        let waiters = tty.0.with_channel(|end| Ok(end.window.waiters.clone()))?;
        let (signal, woken) = (tty.watcher()?, waiters.clone());
        // Before the first look, so that no change comes between.
        signal.start(SIGWINCH, move |_, _| woken.wake())?;
        Ok(Self { tty, signal, waiters, waiter: None })
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<io::Result<WindowSize>> {
        match self.tty.untold_size().transpose() {
            Some(told) => Poll::Ready(told),
            None => {
                self.waiters.register(&mut self.waiter, keep(cx));
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.waiters.unregister(waiter);
        }
        self.signal.close();
    }
}
