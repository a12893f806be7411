//! What aborts a task or a job, and is not its handle.

use std::rc::Rc;

use super::job::JobOwner;
use super::raw::HomeRef;
use crate::base::Key;

/// Aborts as [`JoinHandle::abort`](super::JoinHandle::abort) does, also if the handle is gone.
pub(crate) enum Aborter {
    Task(HomeRef),
    Job(Rc<dyn JobOwner>, Key),
}

impl Aborter {
    pub(crate) fn abort(&self) {
        match self {
            Self::Task(task) => task.abort(),
            Self::Job(owner, key) => drop(owner.cancel_job(*key)),
        }
    }
}
