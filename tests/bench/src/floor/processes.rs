//! `proc`: spawned by the standard library, and waited for in order.

use std::collections::VecDeque;
use std::io::{Error, Result};
use std::process::{Child, Command};
use std::time::Instant;

use crate::args::Args;
use crate::report::rate;

pub(super) fn processes(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    for width in [1, 8] {
        let start = Instant::now();
        spawn_all(count, width)?;
        rate(&format!("proc_spawn_c{width}"), start, count, "procs");
    }
    Ok(())
}

fn spawn_all(count: u64, width: usize) -> Result<()> {
    let mut running: VecDeque<Child> = VecDeque::new();
    for _ in 0..count {
        if running.len() == width {
            wait_for_oldest(&mut running)?;
        }
        running.push_back(Command::new("/bin/true").env_clear().spawn()?);
    }
    while !running.is_empty() {
        wait_for_oldest(&mut running)?;
    }
    Ok(())
}

fn wait_for_oldest(running: &mut VecDeque<Child>) -> Result<()> {
    let Some(mut oldest) = running.pop_front() else { return Ok(()) };
    match oldest.wait()? {
        status if status.success() => Ok(()),
        status => Err(Error::other(format!("/bin/true: {status}"))),
    }
}
