//! Jobs in the pool, and what waits for them here.
//!
//! ```text
//!   loop's thread                             a thread of the pool
//!   Entry { stage, ticket }      Job { key } ─▶ runs
//!     ▲        submit ───────────────────────▶   │ mail: the job itself, with its result
//!     └──── key ◀──────── poll phase ◀───────────┘
//! ```
//!
//! The job belongs to whoever has it, and what waits for it stays here: a callback need not be `Send`.
//! An entry lives until its result was given out, or nobody wants it any more; a handle or an id that
//! comes later finds nothing under its key. A loop that goes away leaves its jobs to the pool, and
//! their results are dropped there.

use std::cell::Cell;
use std::mem::replace;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::answer::{Onward, Settled, Stage};
use super::liveness::add;
use super::{Dispatcher, Flow, State};
use crate::base::{Arena, Guarded, InlineFn, Key};
use crate::error::Uncaught;
use crate::pool::{self, Job, Lane, Pool, Refused, Steps, Telling, Ticket};
use crate::task::job::{Ended, JobOwner, OnEnd, Undone};
use crate::task::mail::{Completion, LoopAddress};
use crate::task::{Executor, keep};

/// What becomes of a job that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// It is done all the same: it has an effect.
    Out,
    /// It is skipped if it has not begun: it only asks.
    IfWanted,
    /// The same, for a handle, which says itself whether the loop stays alive.
    ForHandle,
}

/// What waits for the pool. Keys are given to users: a stale one finds nothing.
#[derive(Default)]
pub(super) struct Jobs {
    entries: Guarded<Arena<Entry>>,
    under_way: Cell<usize>,
    /// Of these, those that are carried out.
    effects_under_way: Cell<usize>,
}

struct Entry {
    stage: Stage<Ended>,
    /// Until it is used, or the end is here. It may outlive the start of the job: then it is void.
    ticket: Option<Ticket>,
    carried: Carried,
    lane: Lane,
    /// The call that submitted it.
    location: &'static Location<'static>,
    rare: Option<Box<Rare>>,
    /// Whether it is in the count of those that are wanted: see `Liveness::jobs`.
    counts: bool,
    /// It was cancelled though it runs: what it gives is not wanted, and its end is under way.
    is_given_up: bool,
}

/// What most jobs do not have; it goes with the end.
struct Rare {
    /// If it can be ended while it runs.
    steps: Option<Steps>,
    /// If it is in another pool than that of the loop.
    pool: Option<Pool>,
}

/// Where a job stands.
struct Place {
    ticket: Ticket,
    /// `None`: in that of the loop.
    pool: Option<Pool>,
}

impl Entry {
    fn is_under_way(&self) -> bool {
        !self.stage.is_settled()
    }

    /// Ends a job at its next step; false if it has none, or is done.
    fn stop(&self) -> bool {
        let steps = self.rare.as_ref().and_then(|rare| rare.steps.as_ref());
        let steps = steps.filter(|_| self.is_under_way());
        steps.inspect(|steps| steps.stop()).is_some()
    }

    /// Takes the job's place in a pool, to cancel it there.
    fn take_place(&mut self) -> Option<Place> {
        let pool = self.rare.as_mut().and_then(|rare| rare.pool.take());
        Some(Place { ticket: self.ticket.take()?, pool })
    }
}

impl Jobs {
    /// Whether one that has an effect was submitted and has not come home.
    pub(super) fn have_effects_under_way(&self) -> bool {
        self.effects_under_way.get() > 0
    }

    fn begins(&self, carried: Carried) {
        self.under_way.set(self.under_way.get() + 1);
        if carried == Carried::Out {
            self.effects_under_way.set(self.effects_under_way.get() + 1);
        }
    }

    fn ends(&self, carried: Carried) {
        self.under_way.set(self.under_way.get() - 1);
        if carried == Carried::Out {
            self.effects_under_way.set(self.effects_under_way.get() - 1);
        }
    }

    /// How many were submitted and have not come home.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// Those that the loop stays alive for: what they are, and where they were submitted.
    pub(super) fn that_count(&self) -> Vec<(Lane, &'static Location<'static>)> {
        self.entries.with(|entries| {
            let all = entries.iter().map(|(_, entry)| entry);
            let keeps_alive = |entry: &&Entry| entry.counts && entry.carried != Carried::ForHandle;
            all.filter(keeps_alive).map(|entry| (entry.lane, entry.location)).collect()
        })
    }

    fn with<R>(&self, key: Key, f: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.entries.with(|entries| entries.get_mut(key).map(f))
    }

    /// Replaces the stage of an entry, or gives `stage` back if there is none.
    fn put(&self, key: Key, stage: Stage<Ended>) -> Result<Stage<Ended>, Stage<Ended>> {
        self.entries.with(|entries| match entries.get_mut(key) {
            Some(entry) => Ok(replace(&mut entry.stage, stage)),
            None => Err(stage),
        })
    }

    fn remove(&self, key: Key) -> Option<Entry> {
        self.entries.with(|entries| entries.remove(key))
    }
}

impl State {
    /// Sends `work` to the loop's pool, and gives the key of what waits for it here.
    #[track_caller]
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        carried: Carried,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Key {
        self.submit_in_steps(lane, carried, None, work)
    }

    /// The same; `steps` are those of `work`, if it has some.
    #[track_caller]
    pub(crate) fn submit_in_steps<T: Send + 'static>(
        &self,
        lane: Lane,
        carried: Carried,
        steps: Option<Steps>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Key {
        self.submit_by(lane, carried, steps, work, None, |pool, job| pool.submit(lane, job))
    }

    /// The same with any pool, or `None` for the loop's, which `send` gives the job to.
    #[track_caller]
    #[inline]
    pub(crate) fn submit_by<T: Send + 'static>(
        &self,
        lane: Lane,
        carried: Carried,
        steps: Option<Steps>,
        work: impl FnOnce() -> T + Send + 'static,
        pool: Option<&Pool>,
        send: impl FnOnce(&Pool, Box<dyn Job>) -> Result<Ticket, Refused>,
    ) -> Key {
        let location = Location::caller();
        if self.is_dead() {
            let stage = Stage::Here(Ended::Undone(Box::new(Undone::LoopGone)));
            let counts = false;
            let is_given_up = false;
            let entry = Entry {
                stage,
                ticket: None,
                carried,
                lane,
                location,
                rare: None,
                counts,
                is_given_up,
            };
            return self.jobs.entries.with(|entries| entries.insert(entry));
        }
        let key = self.jobs.entries.with(|entries| entries.next_key());
        let job = pool::job(LoopAddress(self.id), key, work);
        let (ticket, refused) = match send(pool.unwrap_or_else(|| self.pool()), job) {
            Ok(ticket) => (Some(ticket), None),
            Err(Refused { job, error }) => {
                self.fail(key, Undone::Refused(error));
                (None, Some(job))
            }
        };
        let stage = Stage::Open;
        let (counts, is_given_up) = (true, false);
        let has_rare = steps.is_some() || pool.is_some();
        let rare = has_rare.then(|| Box::new(Rare { steps, pool: pool.cloned() }));
        let entry = Entry { stage, ticket, carried, lane, location, rare, counts, is_given_up };
        let inserted = self.jobs.entries.with(|entries| entries.insert(entry));
        debug_assert_eq!(inserted, key, "the job has this one");
        self.jobs.begins(carried);
        add(self.live.jobs(carried), 1);
        // Foreign code, which may submit another job: after the key was taken.
        drop(refused);
        key
    }

    /// Takes a job back, if it had not started.
    fn take_back(&self, place: Place) -> Option<Box<dyn Job>> {
        let Place { ticket, pool } = place;
        pool.as_ref().unwrap_or_else(|| self.pool()).cancel(ticket)
    }

    /// Ends a job that is not run, by mail as if it were done.
    fn fail(&self, key: Key, undone: Undone) {
        // Refused by a loop that is gone, which has told everybody.
        let _ = self.sending.completed(Completion::Undone(Box::new((key, undone))), Telling::Now);
    }

    /// The loop need not stay alive for the job.
    fn release(&self, entry: &mut Entry) {
        if replace(&mut entry.counts, false) {
            add(self.live.jobs(entry.carried), -1);
        }
    }

    /// Gives the end of a job to whoever waits. Nobody, if there is no entry any more.
    #[inline]
    fn settle(&self, key: Key, ended: Ended) -> Settled<Ended> {
        self.jobs.entries.with(|entries| {
            let Some(entry) = entries.get_mut(key) else { return Settled::Drop(ended) };
            if entry.is_given_up && matches!(ended, Ended::Done(_)) {
                return Settled::Drop(ended);
            }
            if entry.is_under_way() {
                self.jobs.ends(entry.carried);
            }
            self.release(entry);
            (entry.ticket, entry.rare) = (None, None);
            let settled = entry.stage.settle(ended);
            if matches!(entry.stage, Stage::Taken) {
                entries.remove(key);
            }
            settled
        })
    }

    /// In the poll phase: a job has come to its end.
    pub(super) fn deliver(&self, end: Completion, d: &mut Dispatcher<'_>) -> Flow {
        let (key, ended) = match end {
            Completion::Job(job) => (job.key(), Ended::Done(job)),
            Completion::Undone(undone) => (undone.0, Ended::Undone(Box::new(undone.1))),
        };
        self.settle(key, ended).tell(d)
    }

    /// Whether the end of the job was not told yet.
    pub(crate) fn is_job_under_way(&self, key: Key) -> bool {
        self.jobs.with(key, |entry| entry.is_under_way()).unwrap_or(false)
    }

    /// Lets `onward` wait for the end of a job that is under way.
    pub(crate) fn pass_job_on(&self, key: Key, onward: Rc<dyn Onward<Ended>>) {
        drop(self.jobs.put(key, Stage::PassedOn(onward)));
    }

    /// Nobody wants the end of the job any more.
    pub(crate) fn refuse_job(&self, key: Key) {
        let Ok(former) = self.jobs.put(key, Stage::Unwanted) else { return };
        if former.is_settled() {
            drop(self.jobs.remove(key));
        } else {
            self.skip_if_unwanted(key);
        }
        drop(former);
    }

    /// Takes a question that nobody waits for out of the pool, or ends it at its next step. Whether or
    /// not that is still possible, the loop need not wait for it.
    fn skip_if_unwanted(&self, key: Key) {
        let ticket = self.jobs.with(key, |entry| {
            if entry.carried == Carried::Out {
                return None;
            }
            self.release(entry);
            entry.stop();
            entry.take_place()
        });
        let job = ticket.flatten().and_then(|place| self.take_back(place));
        if job.is_some()
            && let Some(entry) = self.jobs.remove(key)
        {
            self.jobs.ends(entry.carried);
        }
        drop(job);
    }

    /// Ends a job that runs already at its next step; or, if it is a slow question, its request: nobody
    /// need wait until some server answers. The thread goes on with it.
    fn give_up(&self, key: Key) -> bool {
        if self.jobs.with(key, |entry| entry.stop()) == Some(true) {
            return true;
        }
        let given_up = self.jobs.with(key, |entry| {
            entry.is_given_up = entry.lane == Lane::Slow && entry.carried == Carried::IfWanted;
            entry.is_given_up
        });
        if given_up != Some(true) {
            return false;
        }
        self.fail(key, Undone::Cancelled);
        true
    }

    /// The loop goes away: one job, and who waits for it. `guard` runs what may panic.
    pub(super) fn abandon_job(&self, key: Key, mut guard: impl FnMut(&mut dyn FnMut())) {
        let unwanted = self.jobs.with(key, |entry| match entry.carried {
            Carried::IfWanted | Carried::ForHandle => {
                entry.stop();
                entry.take_place()
            }
            Carried::Out => None,
        });
        let mut job = unwanted.flatten().and_then(|place| self.take_back(place));
        guard(&mut || drop(job.take()));
        let mut settled = Some(self.settle(key, Ended::Undone(Box::new(Undone::LoopGone))));
        guard(&mut || settled.take().into_iter().for_each(Settled::abandon));
    }

    /// The loop goes away: all jobs.
    pub(super) fn abandon_jobs(&self, mut guard: impl FnMut(&mut dyn FnMut())) {
        let under_way = |(key, entry): (Key, &Entry)| entry.is_under_way().then_some(key);
        let keys: Vec<Key> =
            self.jobs.entries.with(|entries| entries.iter().filter_map(under_way).collect());
        for key in keys {
            self.abandon_job(key, &mut guard);
        }
    }
}

impl JobOwner for State {
    fn poll_job(&self, key: Key, cx: &mut Context<'_>) -> Poll<Ended> {
        if let Some(ended) = self.take_job(key) {
            return Poll::Ready(ended);
        }
        let former = self.jobs.put(key, Stage::Awaited(keep(cx)));
        assert!(former.is_ok(), "a request was polled after it was done");
        // The waker of an earlier poll is foreign code: it is dropped here, outside.
        drop(former);
        Poll::Pending
    }

    fn on_job_end(&self, key: Key, f: OnEnd) {
        match self.jobs.put(key, Stage::Callback(f)) {
            // It was there already, and no callback runs in a call of the API.
            Ok(Stage::Here(ended)) => {
                let entry = self.jobs.remove(key);
                if let Some(Entry { stage: Stage::Callback(f), .. }) = entry {
                    self.call_later(move || f.call(ended));
                }
            }
            other => drop(other),
        }
    }

    fn take_job(&self, key: Key) -> Option<Ended> {
        let ended = self.jobs.with(key, |entry| entry.stage.take()).flatten()?;
        drop(self.jobs.remove(key));
        Some(ended)
    }

    fn cancel_job(&self, key: Key) -> bool {
        let ticket = self.jobs.with(key, |entry| entry.take_place()).flatten();
        let Some(queued) = ticket else { return false };
        let Some(job) = self.take_back(queued) else { return self.give_up(key) };
        // First: if the drop of the job panics, the request is over all the same.
        self.fail(key, Undone::Cancelled);
        drop(job);
        true
    }

    fn is_job_finished(&self, key: Key) -> bool {
        !self.is_job_under_way(key)
            // On its way here. Among many others this takes a while, but who asks so often?
            || self.mailbox.completed.any(|end| end.key() == key)
            || self.sending.has_completed(key)
    }

    fn detach_job(&self, key: Key) {
        let executor = self.executor.clone();
        let report = move |ended: Ended| {
            ended.panic().into_iter().for_each(|payload| executor.report(Uncaught::Panic(payload)));
        };
        match self.take_job(key) {
            Some(ended) => report(ended),
            // It is carried out all the same, and nobody else will see its panic.
            None => self.on_job_end(
                key,
                InlineFn::new(move |ended| {
                    report(ended);
                    Ok(())
                }),
            ),
        }
    }

    fn executor(&self) -> &Rc<Executor> {
        &self.executor
    }
}
