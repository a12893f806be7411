//! The example `follow` on a file that is appended to, rotated and removed.
#![cfg(target_os = "linux")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);

fn follow(path: &Path) -> Child {
    std::thread::spawn(|| {
        std::thread::sleep(LIMIT);
        eprintln!("the example hangs");
        std::process::abort();
    });
    let mut example = std::env::current_exe().expect("this test has a path");
    example.pop(); // deps
    example.pop();
    let mut command = Command::new(example.join("examples/follow"));
    command.arg(path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn append(path: &Path, line: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn it_follows_a_log_through_rotation_and_ends_with_its_directory() {
    let dir = std::env::temp_dir().join(format!("follow-{}", std::process::id()));
    fs::create_dir(&dir).unwrap();
    let (log, rotated) = (dir.join("log"), dir.join("log.1"));
    append(&log, "before");
    let mut child = follow(&log);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut expect = |line: &str| assert_eq!(lines.next().unwrap().unwrap(), line);
    let mut said = String::new();
    errors.read_line(&mut said).unwrap();
    assert!(said.starts_with("following "), "{said}");

    append(&log, "first");
    expect("first");
    fs::rename(&log, &rotated).unwrap();
    append(&log, "second");
    expect("second");
    fs::remove_dir_all(&dir).unwrap();
    errors.read_to_string(&mut said).unwrap();
    assert!(said.contains(" is gone"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
