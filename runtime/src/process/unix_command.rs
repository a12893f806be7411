//! What can be said of a child on Unix only.

use std::ffi::OsStr;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;

use super::Command;

/// On Unix only.
impl Command {
    /// What the program sees as its own name, in place of the program's.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg0(arg);
        self
    }

    /// The user it runs as. It also loses the supplementary groups, if we are allowed to say so.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// The group it runs as.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// The process group it is in; 0 is a new one of its own.
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.std.process_group(group);
        self
    }

    /// Gives it a descriptor by the number `number`, which is above 2 and below the limit of open files. For a pipe to it give one end of
    /// `std::io::pipe()`, and take the other over by [`Pipe::from_std`](crate::net::Pipe::from_std).
    ///
    /// The descriptor is ours until the command is dropped: a reader learns of the end only then. As
    /// many as are added before the first spawn are passed on, each time.
    pub fn fd(&mut self, number: RawFd, fd: impl Into<OwnedFd>) -> &mut Self {
        self.inheritance.fds.push((fd.into(), number));
        self
    }
}
