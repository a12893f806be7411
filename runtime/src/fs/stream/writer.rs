//! The resource behind a `WriteStream`: who waits, and the job that writes.

use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::work::{Done, Work};
use super::write_queue::WriteQueue;
use super::writing::OnDrain;
use crate::base::{CallbackSlot, Guarded, Key, Wakers};
use crate::event_loop::{
    ActiveKind, Carried, Dispatcher, Event, Flow, Handle, InFlight, Kind, Onward, Pending,
    Resource, State, current,
};
use crate::pool::Lane;
use crate::task::job::Ended;

/// Nothing more is taken: it is being finished, or has failed.
pub(super) const ENDED: u16 = 1;
/// All is written, and the file closed.
pub(super) const FINISHED: u16 = 2;
/// The loop is an owner.
const HELD: u16 = 4;

/// A file that is written as a stream.
pub(crate) struct Writer {
    handle: Handle,
    pub(super) work: Arc<Work>,
    pub(super) queue: Guarded<WriteQueue>,
    pub(super) on_drain: CallbackSlot<OnDrain>,
    /// Tasks in `poll_write`, `poll_flush` and `poll_close`.
    pub(super) wakers: Wakers,
    job: Cell<Option<Key>>,
    /// The job has an effect, so the loop stays alive for it.
    in_flight: Cell<Option<InFlight>>,
    /// Where the job comes home to.
    home: OnceCell<Rc<Home>>,
}

/// Where a job comes home to. While one runs the loop holds the stream.
struct Home(Weak<Writer>);

impl Writer {
    /// A stream whose file is opened at once, in the pool.
    #[track_caller]
    pub(super) fn make(work: Arc<Work>, high_water: usize) -> Rc<Self> {
        let writer = Handle::make(&current(), Kind::WriteStream, |handle| Self {
            handle,
            work,
            queue: Guarded::new(WriteQueue::new(high_water)),
            on_drain: CallbackSlot::default(),
            wakers: Wakers::default(),
            job: Cell::new(None),
            in_flight: Cell::default(),
            home: OnceCell::new(),
        });
        let _ = writer.home.set(Rc::new(Home(Rc::downgrade(&writer))));
        writer.begin();
        writer
    }

    pub(super) fn state(&self) -> &Rc<State> {
        self.handle.state()
    }

    pub(super) fn has(&self, flags: u16) -> bool {
        self.handle.own_flags() & flags != 0
    }

    pub(super) fn set(&self, flag: u16, on: bool) {
        let flags = self.handle.own_flags();
        self.handle.set_own_flags(if on { flags | flag } else { flags & !flag });
    }

    /// Has the pool do what there is to do, unless it is at work: then it is asked again afterwards.
    pub(super) fn begin(&self) {
        if self.job.get().is_none() && !self.handle.is_closing() {
            let (state, work) = (self.state(), self.work.clone());
            let key = state.submit(Lane::Fast, Carried::ForHandle, move || work.carry_out());
            self.job.set(Some(key));
            self.in_flight.set(Some(InFlight::new(state)));
            if let Some(home) = self.home.get() {
                state.pass_job_on(key, home.clone());
            }
        }
        self.update();
    }

    /// Brings liveness and ownership in line: a task that waits is what makes it active, and what is under way
    /// has the loop hold it.
    pub(super) fn update(&self) {
        self.handle.set_active(!self.wakers.is_empty());
        let is_owed = self.queue.with(|queue| !queue.finished.is_empty());
        let held = is_owed || self.job.get().is_some();
        if held != self.has(HELD) && !self.handle.is_closing() {
            self.set(HELD, held);
            self.handle.hold(held);
        }
    }

    /// The job has come home.
    fn job_done(self: Rc<Self>, ended: Ended, d: &mut Dispatcher<'_>) -> Flow {
        self.job.set(None);
        drop(self.in_flight.take());
        if self.handle.is_closing() {
            return Ok(());
        }
        let undone = |error| Done { written: 0, is_closed: false, result: Err(error) };
        let done = ended.result::<Done>().unwrap_or_else(|why| undone(why.into()));
        self.queue.with(|queue| queue.advance(done.written));
        match done.result {
            Err(error) => self.fail(error),
            Ok(()) if done.is_closed => {
                self.set(FINISHED, true);
                self.queue.with(|queue| queue.finish_ends());
            }
            Ok(()) if self.work.has_work() => self.begin(),
            Ok(()) => {}
        }
        self.wakers.wake();
        self.tell(d)
    }

    /// The stream has ended with an error: it closes when all who wait were told.
    pub(super) fn fail(&self, error: io::Error) {
        self.set(ENDED, true);
        self.handle.ends_with(crate::event_loop::copy_of(&error));
        self.queue.with(|queue| queue.fail(error));
        self.work.give_up();
    }

    pub(super) fn pend(self: &Rc<Self>) {
        self.state().pending.push(Pending::Resource(self.clone()));
    }

    pub(super) fn close(self: &Rc<Self>) {
        let resource: Rc<dyn Resource> = self.clone();
        crate::event_loop::close(&resource);
    }

    fn let_go_of_job(&self) {
        if let Some(key) = self.job.take() {
            self.state().refuse_job(key);
        }
        drop(self.in_flight.take());
    }
}

impl Onward<Ended> for Home {
    fn settle(&self, ended: Ended, d: &mut Dispatcher<'_>) -> Flow {
        match self.0.upgrade() {
            Some(writer) => writer.job_done(ended, d),
            None => Ok(()),
        }
    }

    /// No job of a stream ends within a call.
    fn settle_later(&self, _: Ended) {}

    /// The loop goes away, and with it the stream.
    fn abandon(&self, _: Ended) {}
}

impl Resource for Writer {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        match event {
            Event::Pending if !self.handle.is_closing() => self.tell(d),
            _ => Ok(()),
        }
    }

    fn release(&self) {
        self.let_go_of_job();
        if self.state().is_dead() {
            self.work.write_last(self.state().pool());
        } else {
            self.work.give_up();
        }
        self.wakers.wake();
    }

    fn cancel_next(&self, d: &mut Dispatcher<'_>) -> Option<Flow> {
        let (request, result) = self.queue.with(|queue| queue.cancel_next())?;
        Some(request.settle(result, d))
    }

    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        let mut counts = self.queue.with(|queue| queue.counts());
        counts.extend(self.job.get().map(|_| (ActiveKind::Fs, 1)));
        counts
    }

    fn discard(&self) {
        drop(self.on_drain.clear());
        while let Some(request) = self.queue.with(|queue| queue.abandon_next()) {
            request.abandon();
        }
    }
}
