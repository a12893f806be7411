//! Fresh random programs do what Node does with them.
//!
//! `CONFORMANCE_SEED` and `CONFORMANCE_COUNT` choose other programs; without a seed each run has
//! new ones.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, process};

use behaviour::tell;

const COUNT: &str = "100";
/// The reference of the recorded programs; what other series do is their affair.
const NODE: &str = "v20.";

#[test]
fn fresh_programs_give_nodes_trace() {
    let node = Command::new("node").arg("--version").output();
    let version = node.map(|node| String::from_utf8_lossy(&node.stdout).trim().to_owned());
    match &version {
        Ok(version) if version.starts_with(NODE) => {}
        Ok(version) => return tell(format!("skipped: node is {version}, not {NODE}x")),
        Err(error) => return tell(format!("skipped: no node ({error})")),
    }
    let seed = env::var("CONFORMANCE_SEED").unwrap_or_else(|_| new_seed());
    let count = env::var("CONFORMANCE_COUNT").unwrap_or_else(|_| COUNT.into());
    tell(format!("{count} programs from seed {seed}"));
    let compared = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/compare.cjs"))
        .args(["--seed", &seed, "--count", &count, "--shrink"])
        .args(["--trace", env!("CARGO_BIN_EXE_trace")])
        .output()
        .expect("node, which was there a moment ago");
    let report = String::from_utf8_lossy(&compared.stdout);
    let errors = String::from_utf8_lossy(&compared.stderr);
    assert!(compared.status.success(), "seed {seed}:\n{report}\n{errors}");
}

fn new_seed() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs() % 1_000_000 * 1000 + u64::from(process::id()) % 1000).to_string()
}
