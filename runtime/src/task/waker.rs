//! The main future's waker, in two editions: one is counted, the other not.
//!
//! A main that waits while nothing else is alive is stuck, unless somebody can still wake it. Who
//! could is told by the counted waker: it is the one that main's poll is given, so a foreign
//! channel or thread that keeps a clone shows in its count. Futures of this crate keep the other
//! one: what they wait for keeps the loop alive by itself.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::home;
use super::mail::{self, Mail};

/// Both wakers of one main future.
#[derive(Debug)]
pub(crate) struct MainWaker {
    target: Arc<Counted>,
    counted: Waker,
    uncounted: Waker,
}

#[derive(Debug)]
struct Counted(u64);

#[derive(Debug)]
struct Uncounted(u64);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        wake_main(self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake_main(self.0);
    }
}

impl Wake for Uncounted {
    fn wake(self: Arc<Self>) {
        wake_main(self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake_main(self.0);
    }
}

fn wake_main(loop_id: u64) {
    match home::executor(loop_id) {
        Some(executor) => executor.wake_main(),
        // A loop that is gone has no main to wake.
        None => drop(mail::send(loop_id, Mail::WakeMain)),
    }
}

thread_local! {
    /// Whether main is being polled: nearly always it is not, and then nobody looks at `MAIN`.
    static IS_POLLED: Cell<bool> = const { Cell::new(false) };
    /// The uncounted twin of the counted waker that is being polled with, if it is main's.
    static MAIN: crate::base::Guarded<Option<(Waker, Waker)>> =
        const { crate::base::Guarded::new(None) };
}

impl MainWaker {
    pub(crate) fn new(loop_id: u64) -> Self {
        let target = Arc::new(Counted(loop_id));
        let counted = Waker::from(target.clone());
        let uncounted = Waker::from(Arc::new(Uncounted(loop_id)));
        Self { target, counted, uncounted }
    }

    /// Runs `poll` with the counted waker, so that [`keep`] finds its twin.
    pub(crate) fn poll<R>(&self, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        struct Restore(Option<(Waker, Waker)>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let previous = self.0.take();
                IS_POLLED.set(previous.is_some());
                drop(MAIN.with(|main| main.with(|main| std::mem::replace(main, previous))));
            }
        }
        let pair = (self.counted.clone(), self.uncounted.clone());
        IS_POLLED.set(true);
        let _restore = Restore(MAIN.with(|main| main.with(|main| main.replace(pair))));
        poll(&mut Context::from_waker(&self.counted))
    }

    /// Whether anybody but the loop has a clone of the counted waker. Not to be asked in a poll.
    pub(crate) fn is_held(&self) -> bool {
        // `target` itself and the waker `counted`.
        Arc::strong_count(&self.target) > 2
    }
}

/// The waker that a future of this crate keeps: main's uncounted one, else a clone of the task's.
#[inline]
pub(crate) fn keep(cx: &Context<'_>) -> Waker {
    if IS_POLLED.get() { keep_beside_main(cx) } else { cx.waker().clone() }
}

fn keep_beside_main(cx: &Context<'_>) -> Waker {
    let pair = MAIN.with(|main| main.with(|main| main.clone()));
    match pair {
        Some((counted, uncounted)) if counted.will_wake(cx.waker()) => uncounted,
        _ => cx.waker().clone(),
    }
}
