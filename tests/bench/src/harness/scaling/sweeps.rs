//! The sweeps.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use bench::spin::ns_per_turn;

use super::super::contender::Contender;
use super::super::figure::Figure;
use super::super::run::{Outcome, in_process, serve};
use super::sweep::{LineOf, Run, Sweep};

/// Beside the connections a server has its own descriptors, and so has the load.
const OTHER_DESCRIPTORS: u64 = 100;

pub(super) fn all(descriptors: u64) -> Vec<Sweep> {
    vec![connections(descriptors), churn(), rearm(), queue(), pool(), loops()]
}

const fn line(
    name: &'static str,
    contender: &'static str,
    flags: &'static [&'static str],
    figure: &'static str,
) -> LineOf {
    LineOf { name, contender, flags, figure }
}

fn as_printed(figure: &Figure, _: u64) -> f64 {
    figure.value
}

fn connections(descriptors: u64) -> Sweep {
    let most = (descriptors - OTHER_DESCRIPTORS).min(10_000);
    Sweep {
        name: "connections",
        title: "Echo, one connection of 100 active",
        about: format!(
            "64 bytes each way, each connection has its turn; server and load are processes of their own, \
             and each may open {descriptors} descriptors. With more active ones a wait brings more events: \
             all get cheaper, until the memory of the connections leaves the cache. Good is what stays at \
             the floor's distance."
        ),
        x: "open connections",
        y: "server CPU, ns/request",
        amounts: vec![10, 100, 1000, most],
        has_log_y: false,
        lines: &const {
            [
                line("ours", "ours", &[], "cpu"),
                line("ours, futures", "ours, futures", &[], "cpu"),
                line("floor", "floor", &[], "cpu"),
                line("tokio", "tokio", &[], "cpu"),
                line("libuv", "libuv", &[], "cpu"),
            ]
        },
        run: Run { once: echo_with_few_active, value: as_printed },
    }
}

fn echo_with_few_active(contender: &Contender, _: &[&str], connections: u64) -> Outcome {
    let active = (connections / 100).max(1);
    let flags = [
        ("--connections", connections),
        ("--active", active),
        ("--requests", 30_000.max(2 * connections)),
    ];
    serve(&mut contender.command("echo"), "echo", &strings(&flags))
}

fn strings(flags: &[(&str, u64)]) -> Vec<String> {
    flags.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]).collect()
}

const LIVE: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

const fn timer_lines(figure: &'static str) -> [LineOf; 5] {
    [
        line("ours, set_timeout", "ours", &["--timer", "timeout"], figure),
        line("ours, Timer", "ours", &["--timer", "handle"], figure),
        line("floor", "floor", &[], figure),
        line("tokio", "tokio", &[], figure),
        line("libuv", "libuv", &[], figure),
    ]
}

fn churn() -> Sweep {
    Sweep {
        name: "timers-churn",
        title: "A timer cancelled and another set",
        about: "Random delays of 1 to 61 s, the oldest goes. Each step touches one that was long not touched, so \
                from 100,000 on the memory is paid for; a heap pays for its depth too."
            .to_owned(),
        x: "live timers",
        y: "ns",
        amounts: LIVE.to_vec(),
        has_log_y: true,
        lines: const { &timer_lines("timers_churn") },
        run: Run { once: |c, flags, live| timers("timers-churn", c, flags, live), value: as_printed },
    }
}

fn rearm() -> Sweep {
    Sweep {
        name: "timers-rearm",
        title: "A timer armed again",
        about: "Delays of 30 s, each timer in its turn, as idle timeouts of connections are."
            .to_owned(),
        x: "live timers",
        y: "ns",
        amounts: LIVE.to_vec(),
        has_log_y: true,
        lines: const { &timer_lines("timers_rearm") },
        run: Run {
            once: |c, flags, live| timers("timers-rearm", c, flags, live),
            value: as_printed,
        },
    }
}

fn timers(workload: &str, contender: &Contender, flags: &[&str], live: u64) -> Outcome {
    let amount = strings(&[("--n", 500_000), ("--live", live)]);
    in_process(contender.command(workload).args(flags).args(amount), None)
}

fn queue() -> Sweep {
    Sweep {
        name: "queue",
        title: "Ticks and microtasks in a queue",
        about:
            "So many queued at once, the last of them queues as many again. Beyond what the caches \
                hold the memory is paid for."
                .to_owned(),
        x: "length of the queue",
        y: "ns/call",
        amounts: vec![1, 10, 100, 1000, 10_000, 100_000, 1_000_000],
        has_log_y: false,
        lines: &const {
            [
                line("ours, ticks", "ours", &[], "queue_tick"),
                line("ours, microtasks", "ours", &[], "queue_microtask"),
                line("floor", "floor", &[], "queue_tick"),
                line("Node, ticks", "node", &[], "queue_tick"),
                line("Node, microtasks", "node", &[], "queue_microtask"),
            ]
        },
        run: Run {
            once: |contender, _, length| {
                let amount = strings(&[("--n", 2_000_000), ("--length", length)]);
                in_process(contender.command("queue").args(amount), None)
            },
            value: as_printed,
        },
    }
}

/// Of all jobs of a sweep, so that those of one run are the same for all.
static NS_PER_TURN: LazyLock<f64> = LazyLock::new(ns_per_turn);

const POOL_THREADS: usize = 4;

fn cores() -> f64 {
    available_parallelism().map_or(1, usize::from).min(POOL_THREADS) as f64
}

fn turns(size_ns: u64) -> u64 {
    (size_ns as f64 / *NS_PER_TURN) as u64
}

fn pool() -> Sweep {
    Sweep {
        name: "pool",
        title: "The pool against the size of its jobs",
        about: "4 threads, 1,000 jobs under way, each spins. 1.0 is all cores at nothing else. Jobs of no size \
                have no ideal: they are the row of empty jobs in the tables."
            .to_owned(),
        x: "size of a job, ns",
        y: "share of the ideal",
        amounts: vec![1_000, 10_000, 100_000, 1_000_000],
        has_log_y: false,
        lines: &const {
            [
                line("ours", "ours", &[], "pool_spin"),
                line("ours, futures", "ours, futures", &[], "pool_spin"),
                line("floor", "floor", &[], "pool_spin"),
                line("tokio", "tokio", &[], "pool_spin"),
                line("libuv", "libuv", &[], "pool_spin"),
            ]
        },
        run: Run {
            once: |contender, _, size_ns| {
                const RUN_NS: u64 = 500_000_000;
                let count = (RUN_NS / size_ns).min(100_000);
                let amount =
                    [("--n", count), ("--inflight", 1000.min(count)), ("--turns", turns(size_ns))];
                in_process(contender.command("pool-spin").args(strings(&amount)), None)
            },
            value: |rate, size_ns| {
                let ideal = cores() * 1e9 / (turns(size_ns) as f64 * *NS_PER_TURN);
                rate.value / ideal
            },
        },
    }
}

fn loops() -> Sweep {
    Sweep {
        name: "loops",
        title: "Echo, 50 connections, by 1 and 2 loops",
        about:
            "The load has a thread of its own, so on two cores two loops can't be twice as fast."
                .to_owned(),
        x: "loops",
        y: "requests/s",
        amounts: vec![1, 2],
        has_log_y: false,
        lines: &const {
            [
                line("ours", "ours", &[], "rate"),
                line("ours, futures", "ours, futures", &[], "rate"),
                line("floor", "floor", &[], "rate"),
                line("tokio", "tokio", &[], "rate"),
                line("mio", "mio", &[], "rate"),
            ]
        },
        run: Run {
            once: |contender, _, loops| {
                let amount = strings(&[("--connections", 50), ("--requests", 100_000)]);
                let loops = loops.to_string();
                serve(contender.command("echo").args(["--loops", &loops]), "echo", &amount)
            },
            value: as_printed,
        },
    }
}
