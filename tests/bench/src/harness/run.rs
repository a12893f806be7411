//! One run, by one contender: of a workload, or of whatever is asked for.

use std::fs;
use std::io::{BufRead, BufReader, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use bench::file_work::SMALL;

use super::child::{Server, bound, cpu_time_of_the_ended};
use super::contender::{Contender, built_programs};
use super::figure::{self, Figure};
use super::workload::{Cpu, Kind, Workload};

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What a contender answers to a workload that it can't do.
const UNSUPPORTED: i32 = 3;

pub(super) enum Outcome {
    Figures(Vec<Figure>),
    Unsupported,
    Refused(String),
}

/// Does `scale` of the workload's amount, once.
pub(super) fn once(
    workload: &Workload,
    contender: &Contender,
    scale: f64,
    scratch: &Scratch,
) -> Outcome {
    let mut command = contender.command(workload.command);
    command.args(workload.flags);
    match workload.kind {
        Kind::Server { load, connections, requests } => {
            let amount = [
                "--connections".to_owned(),
                connections.to_string(),
                "--requests".to_owned(),
                requests.at(scale).to_string(),
            ];
            serve(&mut command, load, &amount)
        }
        Kind::InProcess { arguments, cpu } => {
            let amount = arguments.iter().map(|(name, n)| (*name, n.at(scale)));
            amount.for_each(|(name, n)| _ = command.args([name, &n.to_string()]));
            let operations = match cpu {
                Cpu::Untold => None,
                Cpu::PerOperation(times) => Some(times * arguments[0].1.at(scale)),
            };
            in_process(command.arg("--dir").arg(&scratch.files), operations)
        }
    }
}

/// Runs what measures itself; with `operations`, its time on all cores is shared out among them.
pub(super) fn in_process(command: &mut Command, operations: Option<u64>) -> Outcome {
    match timed(command) {
        Ok((ended, cpu)) => {
            let per_operation = operations.map(|count| cpu.as_nanos() as f64 / count as f64);
            let cpu = per_operation.map(|value| Figure::new("cpu", value, "ns/operation"));
            Outcome::of(Ok(ended)).with(cpu)
        }
        Err(error) => Outcome::of(Err(error)),
    }
}

/// Runs it to its end, and says what time that took on all cores.
fn timed(command: &mut Command) -> Result<(Ended, Duration)> {
    let before = cpu_time_of_the_ended()?;
    let ended = Ended::from(bound(command, LIMIT).output()?);
    Ok((ended, cpu_time_of_the_ended()? - before))
}

/// Starts the server that `command` is, and sets a load on it.
pub(super) fn serve(command: &mut Command, load: &str, amount: &[String]) -> Outcome {
    Outcome::of(serve_and_load(command, load, amount))
}

impl Outcome {
    fn of(ended: Result<Ended>) -> Self {
        match ended {
            Ok(Ended::Well(printed)) => {
                figure::parse(&printed).map_or_else(Self::Refused, Self::Figures)
            }
            Ok(Ended::Unsupported) => Self::Unsupported,
            Ok(Ended::Badly(reason)) => Self::Refused(reason),
            Err(error) => Self::Refused(error.to_string()),
        }
    }

    fn with(mut self, figure: Option<Figure>) -> Self {
        if let Self::Figures(figures) = &mut self {
            figures.extend(figure);
        }
        self
    }
}

/// How a process ended.
enum Ended {
    /// With this output.
    Well(String),
    Unsupported,
    Badly(String),
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        if output.status.success() {
            return Self::Well(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Self::failure(output.status, &String::from_utf8_lossy(&output.stderr))
    }
}

impl Ended {
    fn failure(status: ExitStatus, complaint: &str) -> Self {
        if status.code() == Some(UNSUPPORTED) {
            return Self::Unsupported;
        }
        let last_line = complaint.lines().last().unwrap_or("it said nothing");
        Self::Badly(format!("{status}: {last_line}"))
    }
}

fn serve_and_load(command: &mut Command, load: &str, amount: &[String]) -> Result<Ended> {
    let port = free_port()?.to_string();
    let mut server = Server::spawn(command.args(["--port", &port]), LIMIT)?;
    let mut first_line = String::new();
    if let Some(stdout) = server.0.stdout.as_mut() {
        BufReader::new(stdout).read_line(&mut first_line)?;
    }
    if first_line.trim() != "ready" {
        return Ok(Ended::failure(server.0.wait()?, "it never was ready"));
    }
    let mut client = Command::new(built_programs()?.join("load"));
    client.args([load, "--port", &port, "--pid", &server.0.id().to_string()]).args(amount);
    bound(&mut client, LIMIT).output().map(Ended::from)
}

/// Returns a port that nobody listens on, for TCP or UDP; another process may still be quicker.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What the workloads work on: files, gone when dropped.
pub(super) struct Scratch {
    pub(super) files: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let scratch =
            Self { files: std::env::temp_dir().join(format!("bench-{}", std::process::id())) };
        fs::create_dir_all(&scratch.files)?;
        scratch.fill("f", 1000, SMALL)?;
        Ok(scratch)
    }

    /// Puts `count` files there, which are called `prefix` and a number.
    pub(super) fn fill(&self, prefix: &str, count: usize, len: usize) -> Result<()> {
        let bytes = vec![b'x'; len];
        (0..count)
            .try_for_each(|number| fs::write(self.files.join(format!("{prefix}{number}")), &bytes))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is temporary files.
        let _ = fs::remove_dir_all(&self.files);
    }
}
