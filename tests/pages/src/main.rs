//! Runs a program of a page as the program of this process.
//!
//! ```text
//! page ordering_3    runs the third Rust program of docs/ordering.md
//! page --list        says which there are, and where
//! ```

#![allow(clippy::print_stdout, reason = "the programs are there to print")]

use std::env;
use std::process::ExitCode;

/// A program: its name, its place, its way in.
type Row = (&'static str, &'static str, fn() -> ExitCode);

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

fn main() -> ExitCode {
    let wanted = env::args().nth(1).unwrap_or_default();
    if wanted == "--list" {
        for (name, place, _) in ALL {
            println!("{name:24} {place}");
        }
        return ExitCode::SUCCESS;
    }
    match ALL.iter().find(|(name, ..)| *name == wanted) {
        Some((_, _, run)) => run(),
        None => {
            eprintln!("page: there is no program {wanted:?}; `page --list` names all");
            ExitCode::FAILURE
        }
    }
}
