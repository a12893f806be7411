//! `Semaphore`: a limit on how many do something at the same time.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::Wait;

/// A number of permits, which are taken and given back. Clones are one semaphore, on any thread.
///
/// # Ordering
/// Permits are given in the order in which the waits began: one that wants many holds up those behind it. A
/// task goes on in a microtask that is queued when the permit becomes free on its own thread, else in the
/// poll phase; a callback runs in the poll phase.
///
/// # Examples
/// Three downloads at a time:
/// ```
/// use runtime::{JoinSet, ms, sync::Semaphore, time::sleep};
///
/// #[runtime::main]
/// async fn main() {
///     let (limit, downloads) = (Semaphore::new(3), JoinSet::new());
///     for _ in 0..10 {
///         let limit = limit.clone();
///         downloads.spawn(async move {
///             let _permit = limit.acquire().await;
///             sleep(ms(1)).await;
///         });
///     }
///     while downloads.join_next().await.is_some() {}
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore(Arc<tokio::sync::Semaphore>);

impl Semaphore {
    /// The most permits there can be: 2^61 - 1 on a system of 64 bits.
    pub const MAX_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;

    /// A semaphore of `permits`, or of [`MAX_PERMITS`](Self::MAX_PERMITS) if those are more.
    pub fn new(permits: usize) -> Self {
        let permits = permits.min(Self::MAX_PERMITS);
        Self(Arc::new(tokio::sync::Semaphore::new(permits)))
    }

    /// Waits for a permit: await it, or give it a callback.
    ///
    /// # Cancel safety
    /// Nothing is lost: a permit that was on its way to a wait that is dropped goes to the next one. The
    /// place in the line is lost.
    pub fn acquire(&self) -> Wait<impl Future<Output = SemaphorePermit> + use<>> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits at once; as [`acquire`](Self::acquire) else. For ever, if there never are so
    /// many.
    pub fn acquire_many(&self, count: u32) -> Wait<impl Future<Output = SemaphorePermit> + use<>> {
        let acquiring = self.0.clone().acquire_many_owned(count);
        Wait::new(async { SemaphorePermit(acquiring.await.expect("it is never closed")) })
    }

    /// A permit, if one is free and nobody waits for it; never waits.
    pub fn try_acquire(&self) -> Option<SemaphorePermit> {
        self.try_acquire_many(1)
    }

    /// `count` permits at once, if so many are free; never waits.
    pub fn try_acquire_many(&self, count: u32) -> Option<SemaphorePermit> {
        self.0.clone().try_acquire_many_owned(count).ok().map(SemaphorePermit)
    }

    /// How many permits are free.
    pub fn available_permits(&self) -> usize {
        self.0.available_permits()
    }

    /// Adds permits to those there are.
    ///
    /// # Panics
    /// If that makes more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        self.0.add_permits(count);
    }
}

/// One or more permits of a [`Semaphore`], which get them back when this is dropped, on any thread.
#[derive(Debug)]
#[must_use = "permits are given back when this is dropped"]
pub struct SemaphorePermit(OwnedSemaphorePermit);

impl SemaphorePermit {
    /// How many they are.
    pub fn num_permits(&self) -> usize {
        self.0.num_permits()
    }

    /// Never gives them back: the semaphore has so many less.
    pub fn forget(self) {
        self.0.forget();
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<(Semaphore, SemaphorePermit)>();
};
