//! Makes a module of every Rust program on the pages.
//!
//! ```text
//!  docs/ordering.md                OUT_DIR/ordering_1.rs         OUT_DIR/programs.rs
//!  line 20: ```rust                lines 1-20: empty             mod ordering_1;
//!  line 21: use std::..            line 21: use std::..          ..
//!           fn main() { .. }                fn main() { .. }     const ALL: [Row; n] = ..
//! ```
//!
//! A program stands in its file on the line it has on its page, so an error of the compiler tells
//! that line.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[allow(dead_code, unreachable_pub, reason = "the test uses the rest, by way of the library")]
#[path = "src/program.rs"]
mod program;

use program::{Language, Program};

fn main() {
    println!("cargo:rerun-if-changed=src/program.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it"));
    let mut programs = Vec::new();
    for page in program::PAGES {
        println!("cargo:rerun-if-changed={}", program::path_of(page).display());
        let all = program::of_page(page).unwrap_or_else(|error| panic!("{error}"));
        programs.extend(all.into_iter().filter(|program| program.language == Language::Rust));
    }
    for program in &programs {
        write(&file_of(program, &folder), &module(program));
    }
    write(&folder.join("programs.rs"), &table(&programs, &folder));
}

fn file_of(program: &Program, folder: &Path) -> PathBuf {
    folder.join(format!("{}.rs", program.name))
}

/// The program as it stands on the page, and a way in.
fn module(program: &Program) -> String {
    let above = "\n".repeat(program.line);
    let way_in = "pub(super) fn run() -> std::process::ExitCode {\n    \
                  std::process::Termination::report(main())\n}";
    format!("{above}{}\n{way_in}\n", program.source)
}

/// The modules, and a table of them.
fn table(programs: &[Program], folder: &Path) -> String {
    let (mut modules, mut rows) = (String::new(), String::new());
    for program in programs {
        let (name, place, file) = (&program.name, program.place(), file_of(program, folder));
        let cfg = if program.needs_linux { "#[cfg(target_os = \"linux\")]\n" } else { "" };
        writeln!(modules, "{cfg}#[path = {file:?}]\nmod {name};").expect("a string takes all");
        writeln!(rows, "    {cfg}({name:?}, {place:?}, {name}::run),").expect("a string takes all");
    }
    format!("{modules}\nconst ALL: &[Row] = &[\n{rows}];\n")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
