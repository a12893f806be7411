//! One request for many datagrams: it is done when the last of them is.
//!
//! ```text
//!   send_many ── tried at once ──▶ 0 sent, 1 failed, 2 sent │ no room: 3 4 5 are queued
//!                                         │                 ▼
//!                                         │      [ Many ] ◀── 3 sent, 4 failed, 5 sent
//!                                         └──────────▶ └─▶ Err(Unsent: 1 and 4), or the number of them
//! ```

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::base::Guarded;
use crate::event_loop::copy_of;
use crate::request::Plain;

/// Datagrams of one `send_many_to` or `send_many` that were not sent: which, and why. All others were.
///
/// It is inside of the request's error, whose kind is that of the first one's.
#[derive(Debug)]
pub struct Unsent {
    /// By place.
    errors: Vec<(usize, io::Error)>,
}

/// How many places its text names.
const PLACES_TOLD: usize = 8;

impl Unsent {
    pub(crate) fn new() -> Self {
        Self { errors: Vec::new() }
    }

    /// What `error` says of several datagrams, if it says that.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The datagrams that were not sent, in order: the place of each in what was given, and its error.
    pub fn errors(&self) -> &[(usize, io::Error)] {
        &self.errors
    }

    pub(crate) fn note(&mut self, place: usize, error: io::Error) {
        self.errors.push((place, error));
    }

    /// The result for `count` datagrams.
    pub(crate) fn result_of(mut self, count: usize) -> io::Result<usize> {
        // Those that the queue has refused failed before those in it.
        self.errors.sort_by_key(|(place, _)| *place);
        match self.errors.first() {
            Some((_, first)) => Err(io::Error::new(first.kind(), self)),
            None => Ok(count),
        }
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.errors.iter().take(PLACES_TOLD);
        let places: Vec<_> = told.map(|(place, _)| place.to_string()).collect();
        let more = if self.errors.len() > PLACES_TOLD { ", .." } else { "" };
        write!(f, "{} of the datagrams were not sent, ", self.errors.len())?;
        write!(f, "at {}{more}", places.join(", "))?;
        self.errors.first().map_or(Ok(()), |(_, first)| write!(f, ": {first}"))
    }
}

impl Error for Unsent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.first().map(|(_, first)| first as _)
    }
}

/// What the datagrams of one request have in common while some of them are queued.
pub(crate) struct Many {
    request: Rc<Plain<usize>>,
    /// Of the call, the queued ones and all others.
    count: usize,
    /// Still queued.
    queued: Cell<usize>,
    unsent: Guarded<Unsent>,
    /// The socket was closed, or its loop went: so the whole request ends.
    ended: Cell<Option<io::Error>>,
}

impl Many {
    /// For `count` datagrams, of which `queued` wait and those in `unsent` have failed already.
    pub(crate) fn new(
        request: Rc<Plain<usize>>,
        count: usize,
        queued: usize,
        unsent: Unsent,
    ) -> Rc<Self> {
        Rc::new(Self {
            request,
            count,
            queued: Cell::new(queued),
            unsent: Guarded::new(unsent),
            ended: Cell::default(),
        })
    }

    /// The datagram at `place` was sent, or failed. The request with its result, if that was the last.
    pub(super) fn finish(
        &self,
        place: usize,
        result: io::Result<()>,
    ) -> Option<(Rc<Plain<usize>>, io::Result<usize>)> {
        if let Err(error) = result {
            self.unsent.with(|unsent| unsent.note(place, error));
        }
        self.one_less()
    }

    /// One that is queued goes, as all do that still are.
    pub(super) fn end(&self, error: &io::Error) -> Option<(Rc<Plain<usize>>, io::Result<usize>)> {
        self.ended.set(Some(copy_of(error)));
        self.one_less()
    }

    fn one_less(&self) -> Option<(Rc<Plain<usize>>, io::Result<usize>)> {
        self.queued.set(self.queued.get() - 1);
        if self.queued.get() > 0 {
            return None;
        }
        let result = match self.ended.take() {
            Some(error) => Err(error),
            None => self
                .unsent
                .with(|unsent| std::mem::replace(unsent, Unsent::new()))
                .result_of(self.count),
        };
        Some((self.request.clone(), result))
    }
}
