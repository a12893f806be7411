//! Children: processes that end with the harness, and not later than their limit.
//!
//! Both are left to the kernel, so that they hold for a harness that is killed as well, and for peers
//! that know nothing of it.

use std::io::{Error, Result};
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// Makes what `command` starts end with this thread, and after `limit`.
pub(super) fn bound(command: &mut Command, limit: Duration) -> &mut Command {
    let seconds = limit.as_secs() as libc::c_uint;
    let end_in_time = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // SAFETY: `alarm` takes a number and touches no memory of ours. It outlives the exec.
        unsafe { libc::alarm(seconds) };
        Ok(())
    };
    // SAFETY: two system calls; nothing between fork and exec allocates or takes a lock.
    unsafe { command.pre_exec(end_in_time) }
}

/// A server, killed when dropped.
pub(super) struct Server(pub(super) Child);

impl Server {
    pub(super) fn spawn(command: &mut Command, limit: Duration) -> Result<Self> {
        bound(command, limit).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map(Self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only where the server has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the time on all cores of the children that have ended, and of theirs.
pub(super) fn cpu_time_of_the_ended() -> Result<Duration> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `getrusage` fills what it is given, or fails.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) != 0 {
            return Err(Error::last_os_error());
        }
        usage.assume_init()
    };
    let time = |of: libc::timeval| {
        Duration::from_secs(of.tv_sec as u64) + Duration::from_micros(of.tv_usec as u64)
    };
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}

/// Lets this process and its children open as many connections as the system allows.
///
/// Says how many.
pub(super) fn raise_descriptor_limit() -> Result<u64> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}
