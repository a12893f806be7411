//! `many`: iterations in which nothing happens, beside handles that have nothing to do.

use std::future::pending;
use std::io::Result;
use std::time::Instant;

use runtime::handle::{Check, Idle, Prepare, Timer};
use runtime::net::{TcpListener, UdpSocket};
use runtime::{Loop, secs, spawn};

use crate::args::Args;
use crate::report::{check_done, each};

/// As many tasks begin in one iteration, and more.
const BEGIN_AT_ONCE: u64 = 1000;

const NOWHERE: &str = "127.0.0.1:0";

pub(super) fn many(args: &Args) -> Result<()> {
    let (count, idle, sockets) = (args.value("n")?, args.value("idle")?, args.value("sockets")?);
    measure("many_none", count, 0, |_| Ok(()))?;
    measure("many_timers", count, idle, |_| {
        let timer = Timer::new();
        timer.start(secs(3600), None, |_| ())?;
        timer.stop();
        Ok(timer)
    })?;
    measure("many_watchers", count, idle / 3, |_| {
        let (idle, prepare, check) = (Idle::new(), Prepare::new(), Check::new());
        idle.start(|_| ())?;
        prepare.start(|_| ())?;
        check.start(|_| ())?;
        idle.stop();
        prepare.stop();
        check.stop();
        Ok((idle, prepare, check))
    })?;
    measure("many_tasks", count, idle, |_| Ok(spawn(pending::<()>())))?;
    measure("many_udp", count, sockets, |_| {
        let socket = UdpSocket::bind(NOWHERE)?;
        socket.recv_start(|_, _| ());
        Ok(socket)
    })?;
    measure("many_tcp", count, sockets, |_| {
        let listener = TcpListener::bind(NOWHERE)?;
        listener.listen(|_, _| ());
        Ok(listener)
    })
}

/// Prints what an iteration takes beside so many of what `make` makes.
fn measure<T>(name: &str, count: u64, idle: u64, make: impl Fn(u64) -> Result<T>) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    // So that there is something to wait for.
    TcpListener::bind(NOWHERE)?.listen(|_, _| ());
    let _idle = (0..idle).map(make).collect::<Result<Vec<_>>>()?;
    for _ in 0..=idle / BEGIN_AT_ONCE {
        lp.run_nowait()?;
    }
    let mut done = 0;
    let start = Instant::now();
    for _ in 0..count {
        done += u64::from(lp.run_nowait()?);
    }
    each(name, start, count, "iteration");
    check_done(done, count)
}
