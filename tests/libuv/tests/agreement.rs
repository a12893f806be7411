//! Our traces are libuv's, but for the differences that are listed.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};

use behaviour::Deadline;
use libuv_oracle::{DIFFERENCES, reference, scenarios};

fn ours() -> BTreeMap<String, String> {
    let trace = |scenario: libuv_oracle::Scenario| {
        let trace = scenario.trace().unwrap_or_else(|error| format!("failed: {error}"));
        (scenario.name.to_owned(), trace)
    };
    scenarios::all().map(trace).collect()
}

#[test]
fn every_scenario_does_what_libuv_did_or_what_the_table_of_differences_says() {
    let _deadline = Deadline::secs(120);
    let (ours, mut expected) = (ours(), reference().traces);
    for difference in DIFFERENCES {
        expected.insert(difference.scenario.into(), difference.ours.into());
    }
    let wrong: Vec<String> = ours
        .iter()
        .filter(|(name, trace)| expected.get(*name) != Some(trace))
        .map(|(name, trace)| {
            let expected = expected.get(name).map_or("nothing recorded", String::as_str);
            format!("{name}\n  expected {expected}\n  ours     {trace}")
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), ours.len(), wrong.join("\n"));
}

#[test]
fn each_side_has_the_scenarios_of_the_other() {
    let ours: BTreeSet<String> = scenarios::all().map(|scenario| scenario.name.into()).collect();
    let recorded: BTreeSet<String> = reference().traces.into_keys().collect();
    assert_eq!(ours, recorded);
    assert_eq!(ours.len(), scenarios::all().count(), "two scenarios have one name");
}

#[test]
fn a_listed_difference_is_one() {
    let libuv = reference().traces;
    for difference in DIFFERENCES {
        assert_ne!(libuv[difference.scenario], difference.ours, "{}", difference.scenario);
        assert!(!difference.reason.is_empty(), "{} needs a reason", difference.scenario);
    }
}

/// The page is where users read of them.
#[test]
fn the_page_on_ordering_has_a_row_for_each_difference() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ordering.md");
    let page = std::fs::read_to_string(page).expect("the page on ordering");
    let libuv = reference().traces;
    let cell = |trace: &str| format!("`{}`", trace.replace('|', "\\|"));
    let missing: Vec<String> = DIFFERENCES
        .iter()
        .map(|difference| {
            let words = difference.scenario.replace('_', " ");
            let (theirs, ours) = (cell(&libuv[difference.scenario]), cell(difference.ours));
            format!("| {words} | {theirs} | {ours} | {} |", difference.reason)
        })
        .filter(|row| !page.contains(row))
        .collect();
    assert!(missing.is_empty(), "docs/ordering.md lacks these rows:\n{}", missing.join("\n"));
}
