//! Promises, exactly as in JavaScript.
//!
//! ```text
//!              resolve, reject             settling queues the reactions, in the order they were registered
//!  [ pending ] ───────────────▶ [ settled ] ─────────▶ microtask, or the wake of a task
//!       │ adopt                      ▲
//!       ▼                            │ in the reaction on the other promise
//!  [ locked in ] ────────────────────┘
//! ```
//!
//! Their values are never looked at, so a promise is fulfilled with nothing or rejected with an
//! error. A rejection without any reaction is reported at the end of the checkpoint.

use crate::thrown::{Completion, Thrown};
use runtime::queue_microtask;
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    future, mem,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

#[derive(Clone)]
pub(crate) struct Promise(Rc<State>);

struct State {
    outcome: OnceCell<Completion>,
    /// Settled, or bound to another promise: to resolve or reject it does nothing any more.
    is_locked: Cell<bool>,
    is_handled: Cell<bool>,
    is_reported: Cell<bool>,
    /// Empty once settled.
    reactions: RefCell<Vec<Reaction>>,
    rejections: Rc<Rejections>,
}

enum Reaction {
    Callback(Box<dyn FnOnce(Completion)>),
    /// A wake of a task is itself the microtask in which the task goes on.
    Wake(Waker),
}

impl Promise {
    pub(crate) fn new(rejections: &Rc<Rejections>) -> Promise {
        Promise(Rc::new(State {
            outcome: OnceCell::new(),
            is_locked: Cell::new(false),
            is_handled: Cell::new(false),
            is_reported: Cell::new(false),
            reactions: RefCell::default(),
            rejections: rejections.clone(),
        }))
    }

    pub(crate) fn resolve(&self) {
        self.complete(Ok(()));
    }

    pub(crate) fn reject(&self, error: Thrown) {
        self.complete(Err(error));
    }

    /// Resolves or rejects; does nothing if that was done before.
    pub(crate) fn complete(&self, outcome: Completion) {
        if !self.0.is_locked.replace(true) {
            self.settle(outcome);
        }
    }

    /// Resolves with another promise: that one is asked in a microtask, and its reaction, a second
    /// one, settles `self`.
    pub(crate) fn adopt(&self, other: &Promise) {
        if self.0.is_locked.replace(true) {
            return;
        }
        if Rc::ptr_eq(&self.0, &other.0) {
            return self.settle(Err(Thrown::new("Chaining cycle detected for promise #<Promise>")));
        }
        let (this, other) = (self.clone(), other.clone());
        queue_microtask(move || other.react(move |outcome| this.settle(outcome)));
    }

    fn settle(&self, outcome: Completion) {
        if outcome.is_err() && !self.0.is_handled.get() {
            self.0.rejections.add(self.clone());
        }
        let unsettled = self.0.outcome.set(outcome.clone()).is_ok();
        assert!(unsettled, "the lock lets only one through");
        for reaction in mem::take(&mut *self.0.reactions.borrow_mut()) {
            match reaction {
                Reaction::Wake(waker) => waker.wake(),
                Reaction::Callback(react) => {
                    let outcome = outcome.clone();
                    queue_microtask(move || react(outcome));
                }
            }
        }
    }

    /// Calls `react` in a microtask, queued when the promise settles, or now if it did.
    fn react(&self, react: impl FnOnce(Completion) + 'static) {
        self.mark_handled();
        match self.0.outcome.get().cloned() {
            Some(outcome) => queue_microtask(move || react(outcome)),
            None => self.0.reactions.borrow_mut().push(Reaction::Callback(Box::new(react))),
        }
    }

    fn mark_handled(&self) {
        if !self.0.is_handled.replace(true) && self.0.is_reported.get() {
            self.0.rejections.add_handled();
        }
    }

    /// `then`: `react` turns the outcome into the one of the derived promise, in the same
    /// microtask.
    pub(crate) fn then(&self, react: impl FnOnce(Completion) -> Completion + 'static) -> Promise {
        let derived = Promise::new(&self.0.rejections);
        let settled = derived.clone();
        self.react(move |outcome| settled.complete(react(outcome)));
        derived
    }

    /// `finally`: unless `run` throws, the outcome is passed on, two microtasks after `run`.
    ///
    /// Those are the turns that the promise takes which JavaScript makes of `run`'s value.
    pub(crate) fn finally(&self, run: impl FnOnce() -> Completion + 'static) -> Promise {
        let derived = Promise::new(&self.0.rejections);
        let settled = derived.clone();
        self.react(move |outcome| match run() {
            Err(error) => settled.reject(error),
            Ok(()) => queue_microtask(move || queue_microtask(move || settled.complete(outcome))),
        });
        derived
    }

    /// `await`: ready one microtask turn after the promise settled, or after the call if it had.
    pub(crate) async fn wait(&self) -> Completion {
        self.mark_handled();
        if self.0.outcome.get().is_some() {
            runtime::yield_microtask().await;
        }
        let mut registered = false;
        future::poll_fn(|context| match self.0.outcome.get() {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                if !mem::replace(&mut registered, true) {
                    self.0.reactions.borrow_mut().push(Reaction::Wake(context.waker().clone()));
                }
                Poll::Pending
            }
        })
        .await
    }
}

/// `Promise.all`: resolved with the last of them, rejected with the first.
pub(crate) fn all(rejections: &Rc<Rejections>, parts: &[Promise]) -> Promise {
    combine(rejections, parts, Promise::resolve, |promise, outcome, is_last| match outcome {
        Err(error) => promise.reject(error),
        Ok(()) if is_last => promise.resolve(),
        Ok(()) => {}
    })
}

/// `Promise.allSettled`: resolved with the last of them, whatever became of it.
pub(crate) fn all_settled(rejections: &Rc<Rejections>, parts: &[Promise]) -> Promise {
    combine(rejections, parts, Promise::resolve, |promise, _, is_last| {
        if is_last {
            promise.resolve();
        }
    })
}

/// `Promise.any`: resolved with the first, rejected when all of them were.
pub(crate) fn any(rejections: &Rc<Rejections>, parts: &[Promise]) -> Promise {
    let fail = |promise: &Promise| promise.reject(Thrown::aggregate());
    combine(rejections, parts, fail, move |promise, outcome, is_last| match outcome {
        Ok(()) => promise.resolve(),
        Err(_) if is_last => fail(promise),
        Err(_) => {}
    })
}

/// `Promise.race`: settled as the first of them; never if there is none.
pub(crate) fn race(rejections: &Rc<Rejections>, parts: &[Promise]) -> Promise {
    combine(rejections, parts, |_| {}, |promise, outcome, _| promise.complete(outcome))
}

/// Registers one reaction on each part, in order. `react` gets the combined promise, the outcome of
/// a part, and whether all the others have settled; it is told of every one, so `any` sees its last
/// part reject only if no other resolved it before.
fn combine(
    rejections: &Rc<Rejections>,
    parts: &[Promise],
    of_none: impl FnOnce(&Promise),
    react: impl Fn(&Promise, Completion, bool) + Copy + 'static,
) -> Promise {
    let promise = Promise::new(rejections);
    if parts.is_empty() {
        of_none(&promise);
    }
    let open = Rc::new(Cell::new(parts.len()));
    for part in parts {
        let (promise, open) = (promise.clone(), open.clone());
        part.react(move |outcome| {
            open.set(open.get() - 1);
            react(&promise, outcome, open.get() == 0);
        });
    }
    promise
}

/// Who is told of rejections.
pub(crate) trait Reporter {
    /// A promise was rejected, and nothing had reacted to it by the end of the checkpoint.
    fn unhandled(self: Rc<Self>, error: &Thrown) -> Completion;
    /// A promise that was reported got its first reaction.
    fn rejection_handled(self: Rc<Self>) -> Completion;
}

/// The rejected promises of a program that are to be reported, and when that is.
pub(crate) struct Rejections {
    reporter: Weak<dyn Reporter>,
    /// In the order of their rejection; those that are handled before their batch are skipped.
    rejected: RefCell<VecDeque<Promise>>,
    handled: Cell<usize>,
    /// Whether `report` is queued for the end of the checkpoint.
    is_queued: Cell<bool>,
}

impl Rejections {
    pub(crate) fn new(reporter: Weak<dyn Reporter>) -> Rc<Rejections> {
        Rc::new(Rejections {
            reporter,
            rejected: RefCell::default(),
            handled: Cell::new(0),
            is_queued: Cell::new(false),
        })
    }

    fn add(self: &Rc<Self>, promise: Promise) {
        self.rejected.borrow_mut().push_back(promise);
        self.queue();
    }

    fn add_handled(self: &Rc<Self>) {
        self.handled.set(self.handled.get() + 1);
        self.queue();
    }

    fn queue(self: &Rc<Self>) {
        if !self.is_queued.replace(true) {
            let this = self.clone();
            runtime::at_checkpoint_end(move || this.report());
        }
    }

    /// Reports as one batch what there is; an error leaves the rest for the end of the next
    /// checkpoint.
    fn report(self: Rc<Self>) -> runtime::Result {
        self.is_queued.set(false);
        let result = self.report_each();
        if self.handled.get() > 0 || !self.rejected.borrow().is_empty() {
            self.queue();
        }
        Ok(result?)
    }

    fn report_each(&self) -> Completion {
        let Some(reporter) = self.reporter.upgrade() else { return Ok(()) };
        while self.handled.get() > 0 {
            self.handled.set(self.handled.get() - 1);
            reporter.clone().rejection_handled()?;
        }
        // One batch: what its bodies reject is for the next, and what they handle is still reported.
        let mut batch = self.rejected.take();
        batch.retain(|promise| !promise.0.is_handled.get());
        while let Some(promise) = batch.pop_front() {
            promise.0.is_reported.set(true);
            let Some(Err(error)) = promise.0.outcome.get() else { continue };
            if let Err(error) = reporter.clone().unhandled(error) {
                batch.append(&mut self.rejected.take());
                self.rejected.replace(batch);
                return Err(error);
            }
        }
        Ok(())
    }
}
