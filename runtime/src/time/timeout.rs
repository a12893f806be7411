//! A limit on how long a future may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::{Sleep, sleep};
use crate::error::Elapsed;

/// Awaits `future`, for `limit` at most.
///
/// The future is polled first: one that is ready wins over a limit of zero.
///
/// # Errors
/// [`Elapsed`] when the time is up. The future is dropped with the [`Timeout`]; what that means is said
/// by its own documentation.
///
/// # Panics
/// If polled where there is no current loop.
///
/// # Examples
/// ```
/// use runtime::{ms, time::{sleep, timeout}};
///
/// #[runtime::main]
/// async fn main() {
///     assert!(timeout(ms(2), sleep(ms(2000))).await.is_err());
/// }
/// ```
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit) }
}

pin_project! {
    /// The future of [`timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.sleep.poll(cx).map(|()| Err(Elapsed))
    }
}
