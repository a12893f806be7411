//! The example `raw_keys` on a pseudo-terminal.
#![cfg(unix)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

fn example() -> Command {
    let mut path = std::env::current_exe().expect("this test has a path");
    path.pop(); // deps
    path.pop();
    Command::new(path.join("examples/raw_keys"))
}

fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    (master.into(), rustix::fs::open(name, flags, Mode::empty()).unwrap())
}

/// Reads until the terminal shows `line`.
#[track_caller]
fn expect(master: &mut File, line: &str) {
    let mut seen = String::new();
    while !seen.ends_with(line) {
        let mut byte = [0];
        assert_eq!(master.read(&mut byte).unwrap(), 1, "after {seen:?}");
        seen.push(byte[0].into());
    }
}

#[test]
fn it_names_the_keys_tells_of_resizes_and_leaves_the_terminal_as_it_was() {
    for last in ["q", "\x03"] {
        let (mut master, slave) = terminal();
        let mut command = example();
        command.stdin(slave.try_clone().unwrap()).stdout(Stdio::null());
        let begin = || {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        };
        // SAFETY: two system calls, and no memory is touched.
        unsafe { command.pre_exec(begin) };
        let mut child = command.spawn().expect("cargo builds the examples for the tests");
        expect(&mut master, "press keys; q ends\r\n");
        for (key, line) in [
            ("x", "[78] x\r\n"),
            ("\x1b[A", "[1b, 5b, 41] up\r\n"),
            ("\x1b[D", "[1b, 5b, 44] left\r\n"),
            ("\x01", "[01] ctrl-a\r\n"),
            ("ö", "[c3, b6] ö\r\n"),
        ] {
            master.write_all(key.as_bytes()).unwrap();
            // As bytes, which the terminal shows one by one.
            expect(&mut master, &line.bytes().map(char::from).collect::<String>());
        }
        let size = Winsize { ws_col: 132, ws_row: 43, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        expect(&mut master, "the window has 132 columns, 43 rows\r\n");
        master.write_all(last.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        let modes = tcgetattr(&slave).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
    }
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = example().stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "standard input: the descriptor is a file, not a terminal\n");
}
