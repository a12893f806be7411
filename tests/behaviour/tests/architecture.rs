//! The layers of the crate: each uses only those below it.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `runtime/src`, the lowest layer first.
const LAYERS: &[&[&str]] = &[
    &["base", "error"],
    &["sys", "reactor", "pool"],
    &["task", "timers"],
    &["event_loop"],
    &["schedule", "request", "handle"],
    &["net", "dns", "fs", "time", "sync", "signal", "io"],
    &["process"],
    &["entry", "lib"],
];

/// Files that may say `unsafe`.
const UNSAFE: &[&str] = &[
    "base/inline_fn.rs",
    "base/ring.rs",
    "reactor/poller.rs",
    "sys/datagram/error_queue.rs",
    "sys/datagram/linux.rs",
    "sys/datagram/source.rs",
    "sys/datagram/windows.rs",
    "sys/file/unix.rs",
    "sys/local/linux.rs",
    "sys/pipe/windows/handle.rs",
    "sys/pipe/windows/overlapped.rs",
    "sys/process/unix.rs",
    "sys/process/windows.rs",
    "sys/resolver/unix.rs",
    "sys/resolver/windows.rs",
    "sys/signal/action.rs",
    "sys/signal/post.rs",
    "sys/signal/windows.rs",
    "sys/terminal/at_exit.rs",
    "sys/windows.rs",
    "task/raw.rs",
    "task/raw/join.rs",
    "task/spare.rs",
    "task/stage.rs",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every file: its path within the crate, and its lines of code.
fn all() -> Vec<(String, Vec<String>)> {
    let (root, mut found) = (source(), Vec::new());
    files(&root, &mut found);
    assert!(found.len() > 40, "the crate was not found at {}", root.display());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source file");
        // What tests use is their own affair; they stand last.
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (name.replace('\\', "/"), lines.map(str::to_owned).collect())
    };
    found.into_iter().map(read).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn each_layer_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for (name, lines) in all() {
        let module = name.split(['/', '.']).next().expect("a path has a first part");
        let own = layer(module).unwrap_or_else(|| panic!("{name} is in no layer"));
        for line in &lines {
            for used in line.split("crate::").skip(1) {
                let end =
                    used.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(used.len());
                // What is no module is a name that the crate's root exports: for users, and for the
                // macros of the upper layers.
                if layer(&used[..end]).is_some_and(|used| used > own) {
                    wrong.push(format!("{name}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these look up:\n{}", wrong.join("\n"));
}

#[test]
fn a_refcell_is_spelled_in_base_only() {
    let spelled = all().into_iter().filter(|(name, lines)| {
        !name.starts_with("base/") && lines.iter().any(|line| line.contains("RefCell"))
    });
    assert_eq!(spelled.map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn unsafe_is_where_it_was_argued_for() {
    let spelled = all().into_iter().filter(|(name, lines)| {
        !UNSAFE.contains(&&**name) && lines.iter().any(|line| line.contains("unsafe {"))
    });
    assert_eq!(spelled.map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn each_file_with_unsafe_code_is_argued_in_the_architecture() {
    let page = source().join("../../docs/architecture.md");
    let page = std::fs::read_to_string(page).unwrap();
    let missing: Vec<_> =
        UNSAFE.iter().filter(|file| !page.contains(&format!("- `{file}`: "))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_file_hides_a_second_noun_in_its_length() {
    let long = all().into_iter().filter(|(_, lines)| lines.len() > 500);
    assert_eq!(long.map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}
