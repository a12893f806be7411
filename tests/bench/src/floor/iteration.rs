//! `loop`: a wait that finds nothing.

use std::io::Result;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::epoll::Epoll;
use crate::args::Args;
use crate::report::each;

pub(super) fn empty(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut epoll = Epoll::new()?;
    epoll.add(&listener, 0)?;
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(epoll.wait(Some(Duration::ZERO))?.count(), 0);
    }
    each("loop_nowait", start, count, "iteration");
    Ok(())
}
