//! The addresses of many names, a few lookups at a time.
//!
//! ```text
//! cargo run -p examples --example resolve_many -- localhost 127.0.0.1 ::1 nosuch.invalid
//! cargo run -p examples --example resolve_many -- -j 20 --unordered < names.txt
//! ```
//!
//! prints a line for each name in their order, or as the answers come, and what went wrong to stderr:
//!
//! ```text
//! localhost 127.0.0.1
//! 127.0.0.1 127.0.0.1
//! ::1 ::1
//! cannot resolve "nosuch.invalid": Name or service not known
//! ```
//!
//! Without names it reads them from stdin, one a line. It ends with 0 if all were found, with 1 if not.
//! Ctrl-c gives up what has no answer yet, prints what has one, and ends with 130.
//!
//! Tasks do the work; with `--callbacks` callbacks do the same. Half of the threads of the pool look
//! names up at the same time, 2 by default: `UV_THREADPOOL_SIZE=40` makes that 20.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::net::IpAddr;
use std::rc::Rc;

use futures_lite::AsyncReadExt;
use runtime::sync::{AbortController, AbortSignal};
use runtime::{Aborted, dns, exit, signal, spawn};

struct Work {
    names: RefCell<VecDeque<(usize, String)>>,
    /// Answers that wait for those before them.
    early: RefCell<BTreeMap<usize, io::Result<String>>>,
    printed: Cell<usize>,
    left: Cell<usize>,
    exit_code: Cell<i32>,
    in_order: bool,
    signal: AbortSignal,
}

#[runtime::main]
async fn main() -> runtime::Result {
    let (mut jobs, mut in_order, mut by_callbacks) = (8, true, false);
    let (mut names, mut arguments) = (Vec::new(), std::env::args().skip(1));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-j" => jobs = arguments.next().ok_or("-j takes a number")?.parse()?,
            "--unordered" => in_order = false,
            "--callbacks" => by_callbacks = true,
            _ => names.push(argument),
        }
    }
    if names.is_empty() {
        let mut text = String::new();
        runtime::io::stdin().read_to_string(&mut text).await?;
        names = text.split_whitespace().map(str::to_owned).collect();
    }

    let controller = AbortController::new();
    let work = Rc::new(Work {
        early: RefCell::default(),
        printed: Cell::new(0),
        left: Cell::new(names.len()),
        exit_code: Cell::new(0),
        in_order,
        signal: controller.signal(),
        names: RefCell::new(names.into_iter().enumerate().collect()),
    });
    let interrupted = work.clone();
    signal::ctrl_c().callback(move |_| interrupted.give_up(&controller));
    for _ in 0..jobs.max(1) {
        match by_callbacks {
            true => next(work.clone()),
            false => spawn(worker(work.clone())).detach(),
        }
    }
    Ok(()) // the program ends with its last lookup
}

async fn worker(work: Rc<Work>) -> runtime::Result {
    while let Some((at, name)) = work.take() {
        let found = dns::lookup(&name).abort_on(&work.signal).await;
        work.answered(at, &name, found)?;
    }
    Ok(())
}

/// The same by callbacks: each answer begins the next lookup.
fn next(work: Rc<Work>) {
    let Some((at, name)) = work.take() else { return };
    let request = dns::lookup(&name).abort_on(&work.signal);
    request.callback(move |found| -> runtime::Result {
        work.answered(at, &name, found)?;
        next(work);
        Ok(())
    });
}

impl Work {
    fn take(&self) -> Option<(usize, String)> {
        self.names.borrow_mut().pop_front()
    }

    fn give_up(&self, controller: &AbortController) {
        let not_begun = self.names.take().len();
        self.left.set(self.left.get() - not_begun);
        self.exit_code.set(130);
        controller.abort();
    }

    fn answered(&self, at: usize, name: &str, found: io::Result<Vec<IpAddr>>) -> runtime::Result {
        let line =
            found.map(|ips| ips.iter().fold(name.to_owned(), |line, ip| format!("{line} {ip}")));
        if self.in_order {
            self.early.borrow_mut().insert(at, line);
        } else {
            self.print(line)?;
        }
        while let Some(line) = self.early.borrow_mut().remove(&self.printed.get()) {
            self.printed.set(self.printed.get() + 1);
            self.print(line)?;
        }
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 && self.exit_code.get() != 0 {
            exit(self.exit_code.get());
        }
        Ok(())
    }

    fn print(&self, line: io::Result<String>) -> io::Result<()> {
        match line {
            Ok(line) => writeln!(io::stdout(), "{line}"),
            Err(error) if Aborted::is_in(&error) => Ok(()),
            Err(error) => {
                self.exit_code.set(self.exit_code.get().max(1));
                writeln!(io::stderr(), "{error}")
            }
        }
    }
}
