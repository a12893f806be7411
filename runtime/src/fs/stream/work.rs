//! The pool's side of a `WriteStream`: the file, and the bytes that are to be written.
//!
//! ```text
//!   loop: push, end ─▶ [ blocks ] ◀─ take all ── carry_out, in the pool
//!                      [ target ]  Unopened ─▶ Open ⇄ Away, with the job ─▶ Closed
//! ```
//!
//! A job takes what is there when it runs, so what was queued while it waited for a thread goes along.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::source::{Source, failed};
use crate::pool::Pool;
use crate::sys;

/// Small writes are put together up to this: one buffer for many of them.
const BLOCK: usize = 64 * 1024;
/// Buffers in one system call: 4 MiB of full blocks. No system takes fewer.
const SLICES: usize = 64;

/// How a file is opened.
pub(super) type Open = dyn FnOnce(&Path) -> io::Result<Opened> + Send;

/// An open file, and where the next byte goes; without a place, to the file's position or end.
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) at: Option<u64>,
}

/// What the jobs of a stream and its loop share.
pub(super) struct Work {
    path: Arc<Path>,
    sync_at_end: bool,
    shared: Mutex<Shared>,
    /// A job has put the file back.
    is_back: Condvar,
}

struct Shared {
    target: Target,
    blocks: VecDeque<Vec<u8>>,
    /// Nothing follows: the file is to be closed behind the last block.
    is_ending: bool,
    /// The loop is gone: who has the file writes on until nothing is left.
    is_left_alone: bool,
    /// The stream was closed: nobody wants the file any more.
    is_given_up: bool,
    /// Known once it is open: writing to it waits for nobody.
    is_regular: Option<bool>,
}

enum Target {
    Unopened(Box<Open>),
    Open(Opened),
    /// A job has it.
    Away,
    Closed,
}

/// What a job has done.
pub(super) struct Done {
    pub(super) written: u64,
    pub(super) is_closed: bool,
    pub(super) result: io::Result<()>,
}

/// What one turn of a job works on.
struct Turn {
    target: Target,
    blocks: VecDeque<Vec<u8>>,
    is_last: bool,
}

impl Shared {
    fn has_work(&self) -> bool {
        let is_open = !matches!(self.target, Target::Closed);
        is_open && (self.is_ending || !self.blocks.is_empty())
    }

    fn take_turn(&mut self) -> Option<Turn> {
        if matches!(self.target, Target::Away | Target::Closed) {
            return None;
        }
        let target = std::mem::replace(&mut self.target, Target::Away);
        Some(Turn { target, blocks: std::mem::take(&mut self.blocks), is_last: self.is_ending })
    }
}

impl Work {
    pub(super) fn new(path: Arc<Path>, sync_at_end: bool, open: Box<Open>) -> Arc<Self> {
        let shared = Shared {
            target: Target::Unopened(open),
            blocks: VecDeque::new(),
            is_ending: false,
            is_left_alone: false,
            is_given_up: false,
            is_regular: None,
        };
        let shared = Mutex::new(shared);
        Arc::new(Self { path, sync_at_end, shared, is_back: Condvar::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Queues a copy of `bytes`.
    pub(super) fn push(&self, bytes: &[u8]) {
        let blocks = &mut self.shared.lock().blocks;
        match blocks.back_mut() {
            Some(last) if last.len() + bytes.len() <= BLOCK => last.extend_from_slice(bytes),
            _ => blocks.push_back(bytes.to_vec()),
        }
    }

    pub(super) fn end(&self) {
        self.shared.lock().is_ending = true;
    }

    pub(super) fn has_work(&self) -> bool {
        self.shared.lock().has_work()
    }

    /// In the pool: opens the file, if it is the first job, writes what is queued, and closes it if that was
    /// the end.
    pub(super) fn carry_out(&self) -> Done {
        let mut done = Done { written: 0, is_closed: false, result: Ok(()) };
        loop {
            let Some(turn) = self.shared.lock().take_turn() else { return done };
            let target = self.carry_out_turn(turn, &mut done).unwrap_or_else(|error| {
                done.result = Err(error);
                Target::Closed
            });
            if !self.put_back(target) {
                return done;
            }
        }
    }

    /// True if there is more to do, and nobody else who would.
    fn put_back(&self, target: Target) -> bool {
        let mut shared = self.shared.lock();
        if let Target::Closed = target {
            shared.blocks.clear();
        }
        // Closed without the lock, if at all: that may take a while.
        let unwanted = if shared.is_given_up {
            shared.target = Target::Closed;
            Some(target)
        } else {
            shared.target = target;
            None
        };
        self.is_back.notify_all();
        let goes_on = shared.is_left_alone && shared.has_work();
        drop(shared);
        drop(unwanted);
        goes_on
    }

    fn carry_out_turn(&self, turn: Turn, done: &mut Done) -> io::Result<Target> {
        let Turn { target, blocks, is_last } = turn;
        let mut file = match target {
            Target::Unopened(open) => self.named("open", self.opened(open))?,
            Target::Open(file) => file,
            Target::Away | Target::Closed => unreachable!("no turn is taken then"),
        };
        self.named("write", file.write_all(&blocks, &mut done.written))?;
        if !is_last {
            return Ok(Target::Open(file));
        }
        if self.sync_at_end {
            self.named("fsync", file.source.sync_all())?;
        }
        self.named("close", file.source.close())?;
        done.is_closed = true;
        Ok(Target::Closed)
    }

    fn opened(&self, open: Box<Open>) -> io::Result<Opened> {
        let file = open(&self.path)?;
        let is_regular = file.source.metadata()?.is_file();
        self.shared.lock().is_regular = Some(is_regular);
        Ok(file)
    }

    fn named<T>(&self, name: &'static str, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| failed(name, &self.path, error))
    }

    /// Nobody wants what is queued any more. A job that runs goes on with what it has taken.
    pub(super) fn give_up(&self) {
        let mut shared = self.shared.lock();
        shared.is_given_up = true;
        let blocks = std::mem::take(&mut shared.blocks);
        let target = match shared.target {
            Target::Away => None,
            _ => Some(std::mem::replace(&mut shared.target, Target::Closed)),
        };
        drop(shared);
        drop((blocks, target));
    }

    /// The loop goes away: what was queued is written all the same. By this thread, if nobody can make
    /// it wait; else by the pool, for as long as the process lives.
    pub(super) fn write_last(self: &Arc<Self>, pool: &Pool) {
        let may_wait = !self.is_regular();
        let mut shared = self.shared.lock();
        shared.is_left_alone = may_wait;
        while !may_wait && matches!(shared.target, Target::Away) {
            self.is_back.wait(&mut shared);
        }
        let is_left = shared.has_work() && !matches!(shared.target, Target::Away);
        drop(shared);
        if !is_left {
            return;
        }
        if !may_wait {
            // Nobody is left to be told of an error.
            let _ = self.carry_out();
            return;
        }
        let work = self.clone();
        // The same, if there is no thread to be had.
        let _ = pool.execute(move || drop(work.carry_out()));
    }

    fn is_regular(&self) -> bool {
        let known = self.shared.lock().is_regular;
        // What is not there yet will be a file.
        known.unwrap_or_else(|| std::fs::metadata(&self.path).map_or(true, |found| found.is_file()))
    }
}

impl Opened {
    /// Writes all blocks, by as many calls as it takes, and counts what went.
    fn write_all(&mut self, blocks: &VecDeque<Vec<u8>>, written: &mut u64) -> io::Result<()> {
        let mut slices: Vec<_> = blocks.iter().map(|block| IoSlice::new(block)).collect();
        let mut rest = &mut slices[..];
        // None is left behind by `advance_slices`, but those of no length.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let next = &rest[..rest.len().min(SLICES)];
            let count = match self.at {
                None => sys::write_vectored(&self.source, next)?,
                Some(at) => sys::write_vectored_at(&self.source, next, at)?,
            };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.at = self.at.map(|at| at + count as u64);
            *written += count as u64;
            IoSlice::advance_slices(&mut rest, count);
        }
        Ok(())
    }
}
