//! `start`: an epoll, an eventfd that wakes it, the first event.

use std::io::Result;
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::write;

use super::epoll::Epoll;
use crate::args::Args;
use crate::report::start_up;

pub(super) fn start(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut samples = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let (event, mut epoll) = (eventfd(0, EventfdFlags::NONBLOCK)?, Epoll::new()?);
        epoll.add(&event, 0)?;
        write(&event, &u64::to_ne_bytes(1))?;
        for _ in epoll.wait(None)? {
            samples.push(start.elapsed());
        }
    }
    start_up(samples, count)
}
