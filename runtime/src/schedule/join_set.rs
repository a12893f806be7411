//! `JoinSet`: tasks and jobs that are joined as they end.
//!
//! ```text
//!   spawn ──▶ members: [ handle | handle | handle ]           the end of one wakes with its key
//!                           ▲                                         │
//!   join_next ◀── key ──────┴──────── ended: [ key | key ] ◀──────────┘ and wakes who joins
//! ```
//!
//! A member is asked twice in its life: when it comes in, and when it has ended.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use futures_core::Stream;
use parking_lot::Mutex;

use super::spawn;
use crate::base::{Arena, Guarded, Key};
use crate::error::{JoinError, Outcome, Uncaught};
use crate::event_loop::current;
use crate::handle::Waiter;
use crate::request::spawn_blocking;
use crate::task::{JoinHandle, coop};

/// Tasks of the loop and jobs of the pool, joined in the order in which they end.
///
/// Dropping it aborts all that are not done, as [`JoinHandle::abort`] does: a task's future is dropped at its
/// next turn; a job that has begun is carried out. [`detach_all`](Self::detach_all) lets them go on.
///
/// All methods take `&self`, so a set in an `Rc` may be spawned into by its own tasks, be joined by several,
/// and be dropped by one of them. Each call takes the same time however many there are, but for
/// [`abort_all`](Self::abort_all) and those that end the set.
///
/// # Ordering
/// Results come in the order of the ends. A task that joins goes on in a microtask that is queued when a task
/// of the set ends; a job ends in the poll phase. Tasks begin as [`spawn`](crate::spawn) says, jobs as
/// [`spawn_blocking`](crate::spawn_blocking) does.
///
/// # Liveness
/// The set keeps nothing alive: what its tasks wait for does, and a job until it is done.
///
/// # Examples
/// ```
/// use runtime::{JoinSet, ms, time::sleep};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let naps = JoinSet::new();
///     for n in [3, 1, 2] {
///         naps.spawn(async move {
///             sleep(ms(n)).await;
///             n
///         });
///     }
///     while let Some(n) = naps.join_next().await {
///         println!("{}", n?); // 1, 2, 3
///     }
///     Ok(())
/// }
/// ```
pub struct JoinSet<T: 'static> {
    members: Guarded<Arena<Member<T>>>,
    ended: Arc<Mutex<Ended>>,
}

/// `None`: made on a loop that is gone, it was cancelled at once; or just being aborted.
type Member<T> = Option<JoinHandle<T>>;

/// Which members have ended and were not joined, in order; and who waits for that.
#[derive(Default)]
struct Ended {
    keys: VecDeque<Key>,
    joiners: Vec<Waker>,
}

/// What the end of a member wakes, once. That is on the loop's thread, which a waker can't promise: so there
/// is a lock, which nobody ever waits for.
struct OnEnd {
    key: Key,
    ended: Arc<Mutex<Ended>>,
}

impl Wake for OnEnd {
    fn wake(self: Arc<Self>) {
        self.ended.lock().keys.push_back(self.key);
        wake_joiners(&self.ended);
    }
}

fn wake_joiners(ended: &Mutex<Ended>) {
    // Foreign wakers: the lock is free by then.
    let joiners = std::mem::take(&mut ended.lock().joiners);
    joiners.into_iter().for_each(Waker::wake);
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { members: Guarded::default(), ended: Arc::default() }
    }

    /// Runs `future` as a task of the current loop, as [`spawn`](crate::spawn) does.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn(&self, future: impl Future<Output = T> + 'static) {
        self.insert(spawn(future));
    }

    /// Runs `job` on a thread of the pool, as [`spawn_blocking`](crate::spawn_blocking) does.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn_blocking(&self, job: impl FnOnce() -> T + Send + 'static)
    where
        T: Send,
    {
        self.insert(spawn_blocking(job));
    }

    fn insert(&self, mut handle: JoinHandle<T>) {
        let key = self.members.with(|members| members.next_key());
        let on_end = Arc::new(OnEnd { key, ended: self.ended.clone() });
        let waker = Waker::from(on_end.clone());
        // It is new, so nobody's waker is dropped by this: nothing can come between the two lines with the key.
        let is_over = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_ready();
        let inserted = self.members.with(|members| members.insert((!is_over).then_some(handle)));
        debug_assert_eq!(inserted, key, "its end tells this one");
        if is_over {
            on_end.wake();
        }
    }

    /// The result of the next one that ends, in the order of the ends; `None` if the set is empty.
    ///
    /// Several may wait: each result goes to one of them.
    ///
    /// # Errors
    /// Within the result: [`JoinError::Cancelled`] if it was aborted, [`JoinError::Panicked`] if it panicked.
    ///
    /// # Cancel safety
    /// Nothing is lost: a result that was not given is there for the next call.
    pub async fn join_next(&self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    fn poll_join_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        ready!(coop::poll_proceed(cx));
        if let Some(result) = self.try_join_next() {
            return Poll::Ready(Some(result));
        }
        if self.is_empty() {
            return Poll::Ready(None);
        }
        coop::made_no_progress();
        // Counted, if it is main's: a task may wait for what another thread does.
        let waker = cx.waker().clone();
        let spare = {
            let joiners = &mut self.ended.lock().joiners;
            if joiners.iter().any(|known| known.will_wake(&waker)) {
                Some(waker)
            } else {
                joiners.push(waker);
                None
            }
        };
        drop(spare);
        Poll::Pending
    }

    /// The result of one that has ended, if there is one: `None` if none has, or the set is empty. Never
    /// waits.
    pub fn try_join_next(&self) -> Option<Result<T, JoinError>> {
        loop {
            let key = self.ended.lock().keys.pop_front()?;
            // Not there if it was detached.
            let Some(member) = self.members.with(|members| members.remove(key)) else { continue };
            let Some(mut handle) = member else { return Some(Err(JoinError::Cancelled)) };
            match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => return Some(result),
                Poll::Pending => unreachable!("it is woken when it ends"),
            }
        }
    }

    /// Calls `f` with each result from now on; with `None` for the last time, when the set is empty. Never from
    /// inside this call. The set goes to the loop; `f` is lent it, and may spawn more.
    ///
    /// The [`Waiter`] is made unreferenced: it keeps the loop alive no more than the tasks do. Closing it
    /// drops the set, in the closing phase, which aborts what is left.
    ///
    /// # Ordering
    /// Each call is a callback of the poll phase, followed by a checkpoint; at most 128 a turn: see
    /// [`Waiter`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::JoinSet;
    ///
    /// #[runtime::main]
    /// fn main() {
    ///     let sums = JoinSet::new();
    ///     for n in 1..=3u64 {
    ///         sums.spawn_blocking(move || (0..n * 1_000_000).sum::<u64>());
    ///     }
    ///     sums.join_start(|_, sum| match sum {
    ///         Some(sum) => println!("{sum:?}"),
    ///         None => println!("that was the last one"),
    ///     });
    /// }
    /// ```
    #[track_caller]
    pub fn join_start<R: Outcome>(
        self,
        mut f: impl FnMut(&Self, Option<Result<T, JoinError>>) -> R + 'static,
    ) -> Waiter {
        let waiter = Waiter::by_step(move |cx, waiter| {
            self.poll_join_next(cx).map(|result| {
                if result.is_none() {
                    waiter.end();
                }
                f(&self, result).into_result()
            })
        });
        waiter.unref();
        waiter
    }

    /// Aborts all that are in the set now. They stay in it: their results, [`JoinError::Cancelled`] of those
    /// that were not done, are still to be joined.
    pub fn abort_all(&self) {
        let keys: Vec<Key> =
            self.members.with(|members| members.iter().map(|(key, _)| key).collect());
        for key in keys {
            let aborted = Aborting::take(self, key);
            // A job that has not begun is dropped by this, which is foreign code.
            aborted.handle.iter().for_each(JoinHandle::abort);
        }
    }

    /// Empties the set. What is not done goes on, as if its [`JoinHandle`] were dropped; results that were
    /// not joined are dropped.
    pub fn detach_all(&self) {
        let detached: Vec<_> = self.members.with(|members| {
            let keys: Vec<Key> = members.iter().map(|(key, _)| key).collect();
            keys.into_iter().map(|key| members.remove(key)).collect()
        });
        self.ended.lock().keys.clear();
        wake_joiners(&self.ended);
        drop(detached);
    }

    /// Aborts all, and waits until they have ended: jobs that have begun too, which can't be aborted. Their
    /// results are dropped, but a panic goes to [`on_unhandled`](crate::on_unhandled).
    ///
    /// # Cancel safety
    /// Nothing is lost but the results: the rest of the set can be joined.
    pub async fn shutdown(&self) {
        self.abort_all();
        while let Some(result) = self.join_next().await {
            if let Err(JoinError::Panicked(payload)) = result {
                current().state().executor.report(Uncaught::Panic(payload));
            }
        }
    }

    /// How many are in the set: those that go on, and those that have ended and were not joined.
    pub fn len(&self) -> usize {
        self.members.with(|members| members.len())
    }

    /// Whether there is nothing to join, now or later.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A member that is out of its place while it is aborted. It goes back, by a panic too, unless the set let
/// go of it meanwhile.
struct Aborting<'a, T: 'static> {
    set: &'a JoinSet<T>,
    key: Key,
    handle: Member<T>,
}

impl<'a, T: 'static> Aborting<'a, T> {
    fn take(set: &'a JoinSet<T>, key: Key) -> Self {
        let handle = set.members.with(|members| members.get_mut(key).and_then(Option::take));
        Self { set, key, handle }
    }
}

impl<T: 'static> Drop for Aborting<'_, T> {
    fn drop(&mut self) {
        let handle = self.handle.take();
        let let_go = self.set.members.with(|members| match members.get_mut(self.key) {
            Some(place) => std::mem::replace(place, handle),
            None => handle,
        });
        drop(let_go);
    }
}

impl<T: 'static> Drop for JoinSet<T> {
    fn drop(&mut self) {
        // All of them first: if the drop of one panics, the others are aborted all the same.
        let members = self.members.take().into_values().flatten();
        drop(members.map(JoinHandle::abort_on_drop).collect::<Vec<_>>());
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> Stream for JoinSet<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_join_next(cx)
    }
}

impl<T: 'static> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}
