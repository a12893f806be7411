//! One thread that waits for any number of children.
//!
//! ```text
//!   reap_at_end(child) ─▶ children ◀─ takes out who has ended ─ thread
//!            └── pidfd ─▶ epoll ───────── who has ended ──────────▲
//! ```
//!
//! The thread begins with the first child and ends with the last one, and so does the epoll.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{self, Child};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use super::exit_source;
use super::orphans::STACK;
use crate::sys::retry;

/// That of this process, while there is one.
static REAPER: Mutex<Option<Reaper>> = Mutex::new(None);

struct Reaper {
    /// The process whose thread it is: one that was forked from it has no such thread.
    process: u32,
    epoll: Arc<OwnedFd>,
    /// By the numbers of their pidfds, which are open as long.
    children: HashMap<u64, (Child, OwnedFd)>,
}

/// Waits for the end of `child` in the background.
///
/// # Errors
/// The child, if there is no descriptor or thread left for that.
pub(super) fn reap_at_end(child: Child) -> Result<(), Child> {
    let mut reaper = REAPER.lock();
    match Reaper::watch(&mut reaper, &child) {
        Ok((reaper, pidfd)) => {
            reaper.children.insert(number_of(&pidfd), (child, pidfd));
            Ok(())
        }
        Err(_) => Err(child),
    }
}

impl Reaper {
    /// Watches `child` by the reaper that there is, or by a new one.
    fn watch<'a>(
        current: &'a mut Option<Self>,
        child: &Child,
    ) -> io::Result<(&'a mut Self, OwnedFd)> {
        let pidfd = exit_source(child)?;
        let reaper = match current.take_if(|reaper| reaper.process == process::id()) {
            Some(reaper) => reaper,
            None => Self::start()?,
        };
        let reaper = current.insert(reaper);
        let key = epoll::EventData::new_u64(number_of(&pidfd));
        epoll::add(&reaper.epoll, &pidfd, key, epoll::EventFlags::IN)?;
        Ok((reaper, pidfd))
    }

    fn start() -> io::Result<Self> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let waited = epoll.clone();
        let thread = thread::Builder::new().name("runtime-reaper".into()).stack_size(STACK);
        thread.spawn(move || reap_all(&waited))?;
        Ok(Self { process: process::id(), epoll, children: HashMap::new() })
    }
}

fn number_of(pidfd: &OwnedFd) -> u64 {
    pidfd.as_raw_fd() as u64
}

/// Waits for all children that there are. What the thread does.
fn reap_all(epoll: &OwnedFd) {
    let mut events = Vec::with_capacity(64);
    loop {
        events.clear();
        if retry(|| epoll::wait(epoll, spare_capacity(&mut events), None)).is_err() {
            return; // It can't fail: what it is given is an epoll.
        }
        let (ended, is_last) = take_ended(&events);
        // Not under the lock, though none makes it wait: who adopts one must not, in any case.
        for (mut child, _pidfd) in ended {
            // It has ended, or somebody else has waited for it.
            let _ = child.wait();
        }
        if is_last {
            return;
        }
    }
}

/// Takes out the children that have ended; says whether they are the last ones, and the reaper gone.
fn take_ended(events: &[epoll::Event]) -> (Vec<(Child, OwnedFd)>, bool) {
    let mut current = REAPER.lock();
    let Some(reaper) = current.as_mut() else { return (Vec::new(), true) };
    let ended = events.iter().filter_map(|event| reaper.children.remove(&event.data.u64()));
    let ended = ended.collect();
    let is_last = reaper.children.is_empty();
    if is_last {
        *current = None;
    }
    (ended, is_last)
}
