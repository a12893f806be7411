//! Every recorded program gives Node's trace.
//!
//! `recorded.jsonl` holds programs of `node/generate.cjs` with the traces of Node 20.20.2, those only
//! that Node ran alike three times. Node is not needed to replay them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use serde_json::{Value, json};

/// A program of real timers, on a machine that does something else as well, may be late and mix up
/// groups that are 10 ms apart: it is tried again before it counts.
const TRIES: usize = 3;

fn recorded() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.jsonl");
    let text = fs::read_to_string(path).expect("the recorded programs");
    text.lines().map(|line| serde_json::from_str(line).expect("a recorded program")).collect()
}

/// A file of our own, which is gone at the end.
struct Batch(PathBuf);

impl Batch {
    fn of(programs: &[&Value]) -> Self {
        let path = env::temp_dir().join(format!("recorded-{}.jsonl", process::id()));
        let lines: Vec<_> = programs
            .iter()
            .map(|line| json!({ "name": line["name"], "program": line["program"] }).to_string())
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

/// The traces of `programs`, by name.
fn traces(programs: &[&Value]) -> HashMap<String, Value> {
    let batch = Batch::of(programs);
    let trace = Command::new(env!("CARGO_BIN_EXE_trace")).arg("--batch").arg(&batch.0).output();
    let printed = String::from_utf8(trace.expect("the trace command").stdout).expect("UTF-8");
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("a trace"));
    lines
        .map(|mut line| (line["name"].as_str().unwrap_or_default().into(), line["trace"].take()))
        .collect()
}

#[test]
fn every_recorded_program_gives_nodes_trace() {
    let all = recorded();
    assert!(all.len() > 300, "{} programs", all.len());
    let mut wrong: Vec<_> = all.iter().collect();
    for _ in 0..TRIES {
        let mut ours = traces(&wrong);
        wrong.retain(|program| {
            let name = program["name"].as_str().unwrap_or_default();
            ours.remove(name).as_ref() != Some(&program["trace"])
        });
        if wrong.is_empty() {
            return;
        }
        eprintln!("not as recorded: {}", names(&wrong));
    }
    let first = wrong[0];
    let ours = traces(&[first]).remove(first["name"].as_str().unwrap_or_default());
    panic!(
        "these differ from Node: {}\nthe first:\n{}\nNode: {}\nours: {}",
        names(&wrong),
        first["program"],
        first["trace"],
        ours.unwrap_or_default()
    );
}

fn names(programs: &[&Value]) -> String {
    let names: Vec<_> = programs.iter().filter_map(|program| program["name"].as_str()).collect();
    names.join(" ")
}
