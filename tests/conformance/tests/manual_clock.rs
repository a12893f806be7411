//! With the manual clock a program's trace depends on nothing but the program.

mod corpus;

use corpus::{Recorded, difference, recorded, traces};

/// Families that wait for nothing but timers.
const FAMILIES: [&str; 5] = ["micro", "timers", "immediates", "tasks", "lifecycle"];
const TIMES: usize = 50;

#[test]
fn without_real_time_programs_give_the_same_trace_each_time_and_it_is_nodes() {
    let mut programs = recorded();
    programs.retain(|one| FAMILIES.contains(&one.family.as_str()));
    assert!(programs.len() >= 750, "{} programs", programs.len());
    for time in 1..=TIMES {
        let ours = traces(&["--manual-clock"], &programs);
        let wrong: Vec<_> = programs.iter().filter_map(|one| difference(one, &ours)).collect();
        assert!(wrong.is_empty(), "time {time}, {} differ:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Calls of the pool and sockets take real time, in which the clock stands.
#[test]
fn those_that_wait_for_the_system_give_nodes_trace_as_well() {
    let all: Vec<Recorded> = recorded();
    let ours = traces(&["--manual-clock"], &all);
    let wrong: Vec<_> = all.iter().filter_map(|one| difference(one, &ours)).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
