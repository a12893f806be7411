//! What an operation costs, by counts that are the same in each run; `budgets.toml` says what it may.
//!
//! ```text
//!   run with n operations ─▶ count ─┐
//!                                   ├─▶ difference / operations ─▶ more than the budget? it fails
//!   run with more of them ─▶ count ─┘
//! ```
//!
//! The start of the program, and its end, are in both counts and fall out of the difference. Times are
//! not looked at here. `cargo test --release -p bench -- --nocapture` shows the table.

mod allocations;
mod budgets;
mod client;
mod programs;

use std::fmt::Write;

use behaviour::{Deadline, tell};
use budgets::{Gate, Kind, Operations};

/// How often what is over its budget is counted.
const ATTEMPTS: usize = 4;

#[test]
fn no_operation_takes_more_instructions_than_its_budget() {
    if let Err(reason) = programs::can_count_instructions() {
        return tell(format!("skipped: {reason}"));
    }
    check(Kind::Instructions, programs::instructions);
}

#[test]
fn no_operation_takes_more_system_calls_than_its_budget() {
    if let Err(reason) = programs::can_count_calls() {
        return tell(format!("skipped: {reason}"));
    }
    check(Kind::Calls, programs::calls);
}

#[test]
fn no_operation_takes_more_allocations_than_its_budget() {
    check(Kind::Allocations, allocations::count);
}

/// Measures all gates of a kind, prints them as a table, and fails if one is over its budget.
#[expect(clippy::print_stdout, reason = "for `--nocapture`, and beside a failure")]
fn check(kind: Kind, count: impl Fn(&Gate, Operations) -> u64) {
    let _deadline = Deadline::secs(280);
    let mut table =
        format!("{kind:?} | now | budget | goal | peers\n--- | --- | --- | --- | ---\n");
    let mut over = Vec::new();
    for gate in budgets::read(kind) {
        let each = least(&gate, &count);
        writeln!(table, "{} | {each:.2} | {gate}", gate.of).expect("a string takes all");
        if each > gate.budget {
            over.push(format!("{}: {each:.2}, the budget is {}", gate.of, gate.budget));
        }
    }
    println!("{table}");
    assert!(over.is_empty(), "over budget: {over:#?}");
}

/// What an operation takes, counted again while that is over the budget. Of a server it is not all the
/// server's: a client that is interrupted between two requests lets it wait once more than it need.
fn least(gate: &Gate, count: impl Fn(&Gate, Operations) -> u64) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ATTEMPTS {
        let few = count(gate, gate.few());
        let many = count(gate, gate.many());
        let operations = gate.many().total() - gate.few().total();
        least = least.min(in_hundredths((many as f64 - few as f64) / operations as f64));
        if least <= gate.budget {
            break;
        }
    }
    least
}

/// What is less comes from without: a list that grew, a wait more.
fn in_hundredths(count: f64) -> f64 {
    (count * 100.0).round() / 100.0 + 0.0 // no minus zero
}
