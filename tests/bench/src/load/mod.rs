//! Loads: each drives one kind of server, checks all that comes back, and reports.
//!
//! ```text
//!   connect ─▶ warm up ─▶ server's CPU time ─▶ N requests, all answered ─▶ its CPU time again
//!                         └─────────────────── what is reported ──────────────────────────┘
//! ```
//!
//! Both readings are taken with no request under way, so that they are of the same N requests. The time
//! on the wall depends on who else is on the cores; the server's own CPU time hardly does. Where the
//! load itself was on a core nearly all the time (`load_busy`), the rate is the load's.

mod accept;
mod conversation;
mod echo;
mod idle;
mod message;
mod server;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use bench::report::{figure, unsupported};
pub(crate) use server::Server;

/// What is asked of which server.
pub(crate) struct Load {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// Its process.
    pub(crate) server: Server,
    /// Connections or senders that are open at a time, where the workload has a choice.
    pub(crate) connections: usize,
    /// How many of them are asked at a time; of an echo, all where not given.
    pub(crate) active: Option<usize>,
    /// Messages, connections or MiB, as the workload counts.
    pub(crate) requests: u64,
    /// When a server that does not answer is given up.
    pub(crate) deadline: Instant,
}

impl Load {
    /// Drives the server as `workload` does, and prints what it cost.
    ///
    /// # Errors
    /// When the server is gone, answers something else than it should, or nothing at all.
    pub(crate) fn run(&self, workload: &str) -> Result<()> {
        if self.requests == 0 || self.connections == 0 {
            return Err(Error::other("a load of nothing measures nothing"));
        }
        match workload {
            "echo" => echo::over_tcp(self),
            "udp" => echo::over_udp(self),
            "stream" => stream::run(self),
            "accept" => accept::run(self),
            "idle" => idle::run(self),
            _ => Err(unsupported(workload)),
        }
    }

    fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    fn time_left(&self) -> Result<Duration> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(Error::new(ErrorKind::TimedOut, "the server does not answer")),
        }
    }

    /// Runs `work` and reports its rate and the server's CPU time, for each of the `requests`.
    fn measure(&self, unit: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let cpu_before = self.server.cpu_time_ns()?;
        let (start, own_before) = (Instant::now(), server::own_cpu_time());
        work()?;
        let (elapsed, own) = (start.elapsed(), server::own_cpu_time() - own_before);
        let cpu_ns = self.server.cpu_time_ns()? - cpu_before;
        if cpu_ns == 0 {
            return Err(Error::other("the server answered without working: is --pid its id?"));
        }
        figure("cpu", cpu_ns as f64 / self.requests as f64, &format!("ns/{unit}"));
        figure("rate", self.requests as f64 / elapsed.as_secs_f64(), &format!("{unit}/s"));
        figure("load_busy", own.as_secs_f64() / elapsed.as_secs_f64() * 100.0, "%");
        Ok(())
    }
}
