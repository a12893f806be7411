//! A request that is done when a signal comes.

use std::cell::Cell;
use std::io;
use std::rc::{Rc, Weak};

use super::{Inner, Signal};
use crate::error::Cancelled;
use crate::event_loop::{Answer, Dispatcher, Flow, State, close};
use crate::request::{Request, RequestId, Waiting};

/// What a watcher tells in place of a callback.
pub(super) trait Waiter {
    fn tell(&self, signum: i32, d: &mut Dispatcher<'_>) -> Flow;
    /// Where no callback may run.
    fn fail(&self, error: io::Error);
}

/// The request's end. The loop holds the watcher as long as it watches.
struct Wait<T: 'static> {
    state: Rc<State>,
    watcher: Weak<Inner>,
    answer: Answer<io::Result<T>>,
    /// Makes of the number what was asked for.
    give: fn(i32) -> T,
    is_over: Cell<bool>,
}

/// Waits for `signum` once, on the current loop.
#[track_caller]
pub(crate) fn wait_once<T: 'static>(signum: i32, give: fn(i32) -> T) -> Request<T> {
    let Signal(watcher) = Signal::new();
    let begun = watcher.handle.check_open().and_then(|()| watcher.watch(signum, true));
    if let Err(error) = begun {
        return Request::done(Err(error));
    }
    let wait = Rc::new(Wait {
        state: watcher.handle.state().clone(),
        watcher: Rc::downgrade(&watcher),
        answer: Answer::default(),
        give,
        is_over: Cell::new(false),
    });
    watcher.waiter.set(Some(wait.clone()));
    Request::waiting(wait)
}

impl<T> Wait<T> {
    /// Closes the watcher, which need not tell any more.
    fn close(&self) {
        if let Some(watcher) = self.watcher.upgrade() {
            drop(watcher.waiter.take());
            let watcher: Rc<dyn crate::event_loop::Resource> = watcher;
            close(&watcher);
        }
    }
}

impl<T> Waiter for Wait<T> {
    fn tell(&self, signum: i32, d: &mut Dispatcher<'_>) -> Flow {
        self.is_over.set(true);
        self.answer.settle(Ok((self.give)(signum)), d)
    }

    fn fail(&self, error: io::Error) {
        self.is_over.set(true);
        self.answer.settle_later(Err(error), &self.state);
    }
}

impl<T> Waiting<io::Result<T>> for Wait<T> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        &self.answer
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn id(&self) -> RequestId {
        RequestId::DEAD
    }

    fn cancel(&self) -> bool {
        if self.is_over.get() {
            return false;
        }
        self.close();
        self.fail(Cancelled.into());
        true
    }

    /// The signal meets at once what it met before.
    fn refuse(&self) {
        self.answer.refuse();
        self.close();
    }
}
