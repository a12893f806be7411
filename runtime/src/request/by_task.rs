//! A request that a task of the loop carries out, step by step.

use std::cell::OnceCell;
use std::future::Future;
use std::io;
use std::rc::Rc;

use super::{Plain, Request, RequestId, Settles, Waiting};
use crate::error::Cancelled;
use crate::event_loop::{Answer, LoopRef, State};
use crate::task::JoinHandle;

/// What becomes of the steps when nobody wants the result any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    GoesOn,
    Ends,
}

struct ByTask<T: 'static> {
    plain: Rc<Plain<T>>,
    task: OnceCell<JoinHandle<()>>,
    unwanted: Unwanted,
}

/// Starts `steps`; their result comes in the pending phase to a callback, and wakes a task at once.
pub(crate) fn by_task<T: 'static>(
    lp: &LoopRef,
    unwanted: Unwanted,
    steps: impl Future<Output = io::Result<T>> + 'static,
) -> Request<T> {
    let plain = Plain::new(lp.state());
    // The task goes without a result only if it was aborted, or its loop goes.
    let settles = Settles::new(&plain);
    let task = lp.spawn(async move { settles.settle(steps.await) });
    let request = Rc::new(ByTask { plain, task: OnceCell::from(task), unwanted });
    Request::waiting(request)
}

impl<T: 'static> Waiting<io::Result<T>> for ByTask<T> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        self.plain.answer()
    }

    fn state(&self) -> &Rc<State> {
        self.plain.state()
    }

    fn id(&self) -> RequestId {
        RequestId::DEAD
    }

    fn cancel(&self) -> bool {
        if self.answer().is_settled() {
            return false;
        }
        self.end();
        self.plain.settle_later(Err(Cancelled.into()));
        true
    }

    fn refuse(&self) {
        self.plain.refuse();
        if self.unwanted == Unwanted::Ends && !self.answer().is_settled() {
            self.end();
            self.plain.abandon();
        }
    }
}

impl<T: 'static> ByTask<T> {
    fn end(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}
