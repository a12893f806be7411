//! Who is told.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Listener, State};
use crate::base::InlineFn;
use crate::base::clock::ms_up;
use crate::error::{Aborted, Outcome};
use crate::event_loop::current;
use crate::task::keep;
use crate::timers::{Fired, Timer};

/// Says that what it was given to is no longer wanted: JavaScript's `AbortSignal`.
///
/// Clones are one signal, equal and of one hash.
///
/// # What an abort stops
/// A future is aborted by [`race`](Self::race), which drops it; a [`Request`](crate::Request) by its
/// [`abort_on`](crate::Request::abort_on), which also takes back what a drop would let be carried out.
/// Whoever waits is told at once, whatever goes on.
///
/// | operation | how | what is stopped | what goes on |
/// |---|---|---|---|
/// | `sleep`, `accept`, reads of streams and sockets: any future | `signal.race(future)` | it is dropped, and its timer or place with it | nothing |
/// | [`set_timeout`](crate::set_timeout), `set_interval`, an immediate | `signal.on_abort(move \|\| id.clear())` | it is cleared | nothing |
/// | a question to the pool: `fs::read`, `metadata`, a name looked up | `abort_on` | taken back if it has not begun; of many steps, it ends before the next one | the system's call that runs; the loop does not wait for it |
/// | an effect in the pool: `fs::write`, `rename` | `abort_on` | likewise | what runs; it keeps the loop alive until it is done |
/// | a connect: one address, several, a name, a path | `abort_on` | the sockets are closed, the lookup is given up | nothing; the peer may have seen it |
/// | a write, a send, a `shutdown` | `abort_on` | the wait | what was handed over is sent; `close` or `reset` ends it |
/// | [`io::pipe`](crate::io::pipe()) | `abort_on` | both sides are closed | what was written stays |
/// | a wait for a [signal](crate::signal) of the system | `abort_on` | the watcher is closed | nothing |
/// | [`Process::wait`](crate::process::Process::wait) | `abort_on` | the wait | the child |
/// | a child, its `output` and `status` | [`Command::abort_on`](crate::process::Command::abort_on) | the child is sent `SIGTERM`, or what was said | what does not heed it, until it ends |
/// | a task | [`JoinHandle::abort_on`](crate::JoinHandle::abort_on) | its future is dropped at its next turn | nothing |
/// | a job of `spawn_blocking` | `JoinHandle::abort_on`, with a [`flag`](Self::flag) | taken back if it has not begun; then it is up to the job | what does not look at the flag |
///
/// # Examples
/// A loop of steps that looks at the signal between them, and a wait that ends with it:
/// ```
/// use runtime::{ms, sync::{Aborted, AbortSignal}, time::sleep};
///
/// async fn work(signal: &AbortSignal) -> Result<(), Aborted> {
///     loop {
///         signal.check()?;
///         signal.race(sleep(ms(5))).await?;
///     }
/// }
///
/// #[runtime::main]
/// async fn main() {
///     assert_eq!(work(&AbortSignal::timeout(ms(20))).await, Err(Aborted));
/// }
/// ```
/// It stays on its thread:
/// ```compile_fail,E0277
/// fn send<T: Send>() {}
/// send::<runtime::sync::AbortSignal>();
/// ```
#[derive(Clone)]
pub struct AbortSignal(pub(super) Rc<State>);

impl AbortSignal {
    /// A signal that is aborted `delay` from now, in whole milliseconds, rounded up; 1 ms at least.
    ///
    /// The timer does not keep the loop alive. It is cleared when nobody can notice it any more: the last
    /// clone is gone, and there is no listener and nothing that follows the signal.
    ///
    /// # Ordering
    /// It is a timer among those of [`set_timeout`](crate::set_timeout), and the listeners are called in
    /// its place.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn timeout(delay: Duration) -> Self {
        let lp = current();
        Self(State::of_timer(|trigger| {
            let abort = move |()| {
                trigger.pull();
                Ok(())
            };
            lp.insert_timer(Timer::once(Fired::Once(InlineFn::new(abort)), ms_up(delay).max(1)))
                .unref()
        }))
    }

    /// A signal that is aborted as soon as one of `signals` is; aborted already if one of them is; never
    /// if there are none.
    ///
    /// It is no burden on a signal that lives longer: when it is aborted, or when it has no listeners and
    /// its last clone is gone, nothing of it stays there. Those that it follows may be dropped.
    ///
    /// # Examples
    /// ```
    /// use runtime::{ms, sync::{AbortController, AbortSignal}};
    ///
    /// #[runtime::main]
    /// async fn main() {
    ///     let shutdown = AbortController::new();
    ///     let signal = AbortSignal::any([&shutdown.signal(), &AbortSignal::timeout(ms(5))]);
    ///     signal.aborted().await;
    ///     assert!(!shutdown.signal().is_aborted());
    /// }
    /// ```
    pub fn any<'a>(signals: impl IntoIterator<Item = &'a AbortSignal>) -> Self {
        let followed: Vec<_> = signals.into_iter().map(|signal| signal.0.clone()).collect();
        Self(State::following(&followed))
    }

    /// Whether it is aborted. True from before the first listener is called.
    pub fn is_aborted(&self) -> bool {
        self.0.is_aborted()
    }

    /// JavaScript's `throwIfAborted`.
    ///
    /// # Errors
    /// [`Aborted`] if it is.
    pub fn check(&self) -> Result<(), Aborted> {
        if self.is_aborted() { Err(Aborted) } else { Ok(()) }
    }

    /// Calls `f` when the signal is aborted: from inside of
    /// [`abort`](super::AbortController::abort), which says in which order.
    ///
    /// On a signal that is aborted already `f` is dropped and never called, as in Node: ask
    /// [`check`](Self::check) before. Nothing can come between the two calls, since all happens on one
    /// thread; and so `f` is called in one place only, never from inside this call.
    ///
    /// The listener stays until it is called or [removed](AbortListener::remove), or until nobody can abort
    /// the signal any more; no clone of the signal need be kept for it. An `f` that owns the signal is no
    /// leak; one that owns the controller is, unless it aborts.
    ///
    /// # Examples
    /// ```
    /// use runtime::sync::AbortController;
    ///
    /// let controller = AbortController::new();
    /// controller.signal().on_abort(|| println!("aborted"));
    /// controller.abort();
    /// ```
    pub fn on_abort<R: Outcome>(&self, f: impl FnOnce() -> R + 'static) -> AbortListener {
        self.listen(Listener::Callback(Box::new(move || f().into_result())))
    }

    pub(super) fn listen(&self, listener: Listener) -> AbortListener {
        match self.0.listen(listener) {
            Some(number) => AbortListener { signal: Rc::downgrade(&self.0), number },
            None => AbortListener { signal: Weak::new(), number: 0 },
        }
    }

    /// Waits until the signal is aborted; ready at once if it is. For ever if it never will be.
    ///
    /// # Ordering
    /// The task has a place among the listeners, in the order of the first polls, and goes on in a
    /// microtask that is queued when its turn comes.
    ///
    /// # Cancel safety
    /// Nothing is lost; a dropped future leaves its place.
    pub async fn aborted(&self) {
        let mut waiting = Waiting::new(&self.0);
        poll_fn(|cx| waiting.poll(cx)).await;
    }

    /// Awaits `future`, until the signal is aborted.
    ///
    /// The signal is asked first: if it is aborted `future` is not polled. What becomes ready in a poll
    /// that itself aborts the signal still counts.
    ///
    /// # Errors
    /// [`Aborted`]; `future` is dropped by then.
    ///
    /// # Cancel safety
    /// That of `future`, which is dropped with this one. Being aborted is being dropped, too: if its
    /// documentation says that something is lost then, it is.
    pub async fn race<F: Future>(&self, future: F) -> Result<F::Output, Aborted> {
        let mut waiting = Waiting::new(&self.0);
        let mut future = pin!(future);
        poll_fn(|cx| {
            if self.is_aborted() {
                return Poll::Ready(Err(Aborted));
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            // Only now: a future that is ready costs no place in the line.
            waiting.poll(cx).map(|()| Err(Aborted))
        })
        .await
    }
}

impl PartialEq for AbortSignal {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AbortSignal {}

impl Hash for AbortSignal {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        Rc::as_ptr(&self.0).hash(hasher);
    }
}

impl fmt::Debug for AbortSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a callback that was given to [`AbortSignal::on_abort`]. Dropping it does nothing.
#[derive(Clone, Debug)]
pub struct AbortListener {
    signal: Weak<State>,
    number: u64,
}

impl AbortListener {
    /// Drops the callback, which will not be called, also if its signal is just being aborted. Nothing
    /// happens if it was called or is removed already.
    pub fn remove(&self) {
        if let Some(signal) = self.signal.upgrade() {
            signal.forget(self.number);
        }
    }
}

/// One future's place among the listeners.
struct Waiting<'a> {
    signal: &'a Rc<State>,
    number: Option<u64>,
}

impl<'a> Waiting<'a> {
    fn new(signal: &'a Rc<State>) -> Self {
        Self { signal, number: None }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.signal.is_aborted() {
            return Poll::Ready(());
        }
        let waker = keep(cx);
        match self.number {
            Some(number) => drop(self.signal.wake_instead(number, waker)),
            None => self.number = self.signal.listen(Listener::Task(waker)),
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.signal.forget(number);
        }
    }
}
