//! A system whose own way is not ours: the `notify` crate would know it.

use std::io;
use std::path::Path;

use super::change::not_watched;
use super::{News, Wake, WatchSource, WatcherId};

/// Watches nothing.
pub(crate) struct Backend;

impl Backend {
    pub(crate) fn new() -> io::Result<(Self, Option<WatchSource>)> {
        Ok((Self, None))
    }

    pub(crate) fn start(
        &mut self,
        _: WatcherId,
        path: &Path,
        _: bool,
        _: Wake,
        _: &mut Vec<News>,
    ) -> io::Result<()> {
        let message = "on this system that needs the feature `notify` of the crate `runtime`";
        Err(not_watched(path, None, io::Error::new(io::ErrorKind::Unsupported, message)))
    }

    pub(crate) fn stop(&mut self, _: WatcherId) {}

    pub(crate) fn read(&mut self, _: &mut Vec<News>) -> io::Result<()> {
        Ok(())
    }
}
