//! Descriptors above 2, sessions, signals to children, and how their exits are learned.

#![allow(unsafe_code)] // what runs between fork and exec, and kill(2)

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, Resource, WaitId, WaitIdOptions, getrlimit};

/// No system has a signal above it.
const LAST_SIGNAL: i32 = 128;

/// The signal that can't be caught.
pub(crate) const SIGKILL: i32 = libc::SIGKILL;
/// The signal that asks a child to end.
pub(crate) const SIGTERM: i32 = libc::SIGTERM;

/// What a child is given besides its standard streams.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    /// Descriptors of ours, and the numbers that the child has them by. Out once they are attached.
    pub(crate) fds: Vec<(OwnedFd, RawFd)>,
    /// It leads a session of its own.
    pub(crate) detached: bool,
    /// The largest number that a child has a descriptor by, once that is fixed.
    attached: Option<RawFd>,
    /// It unblocks its signals: they were blocked here when one was spawned.
    unblocks: bool,
}

/// The numbers that are kept until a child is spawned.
#[derive(Debug)]
pub(crate) struct Reserved {
    _taken: Vec<OwnedFd>,
}

impl Inheritance {
    /// Lets `command` pass all of it on, each time it is spawned. What is returned is to be dropped after
    /// the spawn.
    pub(crate) fn prepare(&mut self, command: &mut Command) -> io::Result<Reserved> {
        self.check()?;
        if self.attached.is_none() && (self.detached || !self.fds.is_empty()) {
            let last = self.fds.iter().map(|(_, number)| *number).max().unwrap_or(2);
            self.attached = Some(last);
            attach(std::mem::take(&mut self.fds), self.detached, last + 1, command);
        }
        if !self.unblocks && are_signals_blocked() {
            self.unblocks = true;
            unblock_signals(command);
        }
        Ok(Reserved { _taken: reserve(self.attached.unwrap_or(2))? })
    }

    /// Whether the numbers can be had.
    fn check(&self) -> io::Result<()> {
        let invalid = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        let mut numbers: Vec<_> = self.fds.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        if self.attached.is_some() && !numbers.is_empty() {
            return invalid(format!("descriptor {} came after the first spawn", numbers[0]));
        }
        if let Some(number) = numbers.iter().find(|number| **number < 3) {
            return invalid(format!("descriptor {number} is no number above 2"));
        }
        // The child has each once more for a moment, behind the last number.
        let end = limit_of_files().saturating_sub(numbers.len() as u64);
        if let Some(number) = numbers.iter().find(|number| **number as u64 >= end) {
            return invalid(format!("descriptor {number} is too near the limit of open files"));
        }
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(format!("descriptor {} was given twice", pair[0]));
        }
        Ok(())
    }
}

/// Lets `command` do its part between fork and exec. No number of the child's is `above` or beyond.
fn attach(fds: Vec<(OwnedFd, RawFd)>, detached: bool, above: RawFd, command: &mut Command) {
    // Room for all of it now: a child may not allocate before exec.
    let mut copies = Vec::with_capacity(fds.len());
    let pass_on = move || {
        if detached {
            rustix::process::setsid()?;
        }
        copies.clear();
        // Out of the way first: a number that one is to have may be another's now.
        for (fd, _) in &fds {
            copies.push(fcntl_dupfd_cloexec(fd, above)?.into_raw_fd());
        }
        for (copy, (_, number)) in copies.iter().zip(&fds) {
            // SAFETY: both are numbers, and the second is the child's own to fill.
            if unsafe { libc::dup2(*copy, *number) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec it calls setsid, fcntl and dup2, which may be called there, and
    // writes to memory that it has. It allocates nothing, takes no lock, and does not panic: there
    // is room for as many copies as it makes. The copies are raw, so that none is closed by a drop.
    unsafe { command.pre_exec(pass_on) };
}

/// Whether this thread has any signal blocked, which a child would inherit.
fn are_signals_blocked() -> bool {
    let mut blocked = no_signals();
    // SAFETY: it is asked only, and has room for the set; it can't fail then.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut blocked) };
    // SAFETY: a set, and a number. What is no signal is in no set.
    (1..=LAST_SIGNAL).any(|signum| unsafe { libc::sigismember(&blocked, signum) } == 1)
}

/// Lets the child of `command` have no signal blocked.
fn unblock_signals(command: &mut Command) {
    let none = no_signals();
    let unblock = move || {
        // SAFETY: the set lives until the call returns; nothing else is written.
        match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &none, ptr::null_mut()) } {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    };
    // SAFETY: between fork and exec it makes one call, which may be made there.
    unsafe { command.pre_exec(unblock) };
}

fn no_signals() -> libc::sigset_t {
    // SAFETY: a C type of integers, for which any are valid.
    let mut set = unsafe { mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&mut set) };
    set
}

/// How many numbers of descriptors there are.
fn limit_of_files() -> u64 {
    let none = RawFd::MAX as u64;
    getrlimit(Resource::Nofile).current.map_or(none, |limit| limit.min(none))
}

/// Takes all numbers that are free up to the last one the child is to have, until it is dropped.
///
/// The standard library tells of a failed exec through a pipe; in the child it must not have a number
/// that is about to be another descriptor's.
fn reserve(last: RawFd) -> io::Result<Vec<OwnedFd>> {
    let mut taken = Vec::new();
    if last > 2 {
        let null = OwnedFd::from(std::fs::File::open("/dev/null")?);
        loop {
            let fd = null.try_clone()?;
            if fd.as_raw_fd() > last {
                break;
            }
            taken.push(fd);
        }
        taken.push(null);
    }
    Ok(taken)
}

/// A descriptor that becomes readable when the child ends.
///
/// # Errors
/// `Unsupported` where the system has no such thing, or does not let us have it.
#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
pub(crate) fn exit_source(child: &Child) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    Ok(pidfd_open(pid_of(child)?, PidfdFlags::empty())?)
}

/// A descriptor that becomes readable when the child ends: this system has none.
#[cfg(not(all(target_os = "linux", not(runtime_no_pidfd))))]
pub(crate) fn exit_source(_child: &Child) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

fn pid_of(child: &Child) -> io::Result<Pid> {
    let raw = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    raw.ok_or_else(|| Errno::SRCH.into())
}

/// What blocks until the child has ended, and leaves its status to be taken. For another thread.
pub(crate) fn exit_waiter(child: &Child) -> io::Result<impl FnOnce() + Send + 'static> {
    let pid = pid_of(child)?;
    Ok(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // An error is that somebody else took the status: then it has ended too.
        while let Err(Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), options) {}
    })
}

/// Sends a signal to a child whose status was not taken here yet; 0 sends nothing, and tells whether that
/// could be done.
///
/// By its `exit_source`, if it has one, no other process is hit, though another part of the program took
/// the status and the number is another's by now.
pub(crate) fn kill(
    child: &mut Child,
    exit_source: Option<&OwnedFd>,
    signum: i32,
) -> io::Result<()> {
    match exit_source.map(|source| kill_by(source, signum)) {
        Some(Err(error)) if error.raw_os_error() == Some(libc::ENOSYS) => {}
        Some(result) => return result,
        None => {}
    }
    let pid = pid_of(child)?.as_raw_nonzero().get();
    // SAFETY: it is given two numbers.
    match unsafe { libc::kill(pid, signum) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a signal to the child of a pidfd.
#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
fn kill_by(pidfd: &OwnedFd, signum: i32) -> io::Result<()> {
    let (pidfd, no_more) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // Not rustix: its signals are those with a name, where kill(2) takes any number.
    // SAFETY: numbers, and a null pointer for what need not be given. The descriptor is borrowed.
    match unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signum, no_more, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// There are no pidfds, so there is no exit source either.
#[cfg(not(all(target_os = "linux", not(runtime_no_pidfd))))]
fn kill_by(_exit_source: &OwnedFd, _signum: i32) -> io::Result<()> {
    Err(Errno::NOSYS.into())
}

/// The child has ended, and there is nothing to send a signal to.
pub(crate) fn no_such_process() -> io::Error {
    Errno::SRCH.into()
}

/// Whether it says so.
pub(crate) fn is_no_such_process(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::SRCH)
}
