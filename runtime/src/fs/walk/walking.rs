//! A walk as the loop sees it: what is under way, and what nobody has taken yet.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::NAME;
use super::job::{self, Item, Part, Rest};
use super::options::WalkOptions;
use super::place::Place;
use crate::base::{Guarded, InlineFn, Key, LocalQueue};
use crate::error::LoopGone;
use crate::event_loop::{Carried, State};
use crate::fs::operation::Operation;
use crate::pool::{Lane, Steps};
use crate::request::{Plain, Request};
use crate::sys;
use crate::task::job::{Ended, JobOwner};

pub(super) struct Walking {
    state: Rc<State>,
    root: PathBuf,
    options: Arc<WalkOptions>,
    rest: Guarded<Rest>,
    /// Those under way.
    jobs: Guarded<Vec<Key>>,
    /// Batches that nobody has taken.
    ready: LocalQueue<Vec<Item>>,
    /// Who waits for the next.
    waiting: Guarded<Option<Waiting>>,
}

/// A request for a batch. It keeps the walk until it is told: the user may have let go of that.
struct Waiting {
    plain: Rc<Plain<Vec<Item>>>,
    _walking: Rc<Walking>,
}

impl Walking {
    pub(super) fn new(state: &Rc<State>, root: &Path, options: WalkOptions) -> Rc<Self> {
        Rc::new(Self {
            state: state.clone(),
            root: root.to_owned(),
            options: Arc::new(options),
            rest: Guarded::new(Rest::new(Place::root(root))),
            jobs: Guarded::default(),
            ready: LocalQueue::default(),
            waiting: Guarded::default(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    #[track_caller]
    pub(super) fn next_batch(self: &Rc<Self>) -> Request<Vec<Item>> {
        if self.state.is_dead() {
            return Request::done(Err(LoopGone.into()));
        }
        if self.is_awaited() {
            return Request::done(Err(Operation::on(NAME, &self.root).failed(sys::already())));
        }
        let batch = self.ready.pop();
        self.submit();
        if batch.is_some() || self.is_at_end() {
            return Request::done(Ok(batch.unwrap_or_default()));
        }
        let plain = Plain::new(&self.state);
        let waits = Waiting { plain: plain.clone(), _walking: self.clone() };
        let former = self.waiting.with(|waiting| waiting.replace(waits));
        drop(former);
        Request::waiting(plain)
    }

    /// Whether somebody waits for a batch.
    fn is_awaited(&self) -> bool {
        self.waiting
            .with(|waiting| waiting.as_ref().is_some_and(|waiting| waiting.plain.is_wanted()))
    }

    /// The user lets go of the walk. If nobody waits for a batch that is its end.
    pub(super) fn let_go(&self) {
        if !self.is_awaited() {
            let refused = self.waiting.with(|waiting| waiting.take());
            drop(refused);
        }
    }

    /// Whether nothing comes any more. To be asked when all that may be was submitted.
    fn is_at_end(&self) -> bool {
        self.ready.is_empty() && self.jobs.with(|jobs| jobs.is_empty())
    }

    /// Gives the pool as much to do as it may have.
    #[track_caller]
    fn submit(self: &Rc<Self>) {
        loop {
            let busy = self.jobs.with(|jobs| jobs.len()) + self.ready.len();
            let free = self.options.jobs().saturating_sub(busy);
            if free == 0 || self.rest.with(|rest| rest.is_empty()) {
                return;
            }
            let part = self.rest.with(|rest| rest.share(free, self.options.is_sorted));
            self.submit_part(part);
        }
    }

    #[track_caller]
    fn submit_part(self: &Rc<Self>, part: Part) {
        let (options, steps) = (self.options.clone(), Steps::default());
        let work = {
            let steps = steps.clone();
            move || job::walk(part, &options, &steps)
        };
        // Unwanted if the walk is dropped.
        let key = self.state.submit_in_steps(Lane::Fast, Carried::IfWanted, Some(steps), work);
        self.jobs.with(|jobs| jobs.push(key));
        let end = OnEnd(Some(Rc::downgrade(self)));
        let told = InlineFn::new(move |ended| {
            if let Some(walking) = end.walking() {
                walking.ended(key, ended);
            }
            Ok(())
        });
        self.state.on_job_end(key, told);
    }

    fn ended(self: Rc<Self>, key: Key, ended: Ended) {
        self.jobs.with(|jobs| jobs.retain(|job| *job != key));
        let found = match ended.result::<io::Result<Part>>() {
            Ok(Ok(part)) => self.rest.with(|rest| rest.take(part)),
            Ok(Err(error)) => vec![Err(error)],
            Err(undone) => vec![Err(Operation::on(NAME, &self.root).failed(undone.into()))],
        };
        if !found.is_empty() {
            self.ready.push(found);
        }
        self.submit();
        self.tell();
    }

    /// Gives a batch to who waits for one. Who gave up leaves it for the next who asks.
    fn tell(self: &Rc<Self>) {
        if self.ready.is_empty() && !self.is_at_end() {
            return;
        }
        let waiting = self.waiting.with(|waiting| waiting.take());
        if let Some(waiting) = waiting.filter(|waiting| waiting.plain.is_wanted()) {
            let batch = self.ready.pop().unwrap_or_default();
            self.submit();
            waiting.plain.settle_later(Ok(batch));
        }
    }
}

impl Drop for Walking {
    /// Nobody wants what is under way.
    fn drop(&mut self) {
        for key in self.jobs.take() {
            self.state.refuse_job(key);
        }
    }
}

/// Waits for the end of a job, and tells if the loop ends first.
struct OnEnd(Option<Weak<Walking>>);

impl OnEnd {
    fn walking(mut self) -> Option<Rc<Walking>> {
        self.0.take()?.upgrade()
    }
}

impl Drop for OnEnd {
    fn drop(&mut self) {
        let Some(walking) = self.0.take().and_then(|walking| walking.upgrade()) else { return };
        let waiting = walking.waiting.with(|waiting| waiting.take());
        if let Some(waiting) = waiting {
            waiting.plain.abandon();
        }
    }
}
