//! `cp -R` with progress: copies a directory and all that is in it.
//!
//! ```text
//! cargo run -p examples --example copy_tree -- photos /mnt/photos
//! ```
//!
//! prints how far it is, in place if that goes to a terminal, then what was copied. What could not be copied
//! is listed at the end, and the exit code is 1. With `--exclusive` before the paths nothing that is there
//! is replaced. Ctrl-c ends it between two steps with the exit code 130: what was copied by then stays, and
//! no half of a file that it has made.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::rc::Rc;

use runtime::fs::{self, Copied, CopyOptions};
use runtime::handle::Signal;
use runtime::{Cancelled, exit, signal};

#[runtime::main]
fn main() -> runtime::Result {
    let Arguments { from, to, is_exclusive } = arguments()?;
    let meter = Rc::new(Meter::default());
    let options = CopyOptions::new().exclusive(is_exclusive).keep_going(true).progress({
        let meter = meter.clone();
        move |copied, total| meter.show(copied, total)
    });
    let request = fs::copy_dir_all_with(&from, &to, options);
    let copying = request.id();

    let interrupt = Signal::new();
    interrupt.start(signal::SIGINT, move |_, _| {
        copying.cancel();
    })?;
    request.callback(move |copied| {
        interrupt.close();
        meter.end();
        finish(copied)
    });
    Ok(())
}

/// Tells what came of it, and ends the program with a code that says so.
fn finish(copied: io::Result<Copied>) -> runtime::Result {
    match copied {
        Ok(copied) => {
            let Copied { files, bytes, dirs, links, errors, .. } = &copied;
            println!("{files} files, {bytes} bytes, {dirs} directories, {links} links");
            for error in errors {
                eprintln!("{error}");
            }
            if !errors.is_empty() {
                exit(1);
            }
        }
        Err(error) if Cancelled::is_in(&error) => {
            eprintln!("interrupted");
            exit(130);
        }
        Err(error) => {
            eprintln!("{error}");
            exit(1);
        }
    }
    Ok(())
}

/// Shows how far it is.
#[derive(Default)]
struct Meter {
    shown: Cell<Option<u64>>,
}

impl Meter {
    /// Shows each mebibyte once; what is not seen need not be printed.
    fn show(&self, copied: u64, total: u64) {
        let (copied, total) = (copied >> 20, total >> 20);
        if self.shown.replace(Some(copied)) != Some(copied) && io::stderr().is_terminal() {
            eprint!("\r{copied} of {total} MiB");
            // Without a terminal nobody sees it.
            let _ = io::stderr().flush();
        }
    }

    /// What comes next is on a line of its own.
    fn end(&self) {
        if self.shown.get().is_some() && io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

struct Arguments {
    from: PathBuf,
    to: PathBuf,
    is_exclusive: bool,
}

fn arguments() -> runtime::Result<Arguments> {
    let mut paths: Vec<OsString> = std::env::args_os().skip(1).collect();
    let is_exclusive = paths.first().is_some_and(|first| first == "--exclusive");
    if is_exclusive {
        paths.remove(0);
    }
    let [from, to] = <[_; 2]>::try_from(paths)
        .map_err(|_| "usage: copy_tree [--exclusive] FROM TO".to_owned())?;
    Ok(Arguments { from: from.into(), to: to.into(), is_exclusive })
}
