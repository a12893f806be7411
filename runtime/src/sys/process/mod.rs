//! Child processes: what has to be said to the system besides what the standard library says.

#[cfg(unix)]
mod orphans;
#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
mod reaper;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use orphans::adopt_orphan;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
