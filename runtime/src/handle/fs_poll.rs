//! `FsPoll`: a file that is looked at again and again.
//!
//! ```text
//!   start ─▶ stat in the pool ─▶ compare, call back ─▶ wait for the next interval ─┐
//!              ▲─────────────────────────────────────────────────────────────────┘
//! ```

use std::cell::Cell;
use std::fs::Metadata;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::handle_type;
use crate::base::clock::{NS_PER_MS, saturating_ns};
use crate::base::{CallbackSlot, Guarded, InlineFn, Key, Waiter, Wakers};
use crate::error::{Outcome, Result};
use crate::event_loop::{
    Carried, Dispatcher, Event, Flow, Handle, Kind, Resource, copy_of, current,
};
use crate::pool::Lane;
use crate::sys;
use crate::task::job::{Ended, JobOwner};
use crate::task::{coop, keep};

handle_type! {
    /// Looks at a file at intervals, and tells when it is not as it was.
    ///
    /// [`FsEvent`](super::FsEvent) is told by the system, so it costs nothing while nothing happens;
    /// this one works for every file system, those of networks included.
    ///
    /// The first look that finds the file is silent: it is what the next one is compared with. An error,
    /// such as `NotFound`, is told once until another comes; that the file is back is told.
    ///
    /// A callback, by [`start`](Self::start), makes the loop hold the handle until it is stopped. For
    /// tasks there is [`watch`](Self::watch) with [`changed`](Self::changed). Unreferenced it lets the
    /// loop end in the middle of a look too, which may take long where a network is slow.
    ///
    /// # Ordering
    /// In the poll phase, as all that the pool does. The looks themselves begin in the timers phase.
    ///
    /// # Examples
    /// ```
    /// use runtime::{handle::FsPoll, ms};
    ///
    /// #[runtime::main]
    /// fn main() -> std::io::Result<()> {
    ///     FsPoll::new().start("no such file", ms(100), |poll, change| {
    ///         println!("{}", change.unwrap_err());
    ///         poll.close();
    ///     })
    /// }
    /// ```
    FsPoll, Inner
}

/// What an [`FsPoll`] found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatChange {
    /// What it found before; `None` if the file was never there.
    pub previous: Option<Metadata>,
    /// What it found now.
    pub current: Metadata,
}

type OnChange = dyn FnMut(&FsPoll, io::Result<StatChange>) -> Result;

pub(crate) struct Inner {
    handle: Handle,
    callback: CallbackSlot<OnChange>,
    calls_back: Cell<bool>,
    /// While it is started.
    looking: Guarded<Option<Looking>>,
    /// The stat that is in the pool.
    job: Cell<Option<Key>>,
    deadline: Cell<Option<Key>>,
    /// For tasks: what none has taken.
    news: Guarded<Option<io::Result<StatChange>>>,
    readers: Wakers,
}

struct Looking {
    /// As it was given.
    shown: PathBuf,
    /// Absolute: the file stays the same if the process changes its directory.
    path: Arc<Path>,
    interval_ns: u64,
    /// When the last look began.
    begun_ns: u64,
    found: Option<Metadata>,
    /// What the last look failed with.
    error: Option<io::Error>,
}

impl FsPoll {
    /// One on the current loop, not started.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it panics where there is no loop")]
    pub fn new() -> Self {
        Self(Handle::make(&current(), Kind::FsPoll, |handle| Inner {
            handle,
            callback: CallbackSlot::default(),
            calls_back: Cell::new(false),
            looking: Guarded::default(),
            job: Cell::new(None),
            deadline: Cell::new(None),
            news: Guarded::default(),
            readers: Wakers::default(),
        }))
    }

    /// Looks at `path` now and then every `interval`, and calls `f` if something changed: size, times
    /// but that of access, mode, owner, or which file it is. Links are followed. A relative path is that
    /// of the directory the process is in now.
    ///
    /// Less than 1 ms is 1 ms. The interval counts from the beginning of a look to that of the next; a
    /// look that takes longer leaves out the beats it missed.
    ///
    /// # Errors
    /// `EALREADY` if it is started already, which goes on (libuv ignores the call silently). If the
    /// handle is closed, or the loop is gone. What the looks meet is told to `f`.
    pub fn start<R: Outcome>(
        &self,
        path: impl AsRef<Path>,
        interval: Duration,
        mut f: impl FnMut(&FsPoll, io::Result<StatChange>) -> R + 'static,
    ) -> io::Result<()> {
        self.0.start(path.as_ref(), interval)?;
        self.0.calls_back.set(true);
        let callback = Box::new(move |poll: &_, change| f(poll, change).into_result());
        drop(self.0.callback.set(callback));
        self.0.update();
        Ok(())
    }

    /// Begins to look at `path` for tasks, which take what is found by [`changed`](Self::changed). The
    /// loop does not hold the handle: it ends with its last owner.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn watch(&self, path: impl AsRef<Path>, interval: Duration) -> io::Result<()> {
        self.0.start(path.as_ref(), interval)
    }

    /// Waits for the next change. What no task took in time is merged with what comes: `previous` is
    /// what the last change that was taken ended with.
    ///
    /// # Errors
    /// What a look failed with; `InvalidInput` if nothing is looked at; `EALREADY` while a callback
    /// gets the changes; [`Closed`](crate::Closed); [`LoopGone`](crate::LoopGone).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn changed(&self) -> io::Result<StatChange> {
        struct Reader<'a>(&'a Inner, Option<Waiter>);
        impl Drop for Reader<'_> {
            fn drop(&mut self) {
                if self.1.take().is_some_and(|waiter| self.0.readers.unregister(waiter)) {
                    self.0.update();
                }
            }
        }
        let mut reader = Reader(&self.0, None);
        poll_fn(|cx| {
            let Reader(inner, waiter) = &mut reader;
            inner.poll_changed(cx, waiter)
        })
        .await
    }

    /// Stops looking, and drops the callback. A look that is under way is not told.
    pub fn stop(&self) {
        if !self.is_closing() {
            self.0.rest();
            let (callback, news) = (self.0.callback.clear(), self.0.news.take());
            self.0.update();
            self.0.readers.wake();
            drop((callback, news));
        }
    }

    /// The path that is looked at, as it was given; `None` if it is not started.
    pub fn path(&self) -> Option<PathBuf> {
        self.0.looking.with(|looking| looking.as_ref().map(|looking| looking.shown.clone()))
    }
}

impl Inner {
    fn start(self: &Rc<Self>, path: &Path, interval: Duration) -> io::Result<()> {
        self.handle.check_open()?;
        if self.looking.with(|looking| looking.is_some()) {
            return Err(sys::already());
        }
        let looking = Looking {
            // What has no absolute path, as an empty one, is not found by the first look.
            path: std::path::absolute(path).map_or(path.into(), Into::into),
            shown: path.to_owned(),
            interval_ns: saturating_ns(interval).max(NS_PER_MS),
            begun_ns: 0,
            found: None,
            error: None,
        };
        self.looking.with(|slot| *slot = Some(looking));
        self.look();
        Ok(())
    }

    /// Brings the liveness in line: a callback keeps the loop alive, and so does a task that waits.
    fn update(&self) {
        self.handle.set_active(self.calls_back.get() || !self.readers.is_empty());
        self.handle.hold(self.calls_back.get());
    }

    /// Ends what is under way.
    fn rest(&self) {
        let looking = self.looking.with(|looking| looking.take());
        drop(looking);
        self.calls_back.set(false);
        let state = self.handle.state();
        if let Some(key) = self.deadline.take() {
            state.disarm(key);
        }
        if let Some(key) = self.job.take() {
            state.refuse_job(key);
        }
    }

    /// Asks the pool what is at the path.
    fn look(self: &Rc<Self>) {
        let state = self.handle.state();
        let now = state.now_ns();
        let path = self.looking.with(|looking| {
            looking.as_mut().map(|looking| {
                looking.begun_ns = now;
                looking.path.clone()
            })
        });
        let Some(path) = path else { return };
        let stat = move || std::fs::metadata(path);
        let key = state.submit(Lane::Fast, Carried::ForHandle, stat);
        self.job.set(Some(key));
        // Weak: one that nobody holds any more ends, and its question with it.
        let inner = Rc::downgrade(self);
        state.on_job_end(
            key,
            InlineFn::new(move |ended: Ended| match inner.upgrade() {
                Some(inner) => inner.looked(ended),
                None => Ok(()),
            }),
        );
    }

    /// The pool has answered.
    fn looked(self: Rc<Self>, ended: Ended) -> Result {
        self.job.set(None);
        let found = ended.result().unwrap_or_else(|undone| Err(undone.into()));
        let change = self.looking.with(|looking| looking.as_mut()?.compare(found));
        // Before the callback, which may stop it.
        self.wait();
        match change {
            Some(change) => self.tell(change),
            None => Ok(()),
        }
    }

    /// Waits for the next multiple of the interval.
    fn wait(&self) {
        let state = self.handle.state();
        let now = state.now_ns();
        let deadline = self.looking.with(|looking| {
            let Looking { interval_ns, begun_ns, .. } = looking.as_ref()?;
            Some(now.saturating_add(interval_ns - (now - begun_ns) % interval_ns))
        });
        if let Some(deadline) = deadline {
            self.deadline.set(Some(state.arm(deadline, self.handle.slot())));
        }
    }

    fn tell(self: Rc<Self>, change: io::Result<StatChange>) -> Result {
        if !self.calls_back.get() {
            let former = self.news.with(|news| {
                let merged = merge(news.take(), change);
                news.replace(merged)
            });
            drop(former);
            self.readers.wake();
            self.update();
            return Ok(());
        }
        let poll = FsPoll(self);
        let Some(mut callback) = poll.0.callback.take() else { return Ok(()) };
        callback(&poll, change)
    }

    fn poll_changed(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
    ) -> Poll<io::Result<StatChange>> {
        self.handle.check_open()?;
        if self.calls_back.get() {
            return Poll::Ready(Err(sys::already()));
        }
        std::task::ready!(coop::poll_proceed(cx));
        if let Some(change) = self.news.take() {
            return Poll::Ready(change);
        }
        if self.looking.with(|looking| looking.is_none()) {
            let message = "nothing is looked at: `watch` was not called, or it was stopped since";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        coop::made_no_progress();
        self.readers.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }
}

impl Looking {
    /// What there is to tell after a look.
    fn compare(&mut self, found: io::Result<Metadata>) -> Option<io::Result<StatChange>> {
        let current = match found {
            Ok(current) => current,
            Err(error) => {
                let is_new = self.error.as_ref().is_none_or(|former| !is_same(former, &error));
                let told = is_new.then(|| Err(copy_of(&error)));
                self.error = Some(error);
                return told;
            }
        };
        let was_away = self.error.take().is_some();
        let previous = self.found.replace(current.clone());
        let is_told = match &previous {
            Some(previous) => was_away || !sys::is_same_file_state(previous, &current),
            None => was_away,
        };
        is_told.then_some(Ok(StatChange { previous, current }))
    }
}

fn is_same(one: &io::Error, other: &io::Error) -> bool {
    (one.raw_os_error(), one.kind()) == (other.raw_os_error(), other.kind())
}

/// What is told if nobody took `earlier` before `later` came.
fn merge(
    earlier: Option<io::Result<StatChange>>,
    mut later: io::Result<StatChange>,
) -> io::Result<StatChange> {
    if let (Some(Ok(earlier)), Ok(later)) = (earlier, &mut later) {
        later.previous = earlier.previous;
    }
    later
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, _: Event, _: &mut Dispatcher<'_>) -> Flow {
        self.deadline.set(None);
        self.look();
        Ok(())
    }

    fn release(&self) {
        self.rest();
        self.readers.wake();
    }

    fn discard(&self) {
        drop((self.callback.clear(), self.news.take()));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.rest();
    }
}
