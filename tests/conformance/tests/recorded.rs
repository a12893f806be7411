//! Every recorded program gives Node's trace.
//!
//! `recorded.jsonl` holds the programs of `node/record.cjs` with the traces of Node 20.20.2: those
//! only that Node ran alike eight times. Node is not needed to replay them.

mod corpus;

use std::collections::BTreeMap;
use std::thread;

use corpus::{Recorded, Traces, difference, recorded, traces};
use serde_json::Value;

/// Processes at a time. The programs mostly wait.
const PROCESSES: usize = 6;

/// A program of real timers, on a machine that does something else as well, may be late and mix up
/// groups that are 10 ms apart: it is tried again, alone, before it counts.
const TRIES: usize = 3;

/// The traces of `all`, run by several processes at a time.
fn traces_in_parallel(all: &[Recorded]) -> Traces {
    let shares = all.chunks(all.len().div_ceil(PROCESSES));
    thread::scope(|scope| {
        let running: Vec<_> = shares.map(|share| scope.spawn(move || traces(&[], share))).collect();
        running.into_iter().flat_map(|share| share.join().expect("no panic")).collect()
    })
}

#[test]
fn every_recorded_program_gives_nodes_trace() {
    let all = recorded();
    let first = traces_in_parallel(&all);
    let mut wrong: Vec<_> = all.iter().filter(|one| difference(one, &first).is_some()).collect();
    for _ in 1..TRIES {
        let again: Vec<_> = wrong.iter().map(|one| traces(&[], [*one])).collect();
        let mut again = again.iter();
        wrong.retain(|one| again.next().is_some_and(|ours| difference(one, ours).is_some()));
    }
    let shown: Vec<_> =
        wrong.iter().filter_map(|one| difference(one, &traces(&[], [*one]))).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), shown.join("\n"));
}

#[test]
fn the_recorded_programs_are_of_all_families_and_reach_every_statement() {
    let all = recorded();
    assert!(all.len() >= 2000, "{} programs", all.len());
    let (mut families, mut operations) = (BTreeMap::new(), BTreeMap::new());
    for one in &all {
        *families.entry(one.family.as_str()).or_insert(0) += 1;
        one.program.as_object().into_iter().flatten().for_each(|(_, section)| {
            count_operations(section, &mut operations);
        });
    }
    for family in FAMILIES {
        let least = if family == "classics" { 40 } else { 150 };
        let count = families.get(family).copied().unwrap_or(0);
        assert!(count >= least, "{count} programs of the family {family}");
    }
    for operation in OPERATIONS.split_whitespace() {
        let count = operations.get(operation).copied().unwrap_or(0);
        assert!(count >= 20, "`{operation}` is used {count} times");
    }
}

const FAMILIES: [&str; 11] = [
    "micro",
    "timers",
    "immediates",
    "iophase",
    "fs",
    "tasks",
    "errors",
    "lifecycle",
    "tcp",
    "mixed",
    "classics",
];

const OPERATIONS: &str = "
    log logErr busy throw try exit nextTick microtask timeout interval immediate clear refresh ref unref
    deferred resolve reject adopt then finally all race any allSettled
    task turn await sleep yield awaitPool signal abort onAbort
    pool listen connect on once write end destroy closeServer";

fn count_operations<'a>(value: &'a Value, counts: &mut BTreeMap<&'a str, usize>) {
    let Some(items) = value.as_array() else { return };
    if let Some(Value::String(operation)) = items.first() {
        *counts.entry(operation).or_insert(0) += 1;
    }
    items.iter().for_each(|item| count_operations(item, counts));
}
