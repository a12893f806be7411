//! `file`: one kind of work on files, so many at a time, and what it took.
//!
//! ```text
//! file --op read|stat|write|large|block --width W --n N --dir D
//! ```
//!
//! Unlike `fs` a run does one thing, so that its time on all cores is that thing's.

use std::fs::File;
use std::io::{Error, Result};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::args::Args;
use crate::report::{check_done, figure, rate};

/// The length of a small file.
pub const SMALL: usize = 1024;
/// The length of a large one.
pub const LARGE: usize = 1024 * 1024;
/// The length of a part of one.
pub const BLOCK: usize = 4096;
/// How many small files there are: those of `fs`.
const SMALL_FILES: usize = 1000;
/// How many large files there are: as many as are read at a time.
pub const LARGE_FILES: usize = 64;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A small file is read: opened, read to its end and closed.
    Read,
    /// The length of a small file is asked for.
    Stat,
    /// A small file is replaced by as many bytes: opened, cut, written and closed.
    Write,
    /// A large file is read.
    Large,
    /// 4 KiB of a large file that is open are read into a buffer that is used again.
    Block,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct FileWork {
    /// What is done.
    pub operation: Operation,
    /// How often.
    pub count: u64,
    /// How many are under way at a time.
    pub width: u64,
    paths: Vec<PathBuf>,
}

impl FileWork {
    /// What `args` ask for.
    ///
    /// # Errors
    /// If they make no sense.
    pub fn from_args(args: &Args) -> Result<Self> {
        let operation = match args.value::<String>("op")?.as_str() {
            "read" => Operation::Read,
            "stat" => Operation::Stat,
            "write" => Operation::Write,
            "large" => Operation::Large,
            "block" => Operation::Block,
            other => return Err(Error::other(format!("--op {other}: makes no sense"))),
        };
        let directory: PathBuf = args.value("dir")?;
        let (prefix, files) = match operation {
            Operation::Read | Operation::Stat | Operation::Write => ("f", SMALL_FILES),
            Operation::Large | Operation::Block => ("l", LARGE_FILES),
        };
        let paths = (0..files).map(|number| directory.join(format!("{prefix}{number}"))).collect();
        Ok(Self { operation, count: args.value("n")?, width: args.value("width")?, paths })
    }

    /// The file of operation `number`.
    pub fn path(&self, number: u64) -> &PathBuf {
        &self.paths[number as usize % self.paths.len()]
    }

    /// How many bytes each operation is about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self.operation {
            Operation::Read | Operation::Stat | Operation::Write => SMALL,
            Operation::Large => LARGE,
            Operation::Block => BLOCK,
        }
    }

    /// Where operation `number` reads in an open file.
    #[must_use]
    pub fn offset(&self, number: u64) -> u64 {
        number * BLOCK as u64 % LARGE as u64
    }

    /// The file that place `number` of those under way reads in.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(&self, number: u64) -> Result<File> {
        File::open(self.path(number))
    }

    /// Fails unless a file was as long as it should be.
    ///
    /// # Errors
    /// If it was not.
    pub fn check(&self, len: usize) -> Result<()> {
        check_done(len as u64, self.bytes() as u64)
    }

    /// Starts the watch: the work begins, on this thread.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { start: Instant::now(), on_core: time_on_core(), count: self.count }
    }
}

/// Two clocks: the wall's, and that of the thread.
#[derive(Debug)]
pub struct Watch {
    start: Instant,
    on_core: Duration,
    count: u64,
}

impl Watch {
    /// Prints what the work took, which is done.
    pub fn stop(self) {
        let on_core = time_on_core() - self.on_core;
        rate("rate", self.start, self.count, "ops");
        figure("loop_thread", on_core.as_nanos() as f64 / self.count as f64, "ns/operation");
    }
}

/// What this thread has had of a core.
fn time_on_core() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
