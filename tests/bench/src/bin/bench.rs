//! The comparison: builds the contenders, runs them in turns, prints tables.
//!
//! ```text
//! tests/bench/run [--peers tokio,libuv] [--workloads echo50,spawn] [--rounds 9] [--scale 1.0]
//! tests/bench/run --scaling [--peers tokio,libuv] [--plots pool,queue] [--rounds 5]
//! tests/bench/run --ring [--peers ring,libuv] [--workloads read1,stat64] [--rounds 9] [--scale 1.0]
//! tests/bench/run --sizes
//! ```
//!
//! `--scale 0.01` does a hundredth of the work: enough to see that all stands, not to compare. `--scaling`
//! draws how costs grow into `docs/plots`. `--ring` compares files through an io_uring and through the pool. `--sizes` builds the smallest programs. With `--markdown FILE`
//! the sections of that document are replaced; else all is printed. The exit code is 1 where a run was
//! refused.

#[path = "../harness/mod.rs"]
mod harness;

use std::io::Result;
use std::process::ExitCode;

use harness::Options;
use lexopt::{Parser, ValueExt};

/// What is to be done.
enum Mode {
    Compare,
    Scaling,
    Ring,
    Sizes,
}

fn main() -> Result<ExitCode> {
    let (mode, options) = parse().map_err(std::io::Error::other)?;
    let is_complete = match mode {
        Mode::Compare => harness::compare(&options)?,
        Mode::Scaling => harness::scaling(&options)?,
        Mode::Ring => harness::ring(&options)?,
        Mode::Sizes => harness::sizes(&options)?,
    };
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse() -> std::result::Result<(Mode, Options), lexopt::Error> {
    let mut options =
        Options { peers: None, workloads: None, rounds: 9, scale: 1.0, markdown: None };
    let mut mode = Mode::Compare;
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("scaling") => mode = Mode::Scaling,
            lexopt::Arg::Long("ring") => mode = Mode::Ring,
            lexopt::Arg::Long("sizes") => mode = Mode::Sizes,
            lexopt::Arg::Long("peers") => options.peers = Some(names(&mut arguments)?),
            lexopt::Arg::Long("workloads" | "plots") => {
                options.workloads = Some(names(&mut arguments)?);
            }
            lexopt::Arg::Long("rounds") => options.rounds = arguments.value()?.parse()?,
            lexopt::Arg::Long("scale") => options.scale = arguments.value()?.parse()?,
            lexopt::Arg::Long("markdown") => options.markdown = Some(arguments.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.rounds == 0 {
        return Err("no rounds, no medians".into());
    }
    Ok((mode, options))
}

fn names(arguments: &mut Parser) -> std::result::Result<Vec<String>, lexopt::Error> {
    let list = arguments.value()?.string()?;
    Ok(list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
