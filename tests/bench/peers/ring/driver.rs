//! The driver: a ring in an epoll loop.
//!
//! ```text
//!   start ─▶ queued ─ io_uring_enter ─▶ [ kernel ] ─▶ completed ─ epoll_wait ─▶ taken
//!            once an iteration            some at once, inside of it     an event, or 0 ms to wait
//! ```
//!
//! The loop sleeps in `epoll_wait`, since sockets, timers and wake-ups of other threads end its sleep as
//! well, and asks there in each iteration, since files must not starve them. With `--wait ring` it sleeps
//! in the ring: what a loop without anything else could save.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use bench::args::Args;
use io_uring::{IoUring, squeue};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::Timespec;

/// `IORING_ENTER_GETEVENTS`: what is done may be completed now.
const GET_EVENTS: u32 = 1;

/// Open, read, close.
const LONGEST_CHAIN: u32 = 3;

pub(crate) struct Driver {
    ring: IoUring,
    epoll: OwnedFd,
    /// What the ring tells of work that was put off. An edge each time: it is never read.
    _signal: OwnedFd,
    wait: Wait,
    /// Completions wait in the kernel until they are asked for.
    is_deferred: bool,
    /// The last turn brought some of them. It may not have brought all: the kernel completes only so many
    /// in one call, and is silent about the rest.
    may_have_more: bool,
    /// The longest time that handing over has kept the loop's thread.
    longest: Duration,
}

/// Where the loop sleeps.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Epoll,
    Ring,
}

/// What became of an operation that was queued.
#[derive(Clone, Copy)]
pub(crate) struct Completed {
    /// The number it was queued with.
    pub(crate) number: u64,
    /// A length, a descriptor or nothing.
    pub(crate) result: rustix::io::Result<u32>,
}

impl Driver {
    /// A ring for `width` files at a time, each with a slot in the ring's own table.
    pub(crate) fn new(args: &Args, width: u64) -> Result<Self> {
        let wait = match args.value_or("wait", "epoll".to_owned())?.as_str() {
            "epoll" => Wait::Epoll,
            "ring" => Wait::Ring,
            other => return Err(Error::other(format!("--wait {other}: epoll or ring"))),
        };
        let setup: String = args.value_or("setup", "coop".to_owned())?;
        let ring = ring(&setup, width as u32 * LONGEST_CHAIN).map_err(|error| refused(&error))?;
        ring.submitter().register_files_sparse(width as u32)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let signal = eventfd(0, EventfdFlags::CLOEXEC)?;
        let is_deferred = setup == "defer";
        let (data, edges) = (EventData::new_u64(0), EventFlags::IN | EventFlags::ET);
        if is_deferred {
            // The ring itself says nothing of work that was put off: an epoll would sleep for ever.
            ring.submitter().register_eventfd(signal.as_raw_fd())?;
            epoll::add(&epoll, &signal, data, edges)?;
        } else {
            epoll::add(&epoll, &ring, data, edges)?;
        }
        let (may_have_more, longest) = (false, Duration::ZERO);
        Ok(Self { ring, epoll, _signal: signal, wait, is_deferred, may_have_more, longest })
    }

    /// Queues operations, all for one hand-over if there is room: a chain must not be cut.
    ///
    /// # Safety
    /// What `entries` point to stays where it is, and is touched by nobody else, until they have completed.
    pub(crate) unsafe fn queue(&mut self, entries: &[squeue::Entry]) -> Result<()> {
        loop {
            // SAFETY: the caller's promise.
            if unsafe { self.ring.submission().push_multiple(entries) }.is_ok() {
                return Ok(());
            }
            self.hand_over()?;
        }
    }

    /// One iteration: hands over what is queued, waits until something is completed, and returns that.
    pub(crate) fn turn(&mut self, completed: &mut Vec<Completed>) -> Result<()> {
        match self.wait {
            Wait::Epoll => self.wait_in_epoll()?,
            Wait::Ring => _ = retried(|| self.ring.submit_and_wait(1))?,
        }
        completed.extend(
            self.ring.completion().map(|entry| Completed {
                number: entry.user_data(),
                result: u32::try_from(entry.result())
                    .map_err(|_| Errno::from_raw_os_error(-entry.result())),
            }),
        );
        self.may_have_more = self.is_deferred && !completed.is_empty();
        Ok(())
    }

    fn wait_in_epoll(&mut self) -> Result<()> {
        if !self.ring.submission().is_empty() || self.may_have_more {
            self.hand_over()?;
        }
        let is_there = !self.ring.completion().is_empty();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events = Vec::with_capacity(1);
        let events = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&self.epoll, events, is_there.then_some(&at_once)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) if self.is_deferred => self.hand_over()?,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        let start = Instant::now();
        if self.is_deferred {
            let len = self.ring.submission().len() as u32;
            // SAFETY: nothing is passed but numbers.
            retried(|| unsafe { self.ring.submitter().enter::<()>(len, 0, GET_EVENTS, None) })?;
        } else {
            retried(|| self.ring.submit())?;
        }
        self.longest = self.longest.max(start.elapsed());
        Ok(())
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

fn ring(setup: &str, entries: u32) -> Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_clamp().setup_submit_all();
    match setup {
        "plain" => {}
        "coop" => _ = builder.setup_coop_taskrun().setup_single_issuer(),
        "defer" => _ = builder.setup_defer_taskrun().setup_single_issuer(),
        "sqpoll" => _ = builder.setup_sqpoll(100),
        other => {
            return Err(Error::other(format!("--setup {other}: plain, coop, defer or sqpoll")));
        }
    }
    builder.build(entries)
}

fn refused(error: &Error) -> Error {
    Error::new(std::io::ErrorKind::Unsupported, format!("the kernel refuses io_uring: {error}"))
}

/// Calls again what a signal has interrupted.
fn retried(call: impl Fn() -> Result<usize>) -> Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
