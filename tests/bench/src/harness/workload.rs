//! Workloads: what each is called, and how much of it is one run.

/// One row of the table below.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The contender's sub-command.
    pub(super) command: &'static str,
    pub(super) kind: Kind,
    /// Whether callbacks and futures are two different things here.
    pub(super) has_futures: bool,
}

/// Who does the measuring.
pub(super) enum Kind {
    /// The load generator: its sub-command, connections and requests.
    Server { load: &'static str, connections: u64, requests: Amount },
    /// The contender itself.
    InProcess(&'static [(&'static str, Amount)]),
}

/// How much.
#[derive(Clone, Copy)]
pub(super) enum Amount {
    /// A part of the workload's shape.
    Fixed(u64),
    /// A length that a shorter run cuts.
    Scaled(u64),
}

impl Amount {
    pub(super) fn at(self, scale: f64) -> u64 {
        match self {
            Self::Fixed(amount) => amount,
            Self::Scaled(amount) => ((amount as f64 * scale) as u64).max(1),
        }
    }
}

/// Returns the workloads of these names, or all.
pub(super) fn chosen(names: Option<&[String]>) -> Result<Vec<&'static Workload>, String> {
    let Some(names) = names else { return Ok(ALL.iter().collect()) };
    let find = |name: &String| {
        ALL.iter().find(|workload| workload.name == name).ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|workload| workload.name).collect();
            format!("no workload is called {name}; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

use Amount::{Fixed, Scaled};

/// Each long enough for its figure to stand, about a second for a good contender.
const ALL: &[Workload] = &[
    server("echo1", "64-byte echo, 1 connection", "echo", ("echo", 1, Scaled(30_000))),
    server("echo50", "64-byte echo, 50 connections", "echo", ("echo", 50, Scaled(100_000))),
    server("echo1000", "64-byte echo, 1,000 connections", "echo", ("echo", 1000, Scaled(100_000))),
    server("stream", "64 KiB blocks to a sink", "sink", ("stream", 1, Scaled(2048))),
    server("accept", "accept and close", "accept", ("accept", 1, Scaled(20_000))),
    server("udp", "64-byte datagrams, 50 senders", "udp", ("udp", 50, Scaled(100_000))),
    // Not fewer than a thousand where scaled: pages are counted, not bytes.
    server("idle", "memory of 8,000 idle connections", "mem", ("idle", 8000, Fixed(1))),
    one("timers-fire", "timers set and fired", &[("--n", Scaled(1_000_000))]),
    one("timers-churn", "timers cancelled and set", &[("--n", Scaled(2_000_000)), LIVE]),
    one("timers-rearm", "timers armed again", &[("--n", Scaled(5_000_000)), LIVE]),
    one("spawn", "tasks spawned and run", &[("--n", Scaled(2_000_000))]),
    one("yield", "tasks that yield", &[("--n", Scaled(5_000_000)), ("--tasks", Fixed(100))]),
    one("chan", "two tasks, two channels", &[("--n", Scaled(1_000_000))]),
    one("ticks", "ticks, microtasks, immediates", &[("--n", Scaled(1_000_000))]),
    one("loop", "empty iterations", &[("--n", Scaled(1_000_000))]),
    both(
        "pool",
        "jobs on 4 threads",
        &[("--n", Scaled(200_000)), ("--inflight", Fixed(1000)), ("--lat", Scaled(10_000))],
    ),
    one(
        "wake",
        "messages from a thread",
        &[("--n", Scaled(10_000)), ("--msgs", Scaled(2_000_000))],
    ),
    both("fs", "files of 1 KiB", &[("--n", Scaled(50_000))]),
    one("proc", "processes", &[("--n", Scaled(500))]),
];

const LIVE: (&str, Amount) = ("--live", Fixed(10_000));

const fn server(
    name: &'static str,
    about: &'static str,
    command: &'static str,
    (load, connections, requests): (&'static str, u64, Amount),
) -> Workload {
    let kind = Kind::Server { load, connections, requests };
    Workload { name, about, command, kind, has_futures: true }
}

const fn both(
    name: &'static str,
    about: &'static str,
    arguments: &'static [(&'static str, Amount)],
) -> Workload {
    Workload { name, about, command: name, kind: Kind::InProcess(arguments), has_futures: true }
}

const fn one(
    name: &'static str,
    about: &'static str,
    arguments: &'static [(&'static str, Amount)],
) -> Workload {
    Workload { name, about, command: name, kind: Kind::InProcess(arguments), has_futures: false }
}
