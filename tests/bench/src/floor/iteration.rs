//! `loop` and `many`: a wait that finds nothing.

use std::io::Result;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::epoll::Epoll;
use crate::args::Args;
use crate::report::each;

const NOWHERE: &str = "127.0.0.1:0";

pub(super) fn empty(args: &Args) -> Result<()> {
    measure("loop_nowait", args.value("n")?, &[])
}

/// Only sockets are something to the system.
pub(super) fn many(args: &Args) -> Result<()> {
    let (count, sockets): (u64, u64) = (args.value("n")?, args.value("sockets")?);
    measure("many_none", count, &[])?;
    let udp = (0..sockets).map(|_| Ok(UdpSocket::bind(NOWHERE)?.into()));
    measure("many_udp", count, &udp.collect::<Result<Vec<_>>>()?)?;
    let tcp = (0..sockets).map(|_| Ok(TcpListener::bind(NOWHERE)?.into()));
    measure("many_tcp", count, &tcp.collect::<Result<Vec<_>>>()?)
}

fn measure(name: &str, count: u64, idle: &[OwnedFd]) -> Result<()> {
    let listener = TcpListener::bind(NOWHERE)?;
    let mut epoll = Epoll::new()?;
    epoll.add(&listener, 0)?;
    idle.iter().try_for_each(|socket| epoll.add(socket, 1))?;
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(epoll.wait(Some(Duration::ZERO))?.count(), 0);
    }
    each(name, start, count, "iteration");
    Ok(())
}
