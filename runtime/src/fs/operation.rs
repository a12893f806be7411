//! One operation on files: its name and its paths, which go to the pool together and name what fails there.

use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use crate::error::outcome_in;
use crate::event_loop::Carried;
use crate::pool::{Lane, Steps};
use crate::request::{Request, on_pool, on_pool_in_steps};

/// A function's name and what it is asked to work on.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    /// Of an operation between two paths.
    pub(super) to: Option<PathBuf>,
}

impl Operation {
    pub(super) fn on(name: &'static str, path: impl AsRef<Path>) -> Self {
        Self { name, path: path.as_ref().to_owned(), to: None }
    }

    pub(super) fn between(
        name: &'static str,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Self {
        let to = Some(to.as_ref().to_owned());
        Self { name, path: from.as_ref().to_owned(), to }
    }

    /// The second path; of an operation that has one.
    pub(super) fn target(&self) -> &Path {
        self.to.as_deref().unwrap_or(&self.path)
    }

    /// A question: skipped if it has not begun when nobody wants the answer any more.
    #[track_caller]
    pub(super) fn ask<T: Send + 'static>(
        self,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        on_pool(Lane::Fast, Carried::IfWanted, move || self.run(job))
    }

    /// What has an effect: carried out, whoever waits.
    #[track_caller]
    pub(super) fn act<T: Send + 'static>(
        self,
        job: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        on_pool(Lane::Fast, Carried::Out, move || self.run(job))
    }

    /// A question of many steps, which ends at the next when nobody wants the answer any more.
    #[track_caller]
    pub(super) fn ask_in_steps<T: Send + 'static>(
        self,
        job: impl FnOnce(&Self, &Steps) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        on_pool_in_steps(Lane::Fast, Carried::IfWanted, move |steps| {
            self.run(|operation| job(operation, steps))
        })
    }

    /// What has an effect by many steps. It is carried out, whoever waits; [`Request::cancel`] ends it at
    /// the next one.
    #[track_caller]
    pub(super) fn act_in_steps<T: Send + 'static>(
        self,
        job: impl FnOnce(&Self, &Steps) -> io::Result<T> + Send + 'static,
    ) -> Request<T> {
        on_pool_in_steps(Lane::Fast, Carried::Out, move |steps| {
            self.run(|operation| job(operation, steps))
        })
    }

    /// Runs the job, and names it in what fails.
    pub(super) fn run<T>(self, job: impl FnOnce(&Self) -> io::Result<T>) -> io::Result<T> {
        job(&self).map_err(|error| self.failed(error))
    }

    /// The error, with this around it; unless it says something already: an outcome of ours, or the error
    /// of a path below.
    pub(super) fn failed(self, error: io::Error) -> io::Error {
        if outcome_in(&error).is_some() || Error::of(&error).is_some() {
            error
        } else {
            Error::wrap(self, error)
        }
    }
}
