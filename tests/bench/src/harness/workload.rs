//! Workloads: what each is called, and how much of it is one run.

use super::contender::Contender;

/// One row of the table below.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The contender's sub-command.
    pub(super) command: &'static str,
    /// What the contender is told beyond the amount.
    pub(super) flags: Flags,
    pub(super) kind: Kind,
    pub(super) field: Field,
}

/// Who takes part.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Field {
    /// All, ours with both faces.
    BothFaces,
    /// All, ours by callbacks: futures are no other thing here, or there is nothing else.
    OneFace,
    /// Ours by callbacks and nobody else, since the others have nothing like it.
    OursAlone,
}

/// Who does the measuring.
pub(super) enum Kind {
    /// The load generator: its sub-command, connections and requests.
    Server { load: &'static str, connections: u64, requests: Amount },
    /// The contender itself.
    InProcess { arguments: Arguments, cpu: Cpu },
}

pub(super) type Flags = &'static [&'static str];
pub(super) type Arguments = &'static [(&'static str, Amount)];

/// Whether the process's time on all cores is a figure too.
#[derive(Clone, Copy)]
pub(super) enum Cpu {
    /// No: one thread did all, and the figures say it, or several things were done.
    Untold,
    /// Yes, shared out among so many times the first argument.
    PerOperation(u64),
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

impl Workload {
    pub(super) fn has(&self, contender: &Contender) -> bool {
        match self.field {
            Field::BothFaces => true,
            Field::OneFace => !contender.is_futures,
            Field::OursAlone => contender.name == "ours",
        }
    }
}

/// Returns those of `table` with these names, or all.
pub(super) fn chosen(
    table: &'static [Workload],
    names: Option<&[String]>,
) -> Result<Vec<&'static Workload>, String> {
    let Some(names) = names else { return Ok(table.iter().collect()) };
    let find = |name: &String| {
        table.iter().find(|workload| workload.name == name).ok_or_else(|| {
            let known: Vec<_> = table.iter().map(|workload| workload.name).collect();
            format!("no workload is called {name}; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

use Amount::{Fixed, Scaled};
use Cpu::{PerOperation, Untold};

/// Each long enough for its figure to stand, and no longer: half a second for a good contender.
pub(super) const ALL: &[Workload] = &[
    server("echo1", "64-byte echo, 1 connection", "echo", ("echo", 1, Scaled(20_000))),
    server("echo50", "64-byte echo, 50 connections", "echo", ("echo", 50, Scaled(40_000))),
    server("echo1000", "64-byte echo, 1,000 connections", "echo", ("echo", 1000, Scaled(40_000))),
    server("stream", "64 KiB blocks to a sink", "sink", ("stream", 1, Scaled(512))),
    server("accept", "accept and close", "accept", ("accept", 1, Scaled(8000))),
    server("udp", "64-byte datagrams, 50 senders", "udp", ("udp", 50, Scaled(40_000))),
    // Not fewer than a thousand where scaled: pages are counted, not bytes.
    server("idle", "memory of 8,000 idle connections", "mem", ("idle", 8000, Fixed(1))),
    Workload {
        name: "idle-drain",
        about: "the same, each with a drain callback",
        flags: &["--drain", "true"],
        field: Field::OursAlone,
        ..server("", "", "mem", ("idle", 8000, Fixed(1)))
    },
    one("timers-fire", "timers set and fired", &[("--n", Scaled(1_000_000))]),
    one("timers-churn", "timers cancelled and set", &[("--n", Scaled(2_000_000)), LIVE]),
    one("timers-rearm", "timers armed again", &[("--n", Scaled(3_000_000)), LIVE]),
    timeouts("timeouts-churn", "timers-churn", &[("--n", Scaled(1_000_000)), LIVE]),
    timeouts("timeouts-rearm", "timers-rearm", &[("--n", Scaled(1_000_000)), LIVE]),
    one("spawn", "tasks spawned and run", &[("--n", Scaled(1_000_000))]),
    one("yield", "tasks that yield", &[("--n", Scaled(2_000_000)), ("--tasks", Fixed(100))]),
    one("chan", "two tasks, two channels", &[("--n", Scaled(500_000))]),
    one("ticks", "ticks, microtasks, immediates", &[("--n", Scaled(500_000))]),
    one("loop", "empty iterations", &[("--n", Scaled(500_000))]),
    one(
        "many",
        "empty iterations beside idle handles",
        &[("--n", Scaled(100_000)), ("--idle", Fixed(100_000)), ("--sockets", Fixed(5000))],
    ),
    one("start", "new loops", &[("--n", Scaled(1000))]),
    many_threads(
        "pool",
        "empty jobs on 4 threads, 1,000 under way",
        "pool",
        (&[("--n", Scaled(200_000)), ("--inflight", Fixed(1000)), ("--lat", Fixed(0))], 1),
    ),
    many_threads(
        "pool-rtt",
        "empty jobs on 4 threads, one at a time",
        "pool",
        (&[("--lat", Scaled(5000)), ("--n", Fixed(0)), ("--inflight", Fixed(1))], 1),
    ),
    one("wake", "messages from a thread", &[("--n", Scaled(2000)), ("--msgs", Scaled(1_000_000))]),
    many_threads("fs", "files of 1 KiB", "fs", (&[("--n", Scaled(8000))], 4)),
    many_threads("proc", "processes", "proc", (&[("--n", Scaled(300))], 2)),
];

/// What is done with files, one thing each, so that a core's time is that thing's.
pub(super) const FILES: &[Workload] = &[
    file(
        "read1",
        "1 KiB read, 1 at a time",
        &["--op", "read", "--width", "1"],
        &[("--n", Scaled(10_000))],
    ),
    file(
        "read64",
        "1 KiB read, 64 at a time",
        &["--op", "read", "--width", "64"],
        &[("--n", Scaled(60_000))],
    ),
    file(
        "stat1",
        "stat, 1 at a time",
        &["--op", "stat", "--width", "1"],
        &[("--n", Scaled(10_000))],
    ),
    file(
        "stat64",
        "stat, 64 at a time",
        &["--op", "stat", "--width", "64"],
        &[("--n", Scaled(100_000))],
    ),
    file(
        "write64",
        "1 KiB replaced, 64 at a time",
        &["--op", "write", "--width", "64"],
        &[("--n", Scaled(2000))],
    ),
    file(
        "large1",
        "1 MiB read, 1 at a time",
        &["--op", "large", "--width", "1"],
        &[("--n", Scaled(1000))],
    ),
    file(
        "large64",
        "1 MiB read, 64 at a time",
        &["--op", "large", "--width", "64"],
        &[("--n", Scaled(1000))],
    ),
    file(
        "block64",
        "4 KiB of an open file, 64 at a time",
        &["--op", "block", "--width", "64"],
        &[("--n", Scaled(60_000))],
    ),
];

const LIVE: (&str, Amount) = ("--live", Fixed(10_000));

const fn server(
    name: &'static str,
    about: &'static str,
    command: &'static str,
    (load, connections, requests): (&'static str, u64, Amount),
) -> Workload {
    let kind = Kind::Server { load, connections, requests };
    Workload { name, about, command, flags: &[], kind, field: Field::BothFaces }
}

const fn many_threads(
    name: &'static str,
    about: &'static str,
    command: &'static str,
    (arguments, times): (Arguments, u64),
) -> Workload {
    let kind = Kind::InProcess { arguments, cpu: PerOperation(times) };
    Workload { name, about, command, flags: &[], kind, field: Field::BothFaces }
}

const fn file(name: &'static str, about: &'static str, flags: Flags, n: Arguments) -> Workload {
    Workload { flags, field: Field::OneFace, ..many_threads(name, about, "file", (n, 1)) }
}

/// Timers, ours by `set_timeout`. The peers have one kind.
const fn timeouts(name: &'static str, command: &'static str, arguments: Arguments) -> Workload {
    let about = "the same, ours by set_timeout, which reads the clock at each start";
    Workload { command, flags: &["--timer", "timeout"], ..one(name, about, arguments) }
}

const fn one(name: &'static str, about: &'static str, arguments: Arguments) -> Workload {
    let kind = Kind::InProcess { arguments, cpu: Untold };
    Workload { name, about, command: name, flags: &[], kind, field: Field::OneFace }
}
