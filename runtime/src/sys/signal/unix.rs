//! What is caught, for whom, and what the process did before.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::LazyLock;
use std::{cell::Cell, fmt};

use parking_lot::Mutex;
use rustix::io::{ioctl_fionbio, ioctl_fionread};

use super::action::{self, Former};
use super::post::{self, MESSAGE_LEN, Post, decode};
use super::{Caught, refused};
use crate::reactor::{Interest, Poller, Watched};
use crate::sys::retry;

/// Messages that are taken at once: what a phase delivers. More is reported again by the next wait.
const MESSAGES: usize = 512;

/// Signals that are caught: how many loops want each, and what the process did before. Also held
/// while a post changes hands.
static CATCHING: LazyLock<Mutex<BTreeMap<i32, Catching>>> = LazyLock::new(Mutex::default);

struct Catching {
    loops: usize,
    former: Former,
}

/// A loop's end: where the signals arrive that it watches.
pub(crate) struct Inbox {
    reader: Watched<OwnedFd>,
    post: &'static Post,
    is_due: Cell<bool>,
    /// Closed when the post is given back.
    _writer: OwnedFd,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("is_due", &self.is_due).finish_non_exhaustive()
    }
}

impl Inbox {
    /// An inbox of the loop that waits by `poller`; what arrives is reported with `key`.
    pub(crate) fn new(poller: &Rc<Poller>, key: usize) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        ioctl_fionbio(&reader, true)?;
        ioctl_fionbio(&writer, true)?;
        let reader = Watched::new(poller, OwnedFd::from(reader));
        reader.set_interest(key, Interest::READABLE)?;
        let writer = OwnedFd::from(writer);
        let _catching = CATCHING.lock();
        Ok(Self { reader, post: post::claim(&writer), is_due: Cell::new(false), _writer: writer })
    }

    /// The poller reported it.
    pub(crate) fn arrived(&self) {
        self.is_due.set(true);
    }

    /// Whether there is something to take.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due.get()
    }

    /// Takes what arrived, in the order it was caught.
    pub(crate) fn take(&self, into: &mut Vec<Caught>) -> io::Result<()> {
        self.is_due.set(false);
        let mut buffer = [0; MESSAGES * MESSAGE_LEN];
        let read =
            self.reader.with(|reader| match retry(|| rustix::io::read(reader, &mut buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                read => read,
            })?;
        let (messages, _) = buffer[..read].as_chunks();
        into.extend(messages.iter().copied().filter_map(decode));
        // What is noted came when the pipe was full, so it is behind all that was in it. The last
        // messages may just fill the buffer, and an empty pipe is not reported again.
        let is_empty =
            read < buffer.len() || self.reader.with(|reader| Ok(ioctl_fionread(reader)? == 0))?;
        if is_empty {
            self.post.take_notes(into);
        }
        Ok(())
    }

    /// One watcher more of `signum`. Gives the epoch that begins with it.
    pub(crate) fn watch(&self, signum: i32) -> io::Result<u64> {
        if let Some(why) = why_not(signum) {
            return Err(refused(signum, why));
        }
        // First of all: what is caught from now on is for the new watcher too.
        let epoch = self.post.begin_epoch();
        let mut catching = CATCHING.lock();
        if self.post.add_watcher(signum)
            && let Err(error) = catch(&mut catching, signum)
        {
            self.post.remove_watcher(signum);
            return Err(error);
        }
        Ok(epoch)
    }

    /// One watcher less.
    pub(crate) fn unwatch(&self, signum: i32) {
        let mut catching = CATCHING.lock();
        // Released first: what comes until then is still for somebody.
        if self.post.has_one_watcher(signum) {
            release(&mut catching, signum);
        }
        self.post.remove_watcher(signum);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let _catching = CATCHING.lock();
        self.post.give_back();
    }
}

fn catch(catching: &mut BTreeMap<i32, Catching>, signum: i32) -> io::Result<()> {
    if let Some(catching) = catching.get_mut(&signum) {
        catching.loops += 1;
        return Ok(());
    }
    let former = action::catch(signum)
        .map_err(|error| refused(signum, &format!("the system says {error}")))?;
    catching.insert(signum, Catching { loops: 1, former });
    Ok(())
}

fn release(catching: &mut BTreeMap<i32, Catching>, signum: i32) {
    let Some(known) = catching.get_mut(&signum) else { return };
    known.loops -= 1;
    if known.loops == 0 {
        action::restore(signum, &known.former);
        catching.remove(&signum);
    }
}

/// Why a signal can't be watched, if it can't.
fn why_not(signum: i32) -> Option<&'static str> {
    match signum {
        libc::SIGKILL | libc::SIGSTOP => Some("the system lets nobody catch it"),
        // When the handler returns, the instruction that failed runs again, and fails again, for
        // ever. And the standard library tells a stack overflow by it.
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => {
            Some("it tells of a fault, which would repeat for ever")
        }
        _ if !Post::knows(signum) => Some("there is no such signal"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_post_of_a_loop_that_is_gone_is_the_next_loops() {
        let poller = Poller::new().unwrap();
        let first = Inbox::new(&poller, 1).unwrap();
        let post: *const Post = first.post;
        let second = Inbox::new(&poller, 2).unwrap();
        assert!(!std::ptr::eq(post, second.post));
        drop(first);
        assert!(std::ptr::eq(post, Inbox::new(&poller, 3).unwrap().post));
    }
}
