//! The load generator: what a server is asked to do, and what it cost the server.
//!
//! ```text
//! load echo|udp|stream|accept|idle --port P --pid PID [--connections C] [--active A]
//!   [--requests N] [--seconds S]
//! ```
//!
//! Prints `name value unit` lines, as a contender does, and ends with an error as soon as the server
//! answers anything but what it should.

#[path = "../load/mod.rs"]
mod load;

use std::io::Result;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::report::exit_code;
use load::{Load, Server};

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    let load = Load {
        port: args.value("port")?,
        server: Server::new(args.value("pid")?),
        connections: args.value_or("connections", 1)?,
        active: args.optional("active")?,
        requests: args.value_or("requests", 1000)?,
        deadline: Instant::now() + Duration::from_secs(args.value_or("seconds", 60)?),
    };
    load.run(args.workload())
}
