//! Posts: where the handler leaves a signal for a loop.
//!
//! ```text
//!   FIRST ─▶ post ─▶ post ─▶ post        a post is never freed, so the handler needs no lock to walk;
//!             │                          one that its loop gave back is the next loop's
//!             └─ writer ══ pipe ══▶ the loop
//! ```
//!
//! The pipe is the queue: it keeps order and number, and the kernel takes care of handlers that run on
//! several threads at once. When it is full, a note beside it keeps the kind.
//!
//! # Fork
//! A child made by `fork` has the handler, and the parent's pipe. A post names the process it belongs
//! to, and the handler of another one does not write: the parent is not told what the child caught.
//! A child that goes on with a loop of its own makes a post of its own; it can, unless another thread
//! held the lock when it was forked, which is the risk of every lock.

#![allow(unsafe_code)] // the handler uses a descriptor that it does not own, see `Post::send`

use std::array;
use std::iter;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst,
};
use std::thread;

use super::Caught;

/// Numbers of signals are below this on every system; the system itself refuses what it does not know.
const SIGNALS: usize = 129;
/// A message, which a pipe takes as a whole or not at all.
pub(super) const MESSAGE_LEN: usize = 8;
/// The process of a post that is free.
const NOBODY: u32 = 0;
/// Says nothing but that there are notes.
const NUDGE: Caught = Caught { signum: 0, epoch: 0 };

static FIRST: OnceLock<&'static Post> = OnceLock::new();

/// Where the handler leaves signals for one loop.
pub(super) struct Post {
    process: AtomicU32,
    writer: AtomicI32,
    /// How many handlers are between their second look at a kind and the end of their write.
    inside: AtomicUsize,
    /// Begins at 1.
    epoch: AtomicU64,
    has_notes: AtomicBool,
    kinds: [Kind; SIGNALS],
    next: OnceLock<&'static Post>,
}

/// One signal, for one loop.
#[derive(Default)]
struct Kind {
    /// Changed by the loop's thread only.
    watchers: AtomicUsize,
    /// The latest epoch in which the pipe had no room for it; 0 is none.
    noted: AtomicU64,
}

/// Leaves `signum` for each loop that watches it. What a handler calls.
pub(super) fn tell_all(signum: i32) {
    let process = process::id();
    for post in all() {
        post.tell(signum, process);
    }
}

/// All posts. `OnceLock::get` is a load.
fn all() -> impl Iterator<Item = &'static Post> {
    iter::successors(FIRST.get().copied(), |post| post.next.get().copied())
}

/// A post for the loop that reads the other end of `writer`. To be called under a lock.
pub(super) fn claim(writer: &OwnedFd) -> &'static Post {
    let free = all().find(|post| post.process.load(SeqCst) == NOBODY);
    let post = free.unwrap_or_else(append);
    post.writer.store(writer.as_raw_fd(), SeqCst);
    post.process.store(process::id(), SeqCst);
    post
}

fn append() -> &'static Post {
    let post: &'static Post = Box::leak(Box::new(Post::new()));
    let last = all().last().map_or(&FIRST, |last| &last.next);
    last.get_or_init(|| post)
}

impl Post {
    fn new() -> Self {
        Self {
            process: AtomicU32::new(NOBODY),
            writer: AtomicI32::new(-1),
            inside: AtomicUsize::new(0),
            epoch: AtomicU64::new(1),
            has_notes: AtomicBool::new(false),
            kinds: array::from_fn(|_| Kind::default()),
            next: OnceLock::new(),
        }
    }

    fn kind(&self, signum: i32) -> Option<&Kind> {
        self.kinds.get(usize::try_from(signum).ok()?)
    }

    pub(super) fn knows(signum: i32) -> bool {
        usize::try_from(signum).is_ok_and(|signum| (1..SIGNALS).contains(&signum))
    }

    /// Begins an epoch.
    pub(super) fn begin_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, SeqCst) + 1
    }

    /// One watcher more of `signum`, which is known; true if it is the first.
    pub(super) fn add_watcher(&self, signum: i32) -> bool {
        self.kind(signum).is_some_and(|kind| kind.watchers.fetch_add(1, SeqCst) == 0)
    }

    pub(super) fn has_one_watcher(&self, signum: i32) -> bool {
        self.kind(signum).is_some_and(|kind| kind.watchers.load(SeqCst) == 1)
    }

    pub(super) fn remove_watcher(&self, signum: i32) {
        if let Some(kind) = self.kind(signum) {
            kind.watchers.fetch_sub(1, SeqCst);
        }
    }

    fn tell(&self, signum: i32, process: u32) {
        let Some(kind) = self.kind(signum) else { return };
        if kind.watchers.load(SeqCst) == 0 || self.process.load(SeqCst) != process {
            return;
        }
        // The second look is what counts: see `give_back`. The first keeps those away who need not
        // come, so that the wait there has an end.
        self.inside.fetch_add(1, SeqCst);
        if kind.watchers.load(SeqCst) > 0 {
            self.leave(signum, kind);
        }
        self.inside.fetch_sub(1, SeqCst);
    }

    fn leave(&self, signum: i32, kind: &Kind) {
        let epoch = self.epoch.load(SeqCst);
        if self.send(Caught { signum, epoch }) {
            return;
        }
        kind.noted.fetch_max(epoch, SeqCst);
        self.has_notes.store(true, SeqCst);
        // If there is room now, the loop may have looked at the notes before this one was made. If
        // not, it looks at them when it has emptied the pipe.
        self.send(NUDGE);
    }

    /// Writes to the pipe; false if it is full.
    fn send(&self, caught: Caught) -> bool {
        // SAFETY: called with `inside` raised and a watcher seen after that. The loop that owns the
        // descriptor closes it after `give_back`, which waits until nobody is inside, in the same
        // process; a child has an own copy of the descriptor, and does not come here.
        let writer = unsafe { BorrowedFd::borrow_raw(self.writer.load(SeqCst)) };
        // It does not block and has a reader: what can fail is that it is full.
        rustix::io::write(writer, &encode(caught)).is_ok()
    }

    /// The signals that the pipe had no room for, since they were last taken: each once.
    pub(super) fn take_notes(&self, into: &mut Vec<Caught>) {
        if !self.has_notes.swap(false, SeqCst) {
            return;
        }
        for (signum, kind) in (0..).zip(&self.kinds) {
            let epoch = kind.noted.swap(0, SeqCst);
            if epoch > 0 {
                into.push(Caught { signum, epoch });
            }
        }
    }

    /// The loop has no watcher any more and is going to close the pipe: waits for handlers that are
    /// about to write. They are few instructions, and nothing interrupts them for long.
    pub(super) fn give_back(&self) {
        while self.inside.load(SeqCst) > 0 {
            // A child that was forked meanwhile has the count, but not the thread. It leaves the post
            // to nobody.
            if self.process.load(SeqCst) != process::id() {
                return;
            }
            thread::yield_now();
        }
        self.take_notes(&mut Vec::new());
        self.process.store(NOBODY, SeqCst);
    }
}

/// An epoch has 7 bytes: one a nanosecond would last for two years.
fn encode(caught: Caught) -> [u8; MESSAGE_LEN] {
    (caught.epoch << 8 | caught.signum as u64 & 0xff).to_ne_bytes()
}

/// What a message says; nothing if it is just a nudge.
pub(super) fn decode(message: [u8; MESSAGE_LEN]) -> Option<Caught> {
    let message = u64::from_ne_bytes(message);
    let caught = Caught { signum: (message & 0xff) as i32, epoch: message >> 8 };
    (caught.signum > 0).then_some(caught)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_was_encoded() {
        for caught in [
            Caught { signum: 1, epoch: 1 },
            Caught { signum: 128, epoch: (1 << 56) - 1 },
            Caught { signum: 64, epoch: 0 },
        ] {
            assert_eq!(decode(encode(caught)), Some(caught));
        }
        assert_eq!(decode(encode(NUDGE)), None);
    }

    #[test]
    fn a_post_is_given_back_when_nobody_is_inside_any_more() {
        static POST: OnceLock<Post> = OnceLock::new();
        let post = POST.get_or_init(Post::new);
        post.process.store(process::id(), SeqCst);
        post.inside.store(1, SeqCst);
        let is_left = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                post.give_back();
                assert!(is_left.load(SeqCst));
            });
            // Time for one that would not wait.
            (0..1000).for_each(|_| thread::yield_now());
            is_left.store(true, SeqCst);
            post.inside.store(0, SeqCst);
        });
        assert_eq!(post.process.load(SeqCst), NOBODY);
    }

    #[test]
    fn a_child_that_was_forked_while_somebody_was_inside_waits_for_nobody() {
        let post = Post::new();
        let parent = process::id() + 1;
        post.process.store(parent, SeqCst);
        post.inside.store(1, SeqCst);
        post.give_back();
        assert_eq!(post.process.load(SeqCst), parent, "it stays nobody's");
    }
}
