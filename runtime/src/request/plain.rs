//! A request that the loop's thread itself carries out: a write, a connect, a close.

use std::io;
use std::rc::Rc;

use super::RequestId;
use super::request::Waiting;
use crate::error::LoopGone;
use crate::event_loop::{Answer, Dispatcher, Flow, InFlight, State};

/// The loop's end of such a request. It keeps the loop alive until it is settled.
#[derive(Debug)]
pub(crate) struct Plain<T: 'static> {
    state: Rc<State>,
    answer: Rc<Answer<io::Result<T>>>,
    in_flight: Option<InFlight>,
}

/// What was begun: it is done (`None`), goes on, or has failed. Two words, which come in registers, where a
/// [`Request`](crate::Request) would come in memory.
pub(crate) type Begun = io::Result<Option<Rc<Plain<()>>>>;

impl<T: 'static> Plain<T> {
    pub(crate) fn new(state: &Rc<State>) -> Rc<Self> {
        let in_flight = Some(InFlight::new(state));
        Rc::new(Self { state: state.clone(), answer: Rc::default(), in_flight })
    }

    /// A request for an answer that something else keeps the loop alive for.
    pub(crate) fn of_answer(state: &Rc<State>, answer: Rc<Answer<io::Result<T>>>) -> Rc<Self> {
        Rc::new(Self { state: state.clone(), answer, in_flight: None })
    }

    /// Gives the result to whoever waits, and runs the checkpoint.
    pub(crate) fn settle(&self, result: io::Result<T>, d: &mut Dispatcher<'_>) -> Flow {
        self.release();
        self.answer.settle(result, d)
    }

    /// Gives the result where no callback may run: that waits for the pending phase.
    pub(crate) fn settle_later(&self, result: io::Result<T>) {
        self.answer.settle_later(result, &self.state);
        self.release();
    }

    /// The loop goes away.
    pub(crate) fn abandon(&self) {
        self.answer.abandon(Err(LoopGone.into()));
        self.release();
    }

    /// Whether somebody waits, or may ask yet.
    pub(crate) fn is_wanted(&self) -> bool {
        self.answer.is_wanted()
    }

    fn release(&self) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.release();
        }
    }
}

/// What is to settle a request. Who waits is told that the loop is gone if this goes without a result.
pub(crate) struct Settles<T: 'static>(Rc<Plain<T>>);

impl<T: 'static> Settles<T> {
    pub(crate) fn new(plain: &Rc<Plain<T>>) -> Self {
        Self(plain.clone())
    }

    /// Gives the result, as [`Plain::settle_later`].
    pub(crate) fn settle(self, result: io::Result<T>) {
        self.0.settle_later(result);
    }
}

impl<T: 'static> Drop for Settles<T> {
    fn drop(&mut self) {
        if !self.0.answer().is_settled() {
            self.0.abandon();
        }
    }
}

impl<T: 'static> Waiting<io::Result<T>> for Plain<T> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        &self.answer
    }

    fn state(&self) -> &Rc<State> {
        &self.state
    }

    fn id(&self) -> RequestId {
        RequestId::DEAD
    }

    /// What was handed to the system, or stands in line behind what was, is carried out.
    fn cancel(&self) -> bool {
        false
    }

    fn refuse(&self) {
        self.answer.refuse();
    }
}
