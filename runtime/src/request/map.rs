//! `Pool::map`: one closure for many items, shared among the threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::error::{JoinError, Uncaught};
use crate::event_loop::current;
use crate::pool::Pool;
use crate::task::JoinHandle;

impl Pool {
    /// Calls `f` with each of the items, on the threads of the pool, and gives the results in the order of
    /// the items.
    ///
    /// The items are cut into as many chunks as the pool has threads, of the same length, and each chunk is
    /// one job. Where some items take much longer than others, smaller chunks share the work better: see
    /// [`map_chunks`](Self::map_chunks).
    ///
    /// - A panic of `f` is the handle's [`JoinError::Panicked`], the first one if there are several. No
    ///   other item is begun after it.
    /// - [`abort`](JoinHandle::abort), and the drop of a handle with
    ///   [`abort_on_drop`](JoinHandle::abort_on_drop), drop what is queued, and begin no other item.
    /// - A handle that is dropped lets the work go on.
    ///
    /// Items, results and `f` are owned: a version that borrows from its caller can't be made safe, since a
    /// future may be forgotten while the jobs go on with what it borrowed. Where blocking the loop is
    /// acceptable `std::thread::scope` borrows; else share by `Arc`.
    ///
    /// # Ordering
    /// The jobs stand in the lane of [`spawn_blocking`](Self::spawn_blocking), one behind the other. The
    /// result is told as that of a task: see [`JoinHandle::callback`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Examples
    /// ```
    /// use runtime::Pool;
    ///
    /// #[runtime::main]
    /// async fn main() -> runtime::Result {
    ///     let squares = Pool::shared().map((1..=5).collect(), |n: u64| n * n).await?;
    ///     assert_eq!(squares, [1, 4, 9, 16, 25]);
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn map<T, R>(
        &self,
        items: Vec<T>,
        f: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> JoinHandle<Vec<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let chunk_len = items.len().div_ceil(self.threads());
        self.map_chunks(chunk_len, items, f)
    }

    /// As [`map`](Self::map), with chunks of `chunk_len` items; 0 becomes 1.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn map_chunks<T, R>(
        &self,
        chunk_len: usize,
        items: Vec<T>,
        f: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> JoinHandle<Vec<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (chunk_len, count) = (chunk_len.max(1), items.len());
        let work = Arc::new(Work { f, is_over: AtomicBool::new(false), panic: Mutex::default() });
        let mut items = items.into_iter();
        let jobs: Vec<_> = (0..count.div_ceil(chunk_len))
            .map(|_| {
                let chunk: Vec<T> = items.by_ref().take(chunk_len).collect();
                let work = work.clone();
                self.spawn_blocking(move || work.run(chunk)).abort_on_drop()
            })
            .collect();
        let end = EndOnDrop(work);
        current().spawn(async move {
            match end.0.gather(count, jobs).await {
                Ok(results) => results,
                Err(payload) => resume_unwind(payload),
            }
        })
    }
}

/// Ends the jobs that are left, before the first panic goes on: with the items of those that have not begun user
/// code is dropped, which may panic too, and two panics at a time would end the process.
fn end_all<T>(jobs: impl Iterator<Item = JoinHandle<T>>) {
    for job in jobs {
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(job))) {
            current().state().executor.report(Uncaught::Panic(another));
        }
    }
}

/// What a panic unwinds with.
type Payload = Box<dyn Any + Send>;

/// What the jobs of one `map` share.
struct Work<F> {
    f: F,
    /// No further item is begun.
    is_over: AtomicBool,
    /// The first one.
    panic: Mutex<Option<Payload>>,
}

/// The rest of the work was not done, as nobody would have its result.
struct Skipped;

impl<F> Work<F> {
    /// One job.
    fn run<T, R>(&self, chunk: Vec<T>) -> Result<Vec<R>, Skipped>
    where
        F: Fn(T) -> R,
    {
        let mut results = Vec::with_capacity(chunk.len());
        for item in chunk {
            if self.is_over.load(Relaxed) {
                return Err(Skipped);
            }
            match catch_unwind(AssertUnwindSafe(|| (self.f)(item))) {
                Ok(result) => results.push(result),
                Err(payload) => {
                    drop(self.end_by(payload));
                    return Err(Skipped);
                }
            }
        }
        Ok(results)
    }

    /// The work ends by a panic; gives the payload back if it is not the first.
    fn end_by(&self, payload: Payload) -> Option<Payload> {
        let mut first = self.panic.lock();
        // Under the lock: whoever skips the rest because of it, and asks for the panic, finds it there.
        self.is_over.store(true, Relaxed);
        if first.is_none() { first.replace(payload) } else { Some(payload) }
    }

    /// The results of all jobs, in their order; or the first panic, as soon as a job that began before it
    /// has noticed.
    async fn gather<R>(
        &self,
        count: usize,
        jobs: Vec<JoinHandle<Result<Vec<R>, Skipped>>>,
    ) -> Result<Vec<R>, Payload> {
        let mut results = Vec::with_capacity(count);
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let payload = match job.await {
                Ok(Ok(chunk)) => {
                    results.extend(chunk);
                    continue;
                }
                Ok(Err(Skipped)) => self.take_panic(),
                // A drop of an item or result that panicked.
                Err(JoinError::Panicked(payload)) => payload,
                Err(JoinError::Cancelled) => Box::new("the loop is gone"),
            };
            end_all(jobs);
            return Err(payload);
        }
        Ok(results)
    }

    fn take_panic(&self) -> Payload {
        self.panic.lock().take().expect("only a panic ends the work while somebody waits")
    }
}

/// Ends the work with the task that waits for it.
struct EndOnDrop<F>(Arc<Work<F>>);

impl<F> Drop for EndOnDrop<F> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Relaxed);
    }
}
