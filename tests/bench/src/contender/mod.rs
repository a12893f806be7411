//! The workloads on `runtime`, by its public API, as its examples use it.

mod accept;
mod echo;
mod file_work;
mod files;
mod flight;
mod immediates;
mod iteration;
mod many;
mod pool;
mod processes;
mod queue;
mod serve;
mod sink;
mod start;
mod tasks;
mod ticks;
mod timers;
mod udp;
mod wake;

use std::io::Result;

use crate::args::Args;
use crate::report::unsupported;

/// Runs the workload that was asked for. That of a server ends with the process.
///
/// # Errors
/// If the arguments make no sense; if the workload is not supported; those of the system.
pub fn run(args: &Args) -> Result<()> {
    match args.workload() {
        "echo" => echo::echo(args),
        "mem" => echo::mem(args),
        "sink" => sink::sink(args),
        "accept" => accept::accept(args),
        "udp" => udp::udp(args),
        "timers-fire" => timers::fire(args),
        "timers-churn" => timers::churn(args),
        "timers-rearm" => timers::rearm(args),
        "spawn" => tasks::spawn_and_run(args),
        "yield" => tasks::yield_in_turn(args),
        "chan" => tasks::send_to_and_fro(args),
        "ticks" => ticks::ticks(args).and_then(|()| immediates::immediates(args)),
        "loop" => iteration::empty(args),
        "many" => many::many(args),
        "start" => start::start(args),
        "queue" => queue::queue(args),
        "pool" => pool::pool(args),
        "pool-spin" => pool::spin(args),
        "wake" => wake::wake(args),
        "fs" => files::files(args),
        "file" => file_work::file_work(args),
        "proc" => processes::processes(args),
        other => Err(unsupported(other)),
    }
}
