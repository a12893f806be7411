//! How a program of the suite answers: `name value unit` lines, and its exit code.

use std::io::{Error, ErrorKind, Result, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The exit code of a program that does not know the workload.
const UNSUPPORTED: u8 = 3;

/// A workload that is not there.
pub fn unsupported(workload: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{workload}: not supported"))
}

/// What `main` returns for what became of the workload.
#[must_use]
pub fn exit_code(outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    match error.kind() {
        ErrorKind::Unsupported => ExitCode::from(UNSUPPORTED),
        _ => ExitCode::FAILURE,
    }
}

/// Says that the server listens.
///
/// # Errors
/// If nobody is there to be told.
pub fn ready() -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()
}

/// Prints a figure.
#[expect(clippy::print_stdout, reason = "the report is the output")]
pub fn figure(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.3} {unit}");
}

/// Prints the nanoseconds that each of `count` operations took, since `start`.
pub fn each(name: &str, start: Instant, count: u64, unit: &str) {
    let elapsed = start.elapsed();
    figure(name, elapsed.as_nanos() as f64 / count as f64, &format!("ns/{unit}"));
}

/// Prints the rate of `count` operations, since `start`. Of none there is no rate.
pub fn rate(name: &str, start: Instant, count: u64, unit: &str) {
    let elapsed = start.elapsed();
    if count > 0 {
        figure(name, count as f64 / elapsed.as_secs_f64(), &format!("{unit}/s"));
    }
}

/// Prints the median and the 99th percentile of `samples`, as `NAME_p50` and `NAME_p99`.
pub fn percentiles(name: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    for percent in [50, 99] {
        let Some(sample) = samples.get(samples.len() * percent / 100) else { return };
        figure(&format!("{name}_p{percent}"), sample.as_nanos() as f64 / 1000.0, "us");
    }
}

/// Prints what starting took: the first time, with all that is cold then, and usually.
///
/// # Errors
/// If some of the starts never came to a first callback.
pub fn start_up(samples: Vec<Duration>, count: u64) -> Result<()> {
    check_done(samples.len() as u64, count)?;
    let first = samples.first().map_or(0, Duration::as_nanos);
    figure("start_first", first as f64 / 1000.0, "us");
    percentiles("start", samples);
    Ok(())
}

/// Fails unless all that was asked for was done: a fast way to do nothing is no result.
///
/// # Errors
/// If `done` is not `wanted`.
pub fn check_done(done: u64, wanted: u64) -> Result<()> {
    if done == wanted {
        Ok(())
    } else {
        Err(Error::other(format!("{done} were done, {wanted} were asked for")))
    }
}
