//! A reference to a loop, for its own thread.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::resource::Resource;
use super::{Entered, Handle, Metrics, Remote, State};
use crate::base::Instant;
use crate::pool::Pool;

/// A cheap reference to a loop, for the loop's own thread. Every handle carries one.
///
/// It does not keep the loop: on a loop that is gone what could fail fails with
/// [`LoopGone`](crate::LoopGone), and what can't (`set_timeout`, `next_tick`) does nothing.
#[derive(Clone)]
pub struct LoopRef(Rc<State>);

impl LoopRef {
    pub(crate) fn new(state: Rc<State>) -> Self {
        Self(state)
    }

    #[inline]
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.0
    }

    /// Makes this the current loop of the thread until the guard is dropped. The guard is owned, so
    /// that [`Loop::run`](crate::Loop::run) can be called meanwhile.
    ///
    /// Guards may be nested, and should be dropped in the reverse order.
    #[inline]
    pub fn enter(&self) -> Entered {
        Entered::new(self)
    }

    /// An end that other threads can hold.
    pub fn remote(&self) -> Remote {
        Remote::new(self.0.sending.clone())
    }

    /// Lets `run` return after this iteration; the next `run` goes on. Called outside of a run, it
    /// makes the next one return at once.
    ///
    /// It does not wake a loop that waits: on another thread, post a closure that stops it.
    pub fn stop(&self) {
        self.0.stop.set(true);
    }

    /// Whether a run would go on: a referenced handle is active, a request is in flight, something is
    /// pending, closing or deferred, or the main future is not done.
    pub fn is_alive(&self) -> bool {
        self.0.is_open() && (self.0.is_alive() || self.0.progress.is_interrupted())
    }

    /// The loop's cached time: that of the last wait, or of the last timer that was set.
    pub fn now(&self) -> Instant {
        Instant::from_ns(self.0.now_ns())
    }

    /// Reads the clock, so that [`now`](Self::now), and a [`Timer`](crate::handle::Timer) started
    /// next, count from this moment. For use after work that took long.
    pub fn update_time(&self) {
        self.0.update_time();
    }

    pub(crate) fn fresh_now(&self) -> Instant {
        self.0.fresh_now()
    }

    /// Calls `f` with every handle of the loop, in the order they were made: active, inactive and
    /// closing ones, these until their close callback runs. `f` is called from inside this call, and
    /// may close what it sees.
    pub fn walk(&self, mut f: impl FnMut(&Handle)) {
        for resource in self.0.registry.all() {
            let handle = Resource::handle(&*resource);
            if !handle.is_closed() {
                f(handle);
            }
        }
    }

    /// A descriptor that becomes readable when the loop has something to do, to embed it in another
    /// loop: wait for it, [`backend_timeout`](Self::backend_timeout) at most, then call
    /// [`run_nowait`](crate::Loop::run_nowait), again and again until that says that nothing is alive.
    ///
    /// The timeout belongs to it, also where the outer loop is woken by the descriptor alone: ask after each
    /// run, before the wait. Who waits without having asked may miss what another thread sent during that
    /// run.
    ///
    /// It is readable as long as something is ready, so the outer loop should watch it by level. One that is
    /// told of changes only, as `mio` is, has to turn this one until the descriptor is not readable.
    ///
    /// The other way round, a [`Poll`](crate::handle::Poll) on the descriptor of another loop and a
    /// [`Timer`](crate::handle::Timer) for its timeout let that run inside of this one. The examples
    /// `embed_in_foreign_loop` and `foreign_loop_inside` show both.
    ///
    /// # Platform notes
    /// On Windows there is none.
    #[cfg(all(unix, not(polling_test_poll_backend)))]
    pub fn backend_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.poller.as_fd()
    }

    /// How long an embedder may wait for [`backend_fd`](Self::backend_fd): zero if there is something
    /// to do now or nothing is alive, `None` if nothing but an event will come. In whole milliseconds,
    /// rounded up. It holds until something is started on this loop.
    pub fn backend_timeout(&self) -> Option<Duration> {
        self.0.poller.wakeup().expect_a_wait();
        if self.0.progress.is_interrupted() { Some(Duration::ZERO) } else { self.0.poll_timeout() }
    }

    /// Counts since the loop was made.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            iterations: self.0.iterations.get(),
            events: self.0.events.get(),
            deferrals: self.0.executor.deferrals(),
            tasks: self.0.executor.tasks(),
            handles: self.0.registry.len(),
            jobs: self.0.jobs.under_way(),
        }
    }

    /// The pool that the loop's files, names and `spawn_blocking` go to: that of the process, or what the
    /// [`Builder`](crate::Builder::pool) was told.
    pub fn pool(&self) -> Pool {
        self.0.pool().clone()
    }

    /// Why new work can't be accepted.
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.0.is_dead() { Err(crate::error::LoopGone.into()) } else { Ok(()) }
    }
}

impl PartialEq for LoopRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LoopRef {}

impl fmt::Debug for LoopRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopRef").field("id", &self.0.id).finish_non_exhaustive()
    }
}
