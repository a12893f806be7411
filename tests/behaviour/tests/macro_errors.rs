//! What rustc says to whoever uses `#[runtime::main]` and `#[runtime::test]`, rightly or wrongly.
//!
//! Each file in `macro_errors/` is given to rustc. Comments in it say which errors must be there:
//!
//! ```text
//! #[runtime::main(exit = main)]
//! //                     ^^^^ the message of an error that underlines `main` in the line above
//! ```
//!
//! Another error is a failure, and so is a warning. The files are compiled against
//! `macro_errors/runtime.rs`, which has what the macros expand to and nothing else: so what rustc
//! says depends on the macros alone.

use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

#[test]
fn programs_that_are_right_compile_without_a_warning() {
    check("main_right.rs", &["-Dwarnings"]);
}

#[test]
fn tests_that_are_right_compile_without_a_warning() {
    check("test_right.rs", &["-Dwarnings", "--test"]);
}

#[test]
fn wrong_arguments_of_main_are_underlined() {
    check("main_arguments.rs", &[]);
}

#[test]
fn wrong_arguments_of_test_are_underlined() {
    check("test_arguments.rs", &["--test"]);
}

#[test]
fn what_cannot_be_main_is_underlined() {
    check("main_functions.rs", &[]);
}

#[test]
fn what_cannot_be_a_test_is_underlined() {
    check("test_functions.rs", &["--test"]);
}

#[test]
fn type_errors_of_a_program_underline_what_its_author_wrote() {
    check("main_types.rs", &[]);
}

#[test]
fn type_errors_of_a_test_underline_what_its_author_wrote() {
    check("test_types.rs", &["--test"]);
}

/// Compiles `file` and compares what rustc says with the comments in it.
fn check(file: &str, options: &[&str]) {
    // Built on one system to run on another, as under wine: no compiler is here.
    if !Path::new(env!("CARGO")).is_absolute() {
        return;
    }
    let output = rustc(file)
        .arg(format!("--extern=runtime={}", STUB.metadata.display()))
        .arg(format!("-Ldependency={}", STUB.macros.display()))
        .args(options)
        .output()
        .expect("rustc starts");
    let said = String::from_utf8(output.stderr).expect("rustc writes UTF-8");
    let text = fs::read_to_string(cases().join(file)).expect("the case is readable");
    let (found, expected) = (found(&said), expected(&text));
    assert!(found == expected, "{file} expects {expected:#?}\nbut rustc says\n{said}");
    assert_eq!(output.status.success(), expected.is_empty(), "{said}");
}

/// An error or a warning: where it starts, how much it underlines, what it says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Complaint {
    line: usize,
    column: usize,
    width: usize,
    message: String,
}

/// The complaints in the comments of a case, ordered by place.
fn expected(text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut code_line = 0;
    for (index, line) in text.lines().enumerate() {
        let comment = line.trim_start().strip_prefix("//").map(str::trim_start);
        match comment.filter(|comment| comment.starts_with('^')) {
            Some(comment) => complaints.push(Complaint {
                line: code_line,
                column: line.len() - comment.len() + 1,
                width: carets(comment),
                message: comment.trim_start_matches('^').trim().into(),
            }),
            None => code_line = index + 1,
        }
    }
    complaints.sort();
    complaints
}

/// The complaints in what rustc wrote, ordered by place.
///
/// ```text
/// error[E0308]: mismatched types
///  --> src/main.rs:3:5
///   |
/// 3 |     5
///   |     ^ expected `()`, found integer
/// ```
fn found(said: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        let Some((level, message)) = line.split_once(": ") else { continue };
        let is_summary = message.starts_with("aborting due to") || message.ends_with(" emitted");
        if is_summary || !(level.starts_with("error") || level.starts_with("warning")) {
            continue;
        }
        let place = lines.next().and_then(|line| line.split_once("--> ")).map_or("", |line| line.1);
        let mut place = place.rsplit(':').map(|number| number.parse().unwrap_or(0));
        let column = place.next().unwrap_or(0);
        complaints.push(Complaint {
            line: place.next().unwrap_or(0),
            column,
            width: lines.by_ref().map(carets).find(|&width| width > 0).unwrap_or(0),
            message: message.into(),
        });
    }
    complaints.sort();
    complaints
}

/// How many carets are in the line.
fn carets(line: &str) -> usize {
    line.matches('^').count()
}

/// Metadata of `runtime.rs`, compiled once.
static STUB: LazyLock<Stub> = LazyLock::new(Stub::compile);

struct Stub {
    metadata: PathBuf,
    /// The directory of the macros that it exports.
    macros: PathBuf,
}

impl Stub {
    /// Compiles it with the newest build of the macros that this rustc can load: other toolchains
    /// and flags may have left theirs.
    fn compile() -> Stub {
        let mut trouble = String::from("the macros are not beside this test");
        for macros in built_macros() {
            let output = rustc("runtime.rs")
                .arg("--crate-type=lib")
                .arg(format!("--extern=runtime_macros={}", macros.display()))
                .output()
                .expect("rustc starts");
            if output.status.success() {
                return Stub {
                    metadata: scratch().join("libruntime.rmeta"),
                    macros: macros.parent().expect("a file is in a directory").into(),
                };
            }
            trouble = String::from_utf8_lossy(&output.stderr).into();
        }
        panic!("{trouble}");
    }
}

/// The builds of the macros, newest first.
fn built_macros() -> Vec<PathBuf> {
    let test = env::current_exe().expect("a test knows its path");
    // It is in target/debug/deps or, with `--target`, in target/<triple>/debug/deps. The macros are
    // built for the host, always in target/debug/deps.
    let here = test.parent().expect("a file is in a directory");
    let profile = here.parent().and_then(Path::file_name).expect("deps is in a profile");
    let host = here.join("../../..").join(profile).join("deps");
    let mut builds: Vec<_> = [here.to_path_buf(), host]
        .into_iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .map(|entry| entry.expect("a directory can be read to its end"))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&format!("{DLL_PREFIX}runtime_macros-")) && name.ends_with(DLL_SUFFIX)
        })
        .map(|entry| (entry.metadata().and_then(|file| file.modified()).ok(), entry.path()))
        .collect();
    builds.sort();
    builds.into_iter().rev().map(|(_, path)| path).collect()
}

/// The compiler on a file of `macro_errors/`, to check it only.
fn rustc(file: &str) -> Command {
    let beside_cargo = Path::new(env!("CARGO")).with_file_name(format!("rustc{EXE_SUFFIX}"));
    let rustc = env::var_os("RUSTC").map_or(beside_cargo, PathBuf::from);
    let mut command = Command::new(rustc);
    command
        .args(["--edition=2024", "--emit=metadata", "--diagnostic-width=200", "--color=never"])
        .arg(format!("--out-dir={}", scratch().display()))
        .arg(cases().join(file));
    command
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/macro_errors")
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
