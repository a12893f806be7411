//! The wrapper round every spawned future: a panic in it ends the task and nothing else.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Executor;
use super::executor::Living;
use crate::error::Uncaught;

/// What `exit` unwinds with. It is no panic: who catches it passes it on.
#[derive(Debug)]
pub(crate) struct ExitPayload;

pin_project! {
    /// A user's future whose panics are caught: in `poll` they become the task's output, in a drop
    /// (where `async-task` would abort the process) they are reported as unhandled.
    pub(super) struct TaskFuture<F> {
        // Emptied under `catch_unwind`, both when it is done and when it is cancelled.
        #[pin]
        future: Option<F>,
        living: Living,
    }

    impl<F> PinnedDrop for TaskFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
                this.living.report_panic(payload);
            }
        }
    }
}

impl<F> TaskFuture<F> {
    pub(super) fn new(future: F, living: Living) -> Self {
        Self { future: Some(future), living }
    }
}

impl<F: Future> Future for TaskFuture<F> {
    type Output = TaskOutput<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = this.future.as_mut().as_pin_mut().expect("polled until it is done");
            let output = std::task::ready!(future.poll(cx));
            // The drop of the future's own state is part of the task: its panic counts too.
            this.future.set(None);
            Poll::Ready(output)
        }));
        match polled {
            Ok(polled) => polled.map(|output| TaskOutput(Some(Ended::Done(output)))),
            Err(payload) if payload.is::<ExitPayload>() => resume_unwind(payload),
            Err(payload) => {
                let executor = this.living.executor.clone();
                Poll::Ready(TaskOutput(Some(Ended::Panicked(payload, executor))))
            }
        }
    }
}

pin_project! {
    /// A callback that waits, such as `JoinHandle::callback`: its panic and its error go through to
    /// whoever runs the microtask.
    pub(super) struct CallbackFuture<F> {
        #[pin]
        future: Option<F>,
        living: Living,
    }

    impl<F> PinnedDrop for CallbackFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
                this.living.report_panic(payload);
            }
        }
    }
}

impl<F> CallbackFuture<F> {
    pub(super) fn new(future: F, living: Living) -> Self {
        Self { future: Some(future), living }
    }
}

impl<F: Future<Output = crate::Result>> Future for CallbackFuture<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let future = this.future.as_pin_mut().expect("polled until it is done");
        if let Err(error) = std::task::ready!(future.poll(cx)) {
            this.living.executor.throw(error);
        }
        Poll::Ready(())
    }
}

/// How a task ended. A panic that nobody takes out of here was not observed, and is reported.
pub(super) struct TaskOutput<T>(Option<Ended<T>>);

enum Ended<T> {
    Done(T),
    Panicked(Box<dyn Any + Send>, Rc<Executor>),
}

impl<T> TaskOutput<T> {
    pub(super) fn into_result(mut self) -> Result<T, Box<dyn Any + Send>> {
        match self.0.take().expect("taken once") {
            Ended::Done(output) => Ok(output),
            Ended::Panicked(payload, _) => Err(payload),
        }
    }
}

impl<T> Drop for TaskOutput<T> {
    fn drop(&mut self) {
        if let Some(Ended::Panicked(payload, executor)) = self.0.take() {
            executor.report(Uncaught::Panic(payload));
        }
    }
}
