//! System calls, counted by strace: those of a workload's operation, of all threads.

use std::fs;
use std::io::{Error, Result};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::child::bound;
use super::contender::Contender;
use super::run::Scratch;
use super::workload::Workload;

/// Two lengths of one run: their difference is without start and end.
const LENGTHS: [u64; 2] = [500, 2500];

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// How many each operation makes.
pub(super) fn each(workload: &Workload, contender: &Contender, scratch: &Scratch) -> Result<f64> {
    let [few, many] = LENGTHS.map(|length| all(workload, contender, length, scratch));
    Ok((many? as f64 - few? as f64) / (LENGTHS[1] - LENGTHS[0]) as f64)
}

fn all(workload: &Workload, contender: &Contender, length: u64, scratch: &Scratch) -> Result<u64> {
    let report = scratch.files.join("calls");
    let program = contender.command(workload.command);
    let mut tool = Command::new("strace");
    tool.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&report);
    tool.arg(program.get_program()).args(program.get_args()).args(workload.flags);
    tool.args(["--n", &length.to_string(), "--dir"]).arg(&scratch.files);
    let status = bound(&mut tool, LIMIT).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        return Err(Error::other(format!("{contender}: {status}")));
    }
    total(&fs::read_to_string(report)?).ok_or_else(|| Error::other("strace counted nothing"))
}

/// The last line of strace's table.
fn total(table: &str) -> Option<u64> {
    table.lines().find_map(|line| line.trim().strip_suffix("total")?.trim().parse().ok())
}
