//! Windows: the console tells on a thread of its own, where locks are allowed.

#![allow(unsafe_code)] // SetConsoleCtrlHandler takes a function

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use windows_sys::Win32::Foundation::{FALSE, TRUE};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use super::{Caught, refused};
use crate::reactor::{Poller, Wakeup};

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGBREAK: i32 = 21;
/// The numbers that there are, as libuv has them: SIGWINCH is the last.
const LAST: i32 = 28;
/// Signals that a loop keeps; beyond it each kind is kept once.
const ROOM: usize = 8192;

/// The posts of all loops, and how many watchers there are.
static POSTS: Mutex<Posts> = Mutex::new(Posts { all: Vec::new(), watchers: 0 });

struct Posts {
    all: Vec<Weak<Post>>,
    watchers: usize,
}

/// Where the console's thread leaves signals for one loop.
#[derive(Debug)]
struct Post {
    state: Mutex<State>,
    is_due: AtomicBool,
    wakeup: Arc<Wakeup>,
}

#[derive(Debug, Default)]
struct State {
    /// The signals watched, each as often as it has watchers.
    watched: Vec<i32>,
    queue: VecDeque<Caught>,
    epoch: u64,
}

/// A loop's end: where the signals arrive that it watches.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Post>);

impl Inbox {
    pub(crate) fn new(poller: &Rc<Poller>, _key: usize) -> io::Result<Self> {
        let post = Arc::new(Post {
            state: Mutex::default(),
            is_due: AtomicBool::new(false),
            wakeup: poller.wakeup().clone(),
        });
        let mut posts = POSTS.lock();
        posts.all.retain(|post| post.strong_count() > 0);
        posts.all.push(Arc::downgrade(&post));
        Ok(Self(post))
    }

    /// No source of its is polled: the wake-up does.
    pub(crate) fn arrived(&self) {}

    /// Whether there is something to take.
    pub(crate) fn is_due(&self) -> bool {
        self.0.is_due.load(SeqCst)
    }

    /// Takes what arrived, in the order it was caught.
    pub(crate) fn take(&self, into: &mut Vec<Caught>) -> io::Result<()> {
        let mut state = self.0.state.lock();
        self.0.is_due.store(false, SeqCst);
        into.extend(state.queue.drain(..));
        Ok(())
    }

    /// One watcher more of `signum`. Gives the epoch that begins with it.
    pub(crate) fn watch(&self, signum: i32) -> io::Result<u64> {
        if !(1..=LAST).contains(&signum) {
            return Err(refused(signum, "there is no such signal"));
        }
        if signum == SIGKILL {
            return Err(refused(signum, "the system lets nobody catch it"));
        }
        let mut posts = POSTS.lock();
        if posts.watchers == 0 {
            set_handler(true)?;
        }
        posts.watchers += 1;
        let mut state = self.0.state.lock();
        state.watched.push(signum);
        state.epoch += 1;
        Ok(state.epoch)
    }

    /// One watcher less.
    pub(crate) fn unwatch(&self, signum: i32) {
        let mut posts = POSTS.lock();
        posts.watchers -= 1;
        if posts.watchers == 0 {
            // It can fail only if the handler is not there.
            let _ = set_handler(false);
        }
        let mut state = self.0.state.lock();
        if let Some(at) = state.watched.iter().position(|&watched| watched == signum) {
            state.watched.swap_remove(at);
        }
    }
}

impl Post {
    /// Whether this loop watches it, and is told.
    fn tell(&self, signum: i32) -> bool {
        let mut state = self.state.lock();
        if !state.watched.contains(&signum) {
            return false;
        }
        let epoch = state.epoch;
        let is_kept = |state: &State| state.queue.iter().any(|caught| caught.signum == signum);
        if state.queue.len() < ROOM || !is_kept(&state) {
            state.queue.push_back(Caught { signum, epoch });
        }
        self.is_due.store(true, SeqCst);
        self.wakeup.notify();
        true
    }
}

fn set_handler(on: bool) -> io::Result<()> {
    // SAFETY: the handler is a function of the program, which is there as long as the program.
    match unsafe { SetConsoleCtrlHandler(Some(handler), if on { TRUE } else { FALSE }) } {
        FALSE => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

unsafe extern "system" fn handler(event: u32) -> BOOL {
    let signum = match event {
        CTRL_C_EVENT => SIGINT,
        CTRL_BREAK_EVENT => SIGBREAK,
        CTRL_CLOSE_EVENT | CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => SIGHUP,
        _ => return FALSE,
    };
    // Told without the lock of all posts: a loop that is told may want it.
    let posts = POSTS.lock().all.clone();
    let told = posts.iter().filter_map(Weak::upgrade).filter(|post| post.tell(signum)).count();
    if told == 0 {
        return FALSE;
    }
    if signum == SIGHUP {
        // The process ends when this returns, or some seconds later: the loops have those.
        thread::sleep(Duration::MAX);
    }
    TRUE
}
