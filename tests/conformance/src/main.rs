//! Runs trace programs on `runtime` and prints their traces: lists of labels, in the order in which
//! they were logged.
//!
//! ```text
//! trace FILE.json              one program; a label a line
//! trace --batch FILE.jsonl     {"name", "program"} a line; prints {"name", "trace"} for each, as soon as it has run
//! trace --manual-clock ...     the same on a clock that jumps to the next timer: no time passes
//! ```
//!
//! The programs say what is queued, and in what order it runs is the runtime's doing; the traces
//! are compared with those of the same programs in Node. Each program has a fresh loop. Exit code
//! 2: an argument or a program is malformed.

mod machine;
mod parser;
mod pool;
mod program;
mod promise;
mod socket;
mod task;
mod thrown;

use machine::{Time, Trace};
use pool::Sandbox;
use program::Program;
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    rc::Rc,
};

const USAGE: &str =
    "usage: trace [--manual-clock] FILE.json | trace [--manual-clock] --batch FILE.jsonl";
const MALFORMED: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (time, arguments) = match &arguments[..] {
        ["--manual-clock", rest @ ..] => (Time::Manual, rest),
        rest => (Time::Real, rest),
    };
    let result = match arguments {
        ["--batch", path] => run_batch(path, time),
        [path] if !path.starts_with("--") => run_single(path, time),
        _ => Err(Failure::Malformed(USAGE.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Malformed(message)) => {
            eprintln!("trace: {message}");
            ExitCode::from(MALFORMED)
        }
        Err(Failure::Io(error)) => {
            eprintln!("trace: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Malformed(String),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

fn run_single(path: &str, time: Time) -> Result<(), Failure> {
    let text = read(path)?;
    let program = parser::parse_json(&text)
        .and_then(|document| Program::parse(&document))
        .map_err(|error| Failure::Malformed(format!("{path}: {error}")))?;
    let mut output = io::stdout().lock();
    for label in trace_of(path, program, time, &Rc::new(Sandbox::new()?)) {
        writeln!(output, "{label}")?;
    }
    Ok(())
}

/// A malformed line is reported and skipped: the others are not to be lost with it.
fn run_batch(path: &str, time: Time) -> Result<(), Failure> {
    let text = read(path)?;
    let sandbox = Rc::new(Sandbox::new()?);
    let mut output = io::stdout().lock();
    let mut malformed = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match parse_line(line) {
            Ok((name, program)) => {
                let trace = trace_of(&name, program, time, &sandbox);
                writeln!(output, "{}", json!({ "name": name, "trace": trace }))?;
                output.flush()?;
            }
            Err(message) => {
                malformed += 1;
                eprintln!("trace: {path}:{}: {message}", index + 1);
            }
        }
    }
    match malformed {
        0 => Ok(()),
        _ => Err(Failure::Malformed(format!("{path}: {malformed} of the lines are malformed"))),
    }
}

fn read(path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Malformed(format!("{path}: {error}")))
}

fn parse_line(line: &str) -> Result<(String, Program), String> {
    let line = parser::parse_json(line).map_err(|error| error.to_string())?;
    let Some(name) = line.get("name").and_then(Value::as_str) else {
        return Err("a line needs a `name`, a string".into());
    };
    let Some(document) = line.get("program") else {
        return Err(format!("{name}: a line needs a `program`"));
    };
    let program = Program::parse(document).map_err(|error| format!("{name}: {error}"))?;
    Ok((name.into(), program))
}

/// The trace of `program`; if it panics, what was logged until then.
fn trace_of(name: &str, program: Program, time: Time, sandbox: &Rc<Sandbox>) -> Vec<String> {
    let trace = Trace::default();
    let run = AssertUnwindSafe(|| machine::run(program, time, sandbox, &trace));
    if panic::catch_unwind(run).is_err() {
        eprintln!("trace: {name}: panicked");
    }
    trace.take()
}
