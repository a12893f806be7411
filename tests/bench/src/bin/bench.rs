//! The comparison: builds the contenders, runs them in turns, prints tables.
//!
//! ```text
//! tests/bench/run [--peers tokio,libuv] [--workloads echo50,spawn] [--rounds 9] [--scale 1.0]
//! ```
//!
//! `--scale 0.01` does a hundredth of the work: enough to see that all stands, not to compare.
//! The exit code is 1 where a run was refused.

#[path = "../harness/mod.rs"]
mod harness;

use std::io::{Result, Write};
use std::process::ExitCode;

use harness::Options;
use lexopt::{Parser, ValueExt};

fn main() -> Result<ExitCode> {
    let options = parse().map_err(std::io::Error::other)?;
    let report = harness::compare(&options)?;
    std::io::stdout().write_all(report.text.as_bytes())?;
    Ok(if report.is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse() -> std::result::Result<Options, lexopt::Error> {
    let mut options = Options { peers: None, workloads: None, rounds: 9, scale: 1.0 };
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("peers") => options.peers = Some(names(&mut arguments)?),
            lexopt::Arg::Long("workloads") => options.workloads = Some(names(&mut arguments)?),
            lexopt::Arg::Long("rounds") => options.rounds = arguments.value()?.parse()?,
            lexopt::Arg::Long("scale") => options.scale = arguments.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    if options.rounds == 0 {
        return Err("no rounds, no medians".into());
    }
    Ok(options)
}

fn names(arguments: &mut Parser) -> std::result::Result<Vec<String>, lexopt::Error> {
    let list = arguments.value()?.string()?;
    Ok(list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
