//! What the tests of the pool share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use runtime::{JoinHandle, Loop, Pool};

/// A loop whose pool is `pool`.
pub fn on(pool: &Pool) -> Loop {
    Loop::builder().pool(pool.clone()).build().unwrap()
}

/// A job of the current loop that is under way in `pool`, and goes on until the sender is used or
/// dropped.
pub fn block_a_thread(pool: &Pool) -> (Sender<()>, JoinHandle<()>) {
    let (job, go) = blocking();
    let handle = pool.spawn_blocking(job);
    (go.begun(), handle)
}

/// The same for a job that belongs to no loop.
pub fn occupy(pool: &Pool) -> Sender<()> {
    let (job, go) = blocking();
    pool.execute(job).unwrap();
    go.begun()
}

/// What ends a blocking job, and tells that it began.
struct Go(Sender<()>, Receiver<()>);

impl Go {
    fn begun(self) -> Sender<()> {
        self.1.recv().unwrap();
        self.0
    }
}

fn blocking() -> (impl FnOnce() + Send + 'static, Go) {
    let (go, may_go) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let job = move || {
        started.send(()).unwrap();
        may_go.recv().ok();
    };
    (job, Go(go, has_started))
}

/// Says on which thread it was dropped.
pub struct Dropped(pub Sender<thread::ThreadId>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).ok();
    }
}

/// What a job does that never runs.
pub fn never(_held: Dropped) {
    unreachable!("it was cancelled");
}
