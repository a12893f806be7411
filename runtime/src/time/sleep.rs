//! Sleeping.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::base::clock::{NS_PER_MS, ms_up};
use crate::base::{Instant, Origin};
use crate::event_loop::{context, current};
use crate::schedule::TimerId;
use crate::task::{coop, keep};
use crate::timers::{Fired, Timer};

/// Waits for `duration`, counted from the first poll, in whole milliseconds, rounded up; 1 ms at least.
///
/// # Ordering
/// It is a timer among those of [`set_timeout`](crate::set_timeout): the task goes on in the drain
/// after it, after the ticks.
///
/// # Panics
/// If polled where there is no current loop.
///
/// # Cancel safety
/// Dropping it clears the timer.
///
/// # Examples
/// ```
/// use runtime::{ms, time::sleep};
///
/// #[runtime::main]
/// async fn main() {
///     sleep(ms(5)).await;
/// }
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { stage: Stage::New(Wait::For(duration)), origin: Origin::here() }
}

/// Waits until `deadline`; ready at once if that is past.
///
/// # Panics
/// If polled where there is no current loop.
///
/// # Cancel safety
/// Dropping it clears the timer.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(deadline, Origin::here())
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    stage: Stage,
    origin: Origin,
}

enum Stage {
    New(Wait),
    Armed(TimerId),
    Done,
}

#[derive(Clone, Copy)]
enum Wait {
    For(Duration),
    Until(Instant),
}

impl Sleep {
    /// [`sleep_until`], said to be from `origin`.
    pub(super) fn until(deadline: Instant, origin: Origin) -> Self {
        Self { stage: Stage::New(Wait::Until(deadline)), origin }
    }

    fn arm(&self, wait: Wait, cx: &Context<'_>) -> Stage {
        let lp = current();
        let ms = match wait {
            Wait::For(duration) => ms_up(duration).max(1),
            Wait::Until(deadline) => {
                // The list counts from the call, rounded up: what is asked for is the deadline.
                let start = lp.state().timer_start();
                match deadline.as_ns().div_ceil(NS_PER_MS).checked_sub(start) {
                    _ if deadline <= lp.fresh_now() => return Stage::Done,
                    None | Some(0) => 1,
                    Some(ms) => ms,
                }
            }
        };
        Stage::Armed(lp.insert_timer(Timer::once(Fired::Wake(keep(cx)), ms).from(self.origin)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        std::task::ready!(coop::poll_proceed(cx));
        match self.stage {
            Stage::New(wait) => self.stage = self.arm(wait, cx),
            Stage::Armed(id) if id.wake_instead(cx) => {}
            Stage::Armed(_) | Stage::Done => self.stage = Stage::Done,
        }
        if matches!(self.stage, Stage::Done) {
            return Poll::Ready(());
        }
        coop::made_no_progress();
        Poll::Pending
    }
}

impl TimerId {
    /// Lets the timer wake the task of `cx`; false if it has fired.
    fn wake_instead(self, cx: &Context<'_>) -> bool {
        let Some(lp) = context::find(self.loop_id()) else { return false };
        let waker = Fired::Wake(keep(cx));
        let (is_there, replaced) = lp
            .state()
            .lists
            .with(|lists| (lists.contains(self.key()), lists.replace_action(self.key(), waker)));
        drop(replaced);
        is_there
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Stage::Armed(id) = self.stage {
            id.clear();
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            Stage::New(_) => "Sleep(new)",
            Stage::Armed(_) => "Sleep(armed)",
            Stage::Done => "Sleep(done)",
        })
    }
}
