//! The workloads without a runtime: for servers epoll and nothing else, for what happens in the process
//! the least that does the work.

mod epoll;
mod file_work;
mod files;
mod iteration;
mod pool;
mod processes;
mod start;
mod tasks;
mod tcp;
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
        "echo" | "mem" => tcp::echo(args),
        "sink" => tcp::sink(args),
        "accept" => tcp::accept(args),
        "udp" => udp::udp(args),
        "timers-fire" => timers::fire(args),
        "timers-churn" => timers::churn(args),
        "timers-rearm" => timers::rearm(args),
        "spawn" => tasks::spawn_and_run(args),
        "yield" => tasks::yield_in_turn(args),
        "chan" => tasks::send_to_and_fro(args),
        "ticks" => ticks::ticks(args),
        "loop" => iteration::empty(args),
        "many" => iteration::many(args),
        "start" => start::start(args),
        "queue" => ticks::queue(args),
        "pool" => pool::pool(args),
        "pool-spin" => pool::spin(args),
        "wake" => wake::wake(args),
        "fs" => files::files(args),
        "file" => file_work::file_work(args),
        "proc" => processes::processes(args),
        other => Err(unsupported(other)),
    }
}
