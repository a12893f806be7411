//! Children on Windows: ended by force, and waited for by a thread.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS, INFINITE, WaitForSingleObject,
};

use crate::sys::OwnedSource;

// The numbers that libuv gives to what ends a child here.
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
/// The signal that can't be caught.
pub(crate) const SIGKILL: i32 = 9;
/// The signal that asks a child to end: here it does so at once.
pub(crate) const SIGTERM: i32 = 15;
/// SIGWINCH, the last one that libuv knows here.
const LAST: i32 = 28;

/// What a child is given besides its standard streams.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    /// It has neither our console nor our ctrl-c.
    pub(crate) detached: bool,
}

/// What is kept until a child is spawned: nothing, here.
#[derive(Debug)]
pub(crate) struct Reserved;

impl Inheritance {
    /// Lets `command` pass all of it on, each time it is spawned.
    pub(crate) fn prepare(&mut self, command: &mut Command) -> io::Result<Reserved> {
        if self.detached {
            command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
        }
        Ok(Reserved)
    }
}

/// Nobody has to wait for it: a child that has ended is nothing but its handle.
pub(crate) fn adopt_orphan(_child: Child) {}

/// What the poller reports the end of a child by: it reports sockets only.
pub(crate) fn exit_source(_child: &Child) -> io::Result<OwnedSource> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What blocks until the child has ended, and leaves its status to be taken. For another thread.
pub(crate) fn exit_waiter(child: &Child) -> io::Result<impl FnOnce() + Send + 'static> {
    let process = child.as_handle().try_clone_to_owned()?;
    Ok(move || {
        // It can't fail: the handle is open, and may be waited for.
        // SAFETY: the handle is owned by this closure, so it is open while the call waits.
        #[allow(unsafe_code)]
        unsafe {
            WaitForSingleObject(process.as_raw_handle(), INFINITE)
        };
    })
}

/// Ends a child, by one of the signals that do so on other systems; 0 ends nothing, and tells whether that
/// could be done.
pub(crate) fn kill(
    child: &mut Child,
    _exit_source: Option<&OwnedSource>,
    signum: i32,
) -> io::Result<()> {
    match signum {
        0 | SIGINT | SIGQUIT | SIGKILL | SIGTERM => {}
        1..=LAST => {
            let message = format!("Windows has no signal {signum} for a process");
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        _ => return Err(crate::sys::invalid()),
    }
    if child.try_wait()?.is_some() {
        return Err(no_such_process());
    }
    if signum == 0 { Ok(()) } else { child.kill() }
}

/// The child has ended, and there is nothing to end.
pub(crate) fn no_such_process() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the process has ended")
}

/// Whether it says so.
pub(crate) fn is_no_such_process(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
