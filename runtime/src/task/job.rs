//! A job in the pool as its handle sees it.
//!
//! What waits for a job lies in the loop, under the job's key, and knows no types; a handle knows the
//! type of the result. So a job costs the loop no memory of its own.

use std::any::Any;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Aborter, Executor};
use crate::base::{InlineFn, Key};
use crate::error::{Cancelled, JoinError, LoopGone, Outcome, Result};
use crate::pool::{self, Job};

/// How a job came to its end.
pub(crate) enum Ended {
    /// It was run, and has its result.
    Done(Box<dyn Job>),
    /// In a box, since it is rare.
    Undone(Box<Undone>),
}

/// Why there is no result.
pub(crate) enum Undone {
    Cancelled,
    LoopGone,
    Panicked(Box<dyn Any + Send>),
    /// The system gave the pool no thread.
    Refused(io::Error),
}

impl Ended {
    /// The result of a job whose closure gives a `T`.
    pub(crate) fn result<T: 'static>(self) -> Result<T, Undone> {
        match self {
            Self::Done(job) => pool::result(job).map_err(Undone::Panicked),
            Self::Undone(undone) => Err(*undone),
        }
    }
}

impl From<Undone> for JoinError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Cancelled | Undone::LoopGone => Self::Cancelled,
            Undone::Panicked(payload) => Self::Panicked(payload),
            Undone::Refused(error) => Self::Panicked(Box::new(format!("no thread: {error}"))),
        }
    }
}

impl From<Undone> for io::Error {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Cancelled => Cancelled.into(),
            Undone::LoopGone => LoopGone.into(),
            Undone::Panicked(payload) => JoinError::Panicked(payload).into(),
            Undone::Refused(error) => error,
        }
    }
}

impl Ended {
    /// The panic of a job that did.
    pub(crate) fn panic(self) -> Option<Box<dyn Any + Send>> {
        match self {
            Self::Done(mut job) => job.take_panic(),
            Self::Undone(_) => None,
        }
    }
}

/// What is called with the end of a job.
pub(crate) type OnEnd = InlineFn<Ended, Result>;

/// A loop, as the owner of what waits for its jobs.
pub(crate) trait JobOwner {
    /// The end of the job, once; who has it must not ask again.
    fn poll_job(&self, key: Key, cx: &mut Context<'_>) -> Poll<Ended>;
    /// Calls `f` with the end of the job. Nothing, if that was given out.
    fn on_job_end(&self, key: Key, f: OnEnd);
    /// Takes the end of the job, if it is here.
    fn take_job(&self, key: Key) -> Option<Ended>;
    /// True if the job had not begun, and never will.
    fn cancel_job(&self, key: Key) -> bool;
    /// Whether the end of the job is here, or was given out.
    fn is_job_finished(&self, key: Key) -> bool;
    /// Nobody waits for the job any more. It is carried out, and its panic reported.
    fn detach_job(&self, key: Key);
    fn executor(&self) -> &Rc<Executor>;
}

/// A job whose end is a `V`.
pub(crate) struct JobHandle<V> {
    owner: Rc<dyn JobOwner>,
    key: Key,
    end: fn(Ended) -> V,
}

impl<T: 'static> JobHandle<Result<T, JoinError>> {
    /// A job whose closure gives a `T`.
    pub(crate) fn new(owner: Rc<dyn JobOwner>, key: Key) -> Self {
        Self { owner, key, end: result_of }
    }

    pub(super) fn callback<R: Outcome>(self, f: impl FnOnce(Result<T, JoinError>) -> R + 'static) {
        self.owner
            .on_job_end(self.key, InlineFn::new(move |ended| f(result_of(ended)).into_result()));
    }
}

fn result_of<T: 'static>(ended: Ended) -> Result<T, JoinError> {
    Ok(ended.result()?)
}

impl<V> JobHandle<V> {
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<V> {
        self.owner.poll_job(self.key, cx).map(self.end)
    }

    pub(super) fn abort(&self) {
        self.owner.cancel_job(self.key);
    }

    pub(super) fn aborter(&self) -> Aborter {
        Aborter::Job(self.owner.clone(), self.key)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.owner.is_job_finished(self.key)
    }

    pub(super) fn detach(&self) {
        self.owner.detach_job(self.key);
    }

    pub(super) fn executor(&self) -> Rc<Executor> {
        self.owner.executor().clone()
    }
}
