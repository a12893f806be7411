//! The table of libuv's behaviours in `README.md`: each test and scenario that it names exists.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands in backquotes and looks like `file::test`.
fn named(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::"))
}

#[test]
fn what_the_table_names_exists() {
    let (page, recorded) = (read("README.md"), read("../libuv/recorded/libuv-1.52.txt"));
    let mut missing = Vec::new();
    let examples = [("file", "test"), ("oracle", "scenario")];
    for (file, test) in named(&page).filter(|name| !examples.contains(name)) {
        let is_there = match file {
            "oracle" => recorded.lines().any(|line| line.split(':').next() == Some(test)),
            file => read(&format!("tests/{file}.rs")).contains(&format!("fn {test}(")),
        };
        if !is_there {
            missing.push(format!("{file}::{test}"));
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(named(&page).count() > 100, "they are found");
}
