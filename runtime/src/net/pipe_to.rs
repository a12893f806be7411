//! One stream into another: Node's `pipe`, and its `pipeline`.
//!
//! ```text
//!   source ── data ──▶ put ──▶ target        full: the source pauses until the target is drained
//!     │ the end ─────▶ end ──▶   │           then the result: the number of bytes
//!     └── error ──▶ [ Pipe ] ◀───┘ error, or closed
//!                  over, once: the source is left, or both are closed
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use super::ByteStream;
use super::stream::sealed::Sealed;
use crate::base::Guarded;
use crate::error::{Cancelled, Closed, Result};
use crate::event_loop::{Answer, Dispatcher, Flow, Handle, Onward, State};
use crate::request::{Plain, Request, RequestId, Waiting};
use crate::task::job::Ended;

/// What bytes can be piped from: the byte streams, and a file that is streamed.
///
/// The trait is sealed. It has what [`io::pipe`](crate::io::pipe) needs of its source; the types have the
/// rest as methods of their own.
pub trait ByteSource: Sealed + Clone + Deref<Target = Handle> + 'static {
    #[doc(hidden)]
    fn begin(&self, f: impl FnMut(&Self, io::Result<&[u8]>) -> Result + 'static);
    #[doc(hidden)]
    fn hold(&self);
    #[doc(hidden)]
    fn go_on(&self);
    #[doc(hidden)]
    fn leave(&self);
}

/// Told how many bytes have gone.
pub(crate) type OnProgress = Box<dyn FnMut(u64) -> Result>;
/// Makes other bytes of some; of none at the end.
pub(crate) type Transform = Box<dyn FnMut(&[u8]) -> io::Result<Vec<u8>>>;

/// What a pipe does with each chunk, besides passing it on.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) on_progress: Option<OnProgress>,
    pub(crate) transform: Option<Transform>,
}

impl Steps {
    fn transformed<'a>(&mut self, data: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
        match &mut self.transform {
            Some(transform) => transform(data).map(Cow::Owned),
            None => Ok(Cow::Borrowed(data)),
        }
    }

    fn tell(&mut self, bytes: u64) -> Result {
        self.on_progress.as_mut().map_or(Ok(()), |on_progress| on_progress(bytes))
    }
}

/// What becomes of the two streams when one of them fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    LeaveSource,
    CloseBoth,
}

/// The state that the callbacks of one pipe share.
struct Pipe<S: ByteSource, T: ByteStream> {
    /// Out when it is over.
    ends: Guarded<Option<(S, T)>>,
    /// The wait for the target to be closed; its drop leaves the target's line.
    watch: Guarded<Option<Request<()>>>,
    request: Rc<Plain<u64>>,
    bytes: Cell<u64>,
    /// The source has ended, and the target is being ended.
    is_ending: Cell<bool>,
    on_error: OnError,
}

impl<S: ByteSource, T: ByteStream> Pipe<S, T> {
    fn new(source: &S, target: &T, on_error: OnError) -> Rc<Self> {
        Rc::new(Self {
            ends: Guarded::new(Some((source.clone(), target.clone()))),
            watch: Guarded::default(),
            request: Plain::new(source.state()),
            bytes: Cell::new(0),
            is_ending: Cell::new(false),
            on_error,
        })
    }

    fn is_over(&self) -> bool {
        self.ends.with(|ends| ends.is_none())
    }

    /// It is over, with this, unless it was before.
    fn finish(&self, result: io::Result<()>) {
        let Some((source, target)) = self.ends.take() else { return };
        drop(self.watch.take());
        if result.is_err() && self.on_error == OnError::CloseBoth {
            source.close();
            target.close();
        }
        self.request.settle_later(result.map(|()| self.bytes.get()));
    }

    fn target_failed(&self, error: io::Error) {
        let Some((source, target)) = self.ends.with(|ends| ends.clone()) else { return };
        // What a close cancels says less than what it was closed for.
        let is_closed = target.is_closing() && Cancelled::is_in(&error);
        self.finish(Err(if is_closed { why_closed(&target) } else { error }));
        source.leave();
    }

    /// Looks out for the end of the target: nothing else tells of it while the source is silent.
    fn watch_target(self: &Rc<Self>, target: &T) {
        let Some(answer) = target.on_closed() else {
            return self.finish(Err(why_closed(target)));
        };
        let request = Request::waiting(Plain::of_answer(target.state(), answer));
        request.pass_on(Rc::new(TargetClosed(Rc::downgrade(self))));
        self.watch.with(|watch| *watch = Some(request));
    }

    fn put(self: &Rc<Self>, source: &S, target: &T, data: &[u8]) {
        self.bytes.set(self.bytes.get() + data.len() as u64);
        let written = target.put(data);
        if target.has_much_queued() {
            self.wait_for_drain(source, target);
        }
        // One that was done at once and well needs no callback.
        if !written.is_done_well() {
            let pipe = self.clone();
            written.callback(move |written| {
                written.err().into_iter().for_each(|error| pipe.target_failed(error));
            });
        }
    }

    /// Pauses the source until the target is empty again.
    fn wait_for_drain(self: &Rc<Self>, source: &S, target: &T) {
        source.hold();
        let (source, pipe) = (source.clone(), self.clone());
        target.when_drained().callback(move |drained| match drained {
            // Who reads from the source after the pipe has paused it for a reason of their own.
            Ok(()) if pipe.is_over() => {}
            Ok(()) => source.go_on(),
            Err(error) => pipe.target_failed(error),
        });
    }

    fn end(self: &Rc<Self>, target: &T) {
        self.is_ending.set(true);
        let pipe = self.clone();
        target.end().callback(move |ended| match ended {
            Ok(()) => pipe.finish(Ok(())),
            Err(error) => pipe.target_failed(error),
        });
    }
}

fn why_closed(target: &impl ByteStream) -> io::Error {
    target.why_ended().unwrap_or_else(|| Closed.into())
}

impl<S: ByteSource, T: ByteStream> Drop for Pipe<S, T> {
    fn drop(&mut self) {
        if !self.is_over() {
            self.request.abandon();
        }
    }
}

/// The read callback's share of a pipe: whoever closed the source, or stopped its reading, ended the pipe.
struct Reading<S: ByteSource, T: ByteStream>(Rc<Pipe<S, T>>);

impl<S: ByteSource, T: ByteStream> Drop for Reading<S, T> {
    fn drop(&mut self) {
        let pipe = &self.0;
        if pipe.request.state().is_dead() {
            let ends = pipe.ends.take();
            if ends.is_some() {
                pipe.request.abandon();
            }
        } else if !pipe.is_ending.get() {
            pipe.finish(Err(Cancelled.into()));
        }
    }
}

/// Waits for the end of a target.
struct TargetClosed<S: ByteSource, T: ByteStream>(Weak<Pipe<S, T>>);

impl<S: ByteSource, T: ByteStream> TargetClosed<S, T> {
    fn tell(&self) {
        if let Some(pipe) = self.0.upgrade() {
            pipe.target_failed(Cancelled.into());
        }
    }
}

impl<S: ByteSource, T: ByteStream> Onward<io::Result<()>> for TargetClosed<S, T> {
    fn settle(&self, _: io::Result<()>, d: &mut Dispatcher<'_>) -> Flow {
        self.tell();
        d.checkpoint()
    }

    fn settle_later(&self, _: io::Result<()>) {
        self.tell();
    }

    /// The loop goes away, and with it the pipe.
    fn abandon(&self, _: io::Result<()>) {}
}

/// It waits for no job.
impl<S: ByteSource, T: ByteStream> Onward<Ended> for TargetClosed<S, T> {
    fn settle(&self, _: Ended, _: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    fn settle_later(&self, _: Ended) {}

    fn abandon(&self, _: Ended) {}
}

/// The request of a pipeline, which can be stopped.
struct Stoppable<S: ByteSource, T: ByteStream> {
    request: Rc<Plain<u64>>,
    pipe: Weak<Pipe<S, T>>,
}

impl<S: ByteSource, T: ByteStream> Waiting<io::Result<u64>> for Stoppable<S, T> {
    fn answer(&self) -> &Answer<io::Result<u64>> {
        self.request.answer()
    }

    fn state(&self) -> &Rc<State> {
        self.request.state()
    }

    fn id(&self) -> RequestId {
        RequestId::DEAD
    }

    fn cancel(&self) -> bool {
        let Some(pipe) = self.pipe.upgrade().filter(|pipe| !pipe.is_over()) else { return false };
        pipe.finish(Err(Cancelled.into()));
        true
    }

    fn refuse(&self) {
        self.request.refuse();
    }
}

/// Node's `pipe`: an error leaves the target open.
pub(crate) fn pipe_to<S: ByteSource, T: ByteStream>(source: &S, target: &T) -> Request<u64> {
    let pipe = Pipe::new(source, target, OnError::LeaveSource);
    begin(&pipe, source, target, Steps::default());
    Request::waiting(pipe.request.clone())
}

/// Node's `pipeline`: an error closes both.
pub(crate) fn pipeline<S: ByteSource, T: ByteStream>(
    source: &S,
    target: &T,
    steps: Steps,
) -> Request<u64> {
    let pipe = Pipe::new(source, target, OnError::CloseBoth);
    begin(&pipe, source, target, steps);
    let (request, pipe) = (pipe.request.clone(), Rc::downgrade(&pipe));
    Request::waiting(Rc::new(Stoppable { request, pipe }))
}

fn begin<S: ByteSource, T: ByteStream>(
    pipe: &Rc<Pipe<S, T>>,
    source: &S,
    target: &T,
    mut steps: Steps,
) {
    pipe.watch_target(target);
    if pipe.is_over() {
        return;
    }
    let (reading, target) = (Reading(pipe.clone()), target.clone());
    source.begin(move |source, data| {
        let pipe = &reading.0;
        let piece = match data.and_then(|data| Ok((data.is_empty(), steps.transformed(data)?))) {
            Ok(piece) => piece,
            Err(error) => {
                pipe.finish(Err(error));
                return Ok(());
            }
        };
        // What transforms may have closed one of them.
        if pipe.is_over() {
            return Ok(());
        }
        let (is_end, data) = piece;
        if !data.is_empty() {
            pipe.put(source, &target, &data);
        }
        if is_end {
            pipe.end(&target);
        }
        if data.is_empty() { Ok(()) } else { steps.tell(pipe.bytes.get()) }
    });
}
