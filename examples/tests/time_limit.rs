//! The example `time_limit`: in time, too late, and wrong.
#![cfg(unix)]

use std::process::{Command, Output};

fn time_limit(args: &[&str]) -> Output {
    let mut example = std::env::current_exe().expect("this test has a path");
    example.pop(); // deps
    example.pop();
    Command::new(example.join("examples/time_limit")).args(args).output().unwrap()
}

#[test]
fn a_command_that_is_done_in_time_gives_its_own_code() {
    let output = time_limit(&["60000", "sh", "-c", "echo done; exit 3"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"done\n");
}

#[test]
fn a_command_that_takes_longer_is_ended() {
    let output = time_limit(&["10", "sleep", "1000"]);
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(output.stderr, b"sleep: ended after 10 ms, or by ctrl-c\n");
}

#[test]
fn what_is_wrong_is_said() {
    for args in [&["10"][..], &["soon", "sleep", "1"], &["10", "/nowhere/nosuch"]] {
        let output = time_limit(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}
