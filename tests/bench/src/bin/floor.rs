//! The workloads of the suite on nothing: bare system calls and the plainest data structures.
//!
//! What they take is what nobody can save; ratios in the tables are to this. The arguments are those of
//! `contender`.

use std::io::Result;
use std::process::ExitCode;

use bench::args::Args;
use bench::{floor, limit, report};

fn main() -> ExitCode {
    report::exit_code(run())
}

fn run() -> Result<()> {
    let args = Args::from_env()?;
    limit::end_in_time(&args)?;
    floor::run(&args)
}
