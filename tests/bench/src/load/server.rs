//! The server as the system sees it: CPU time and memory of another process.

use std::fs::{read_dir, read_to_string};
use std::io::{Error, Result};
use std::thread::sleep;
use std::time::Duration;

/// A server, by its process id.
pub(crate) struct Server {
    pid: u32,
}

impl Server {
    /// Names the process with this id.
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// Returns the CPU time of all its threads, once it stands still.
    ///
    /// The kernel brings the time of a running thread up to date at its ticks only; that of a sleeping
    /// one is exact. So the reading counts when two in a row agree.
    pub(super) fn cpu_time_ns(&self) -> Result<u64> {
        const TICK: Duration = Duration::from_millis(5);
        const READINGS: usize = 100;
        let mut last = self.read_cpu_time_ns()?;
        for _ in 0..READINGS {
            sleep(TICK);
            let now = self.read_cpu_time_ns()?;
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// Returns its resident memory, in bytes.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        // Not `statm`: its counters are gathered per CPU, and lag behind by megabytes.
        let rollup = read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let resident = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.ok_or_else(|| Error::other("smaps_rollup has no Rss"))? * 1024)
    }

    fn read_cpu_time_ns(&self) -> Result<u64> {
        let mut total = 0;
        for thread in read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread that ended since the listing takes its time along; servers keep theirs.
            let Ok(schedstat) = read_to_string(thread?.path().join("schedstat")) else { continue };
            total += parse_on_cpu_ns(&schedstat)?;
        }
        Ok(total)
    }
}

/// Returns the time that this thread was on a core.
pub(super) fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn parse_on_cpu_ns(schedstat: &str) -> Result<u64> {
    let first = schedstat.split_whitespace().next().and_then(|field| field.parse().ok());
    first.ok_or_else(|| Error::other(format!("not a schedstat: {schedstat}")))
}
