//! The workloads of the suite on `runtime`.
//!
//! ```text
//! contender WORKLOAD [--api callback|future] [--loops N] [--name value]...
//! ```
//!
//! Servers (`echo`, `mem`, `sink`, `accept`, `udp`) take `--port P`, print `ready` and serve until they
//! are killed, or for `--seconds S`. The others print what they measured as `name value unit` lines.
//! Exit code 3: not supported.

use std::io::Result;
use std::process::ExitCode;

use bench::args::Args;
use bench::{contender, limit, report};

fn main() -> ExitCode {
    report::exit_code(run())
}

fn run() -> Result<()> {
    let args = Args::from_env()?;
    limit::end_in_time(&args)?;
    contender::run(&args)
}
