//! One run: of one workload, by one contender.

use std::fs;
use std::io::{BufRead, BufReader, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use super::child::{Server, bound};
use super::contender::{Contender, built_programs};
use super::figure::{self, Figure};
use super::workload::{Amount, Kind, Workload};

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
    let printed = match workload.kind {
        Kind::Server { load, connections, requests } => {
            serve(&mut command, load, connections, requests.at(scale))
        }
        Kind::InProcess(arguments) => {
            command.args(to_strings(arguments, scale)).arg("--dir").arg(&scratch.files);
            bound(&mut command, LIMIT).output().map(Ended::from)
        }
    };
    match printed {
        Ok(Ended::Well(printed)) => {
            figure::parse(&printed).map_or_else(Outcome::Refused, Outcome::Figures)
        }
        Ok(Ended::Unsupported) => Outcome::Unsupported,
        Ok(Ended::Badly(reason)) => Outcome::Refused(reason),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

fn to_strings(arguments: &[(&str, Amount)], scale: f64) -> Vec<String> {
    arguments.iter().flat_map(|(name, n)| [(*name).to_owned(), n.at(scale).to_string()]).collect()
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

/// Starts the server that `command` is, and sets a load on it.
fn serve(command: &mut Command, load: &str, connections: u64, requests: u64) -> Result<Ended> {
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
    client.args([load, "--port", &port, "--pid", &server.0.id().to_string()]);
    client.args(["--connections", &connections.to_string(), "--requests", &requests.to_string()]);
    bound(&mut client, LIMIT).output().map(Ended::from)
}

/// Returns a port that nobody listens on, for TCP or UDP; another process may still be quicker.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What the workloads work on: a thousand files of 1 KiB, gone when dropped.
pub(super) struct Scratch {
    files: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let scratch =
            Self { files: std::env::temp_dir().join(format!("bench-{}", std::process::id())) };
        fs::create_dir_all(&scratch.files)?;
        for number in 0..1000 {
            fs::write(scratch.files.join(format!("f{number}")), [b'x'; 1024])?;
        }
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a megabyte of temporary files.
        let _ = fs::remove_dir_all(&self.files);
    }
}
