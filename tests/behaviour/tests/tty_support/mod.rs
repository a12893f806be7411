//! Pseudo-terminals, and programs that have one.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Termios, Winsize, tcgetattr, tcsetwinsize};

/// A new pseudo-terminal.
pub(crate) struct Pty {
    pub(crate) master: File,
    pub(crate) slave: OwnedFd,
}

impl Pty {
    pub(crate) fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let pty = Self { master: master.into(), slave };
        pty.resize(80, 24);
        pty
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    pub(crate) fn is_raw(&self) -> bool {
        let modes = self.modes();
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(
            modes.local_modes.contains(cooked) || !modes.local_modes.intersects(cooked),
            "neither one nor the other: {:?}",
            modes.local_modes
        );
        !modes.local_modes.intersects(cooked)
    }

    pub(crate) fn translates_output(&self) -> bool {
        self.modes().output_modes.contains(OutputModes::OPOST)
    }

    pub(crate) fn type_in(&self, keys: &str) {
        (&self.master).write_all(keys.as_bytes()).unwrap();
    }

    /// Reads what the terminal shows until that ends with `end`.
    #[track_caller]
    pub(crate) fn read_until(&self, end: &str) -> String {
        let mut seen = String::new();
        while !seen.ends_with(end) {
            // One by one: what comes behind is for the next call.
            let mut byte = [0];
            match (&self.master).read(&mut byte) {
                Ok(1) => seen.push(byte[0].into()),
                other => panic!("{other:?} after {seen:?}, in place of {end:?}"),
            }
        }
        seen
    }

    /// Lets the terminal control the session that `command` begins, and be its standard streams.
    pub(crate) fn control(&self, command: &mut Command) {
        command
            .stdin(self.slave.try_clone().unwrap())
            .stdout(self.slave.try_clone().unwrap())
            .stderr(self.slave.try_clone().unwrap());
        let begin = || {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        };
        // SAFETY: two system calls, and no memory is touched.
        unsafe { command.pre_exec(begin) };
    }
}

/// Whether what shares its open file would see that it does not block.
pub(crate) fn is_nonblocking(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}
