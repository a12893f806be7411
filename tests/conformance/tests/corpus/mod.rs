//! The recorded programs, and how they are run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{env, fs, process};

use serde_json::{Value, json};

/// A program and what Node did with it.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) program: Value,
    pub(crate) trace: Vec<String>,
}

/// Traces by the names of the programs.
pub(crate) type Traces = HashMap<String, Vec<String>>;

/// All of them, in the order of the file.
pub(crate) fn recorded() -> Vec<Recorded> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.jsonl");
    let text = fs::read_to_string(path).expect("the recorded programs");
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Recorded {
    let mut line: Value = serde_json::from_str(line).expect("a recorded program");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    Recorded {
        name: text(&line["name"]),
        family: text(&line["family"]),
        trace: labels(&line["trace"]),
        program: line["program"].take(),
    }
}

fn labels(trace: &Value) -> Vec<String> {
    let labels = trace.as_array().expect("a list of labels");
    labels.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The traces that `trace OPTIONS --batch` prints of `programs`; those behind one that crashed it
/// are missing.
pub(crate) fn traces<'a>(
    options: &[&str],
    programs: impl IntoIterator<Item = &'a Recorded>,
) -> Traces {
    let batch = Batch::of(programs);
    let mut trace = Command::new(env!("CARGO_BIN_EXE_trace"));
    let output = trace.args(options).arg("--batch").arg(&batch.0).output();
    let printed = String::from_utf8(output.expect("the trace command").stdout).expect("UTF-8");
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("a trace"));
    lines
        .map(|line| (line["name"].as_str().unwrap_or_default().into(), labels(&line["trace"])))
        .collect()
}

/// A file of our own, which is gone at the end.
struct Batch(PathBuf);

impl Batch {
    fn of<'a>(programs: impl IntoIterator<Item = &'a Recorded>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let path = env::temp_dir().join(format!("recorded-{}-{number}.jsonl", process::id()));
        let lines: Vec<_> = programs
            .into_iter()
            .map(|recorded| {
                json!({ "name": recorded.name, "program": recorded.program }).to_string()
            })
            .collect();
        fs::write(&path, lines.join("\n")).expect("a temporary file");
        Self(path)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // It is only a temporary file.
        let _ = fs::remove_file(&self.0);
    }
}

/// How `recorded` differs from what `ours` says of it, if it does.
pub(crate) fn difference(recorded: &Recorded, ours: &Traces) -> Option<String> {
    let Recorded { name, program, trace, .. } = recorded;
    let ours = ours.get(name).map_or(&[][..], Vec::as_slice);
    (ours != trace).then(|| {
        let (node, ours) = (trace.join(" "), ours.join(" "));
        format!("{name}\n  program {program}\n  node    {node}\n  ours    {ours}")
    })
}
