//! One stream into another: Node's `pipe`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::ByteStream;
use crate::error::Cancelled;
use crate::request::{Plain, Request, Waiting};

/// What a pipe needs of its source.
pub(crate) trait PipeSource: Clone + 'static {
    fn begin(&self, f: impl FnMut(&Self, io::Result<&[u8]>) + 'static);
    fn hold(&self);
    fn go_on(&self);
    fn leave(&self);
    fn request(&self) -> Rc<Plain<u64>>;
}

/// The state that the callbacks of one pipe share.
struct Pipe {
    request: Rc<Plain<u64>>,
    bytes: Cell<u64>,
    is_over: Cell<bool>,
}

impl Pipe {
    fn finish(&self, result: io::Result<()>) {
        if !self.is_over.replace(true) {
            self.request.settle_later(result.map(|()| self.bytes.get()));
        }
    }
}

impl Drop for Pipe {
    /// Whoever closed the source, or stopped its reading, ended the pipe.
    fn drop(&mut self) {
        if self.is_over.get() {
            return;
        }
        if self.request.state().is_dead() {
            self.request.abandon();
        } else {
            self.finish(Err(Cancelled.into()));
        }
    }
}

pub(crate) fn pipe_to<T: ByteStream>(source: &impl PipeSource, target: &T) -> Request<u64> {
    let pipe =
        Rc::new(Pipe { request: source.request(), bytes: Cell::new(0), is_over: Cell::new(false) });
    let (shared, target) = (pipe.clone(), target.clone());
    source.begin(move |source, data| match data {
        Err(error) => shared.finish(Err(error)),
        Ok([]) => {
            let shared = shared.clone();
            target.end().callback(move |ended| shared.finish(ended));
        }
        Ok(data) => {
            shared.bytes.set(shared.bytes.get() + data.len() as u64);
            let written = target.put(data);
            if target.has_much_queued() {
                wait_for(source, &target, &shared);
            }
            watch(source, written, &shared);
        }
    });
    Request::waiting(pipe.request.clone())
}

/// Pauses the source until the target is empty again.
fn wait_for(source: &impl PipeSource, target: &impl ByteStream, pipe: &Rc<Pipe>) {
    source.hold();
    let (source, pipe) = (source.clone(), pipe.clone());
    target.when_drained().callback(move |drained| match drained {
        Ok(()) => source.go_on(),
        Err(error) => {
            source.leave();
            pipe.finish(Err(error));
        }
    });
}

/// A write that fails ends the pipe. One that was done at once and well needs no callback.
fn watch(source: &impl PipeSource, written: Request<()>, pipe: &Rc<Pipe>) {
    if written.is_done_well() {
        return;
    }
    let (source, pipe) = (source.clone(), pipe.clone());
    written.callback(move |written| {
        if let Err(error) = written {
            source.leave();
            pipe.finish(Err(error));
        }
    });
}
