//! What a stream reads or writes: a file that it has opened, or one that somebody gave it.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::event_loop::copy_of;
use crate::fs::operation::Operation;
use crate::fs::{Descriptor, Error};
use crate::sys;

/// An open file.
#[derive(Clone)]
pub(super) enum Source {
    Own(Arc<File>),
    Given(Descriptor),
}

impl Source {
    pub(super) fn own(file: File) -> Self {
        Self::Own(Arc::new(file))
    }

    /// Closes it, if it is the stream's own: one that was given is closed with its last owner.
    pub(super) fn close(self) -> io::Result<()> {
        match self {
            Self::Own(file) => Arc::into_inner(file).map_or(Ok(()), sys::close),
            Self::Given(_) => Ok(()),
        }
    }
}

impl Deref for Source {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Own(file) => file,
            Self::Given(file) => file,
        }
    }
}

/// Where a stream that was given a file begins: at `start`, unless the file has no places to go to.
pub(super) fn place_in(file: &File, start: u64) -> Option<u64> {
    let found = io::Seek::stream_position(&mut &*file);
    let is_unseekable = found.is_err_and(|error| sys::is_unseekable(&error));
    (start > 0 || !is_unseekable).then_some(start)
}

/// Names what failed at the stream's path.
pub(super) fn failed(name: &'static str, path: &Path, error: io::Error) -> io::Error {
    Operation::on(name, path).failed(error)
}

/// The same error once more, for the next who asks.
pub(super) fn again(error: &io::Error) -> io::Error {
    Error::again(error).unwrap_or_else(|| copy_of(error))
}

/// No file has bytes there.
pub(super) fn no_such_bytes(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("no file has {what}"))
}
