//! epoll in its safe form: level-triggered, for reading.

use std::io::{Error, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

const EVENTS: usize = 1024;

/// An epoll descriptor and room for its events.
pub(super) struct Epoll {
    fd: OwnedFd,
    events: Box<[MaybeUninit<epoll::Event>; EVENTS]>,
}

impl Epoll {
    pub(super) fn new() -> Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { fd, events: Box::new([MaybeUninit::uninit(); EVENTS]) })
    }

    pub(super) fn add(&self, source: impl AsFd, key: u64) -> Result<()> {
        let key = epoll::EventData::new_u64(key);
        Ok(epoll::add(&self.fd, source, key, epoll::EventFlags::IN)?)
    }

    /// Waits, `limit` at most, and gives the keys of what is ready.
    pub(super) fn wait(&mut self, limit: Option<Duration>) -> Result<impl Iterator<Item = u64>> {
        let limit = limit.map(Timespec::try_from).transpose().map_err(Error::other)?;
        let (events, _) = epoll::wait(&self.fd, &mut self.events[..], limit.as_ref())?;
        Ok(events.iter().map(|event| event.data.u64()))
    }
}
