//! Goals: what is to be reached, one row of the summary each.

/// One row of the summary.
pub(super) struct Goal {
    pub(super) workload: &'static str,
    /// The figure's name; several with a `+` between are added up.
    pub(super) figure: &'static str,
    pub(super) of: &'static str,
    pub(super) is_futures: bool,
    pub(super) aim: Aim,
}

/// What is aimed at. Ratios are above 1.00 where ours is better.
#[derive(Clone, Copy)]
pub(super) enum Aim {
    /// Nothing: it is shown.
    Nothing,
    AtMost(f64),
    AtLeast(f64),
    OfFloor(f64),
    OfBestPeer(f64),
    Of(&'static str, f64),
}

use Aim::{AtLeast, AtMost, Nothing, Of, OfBestPeer, OfFloor};

pub(super) const ALL: &[Goal] = &[
    row("echo1", "cpu", "echo, 1 connection, server CPU", OfFloor(0.97)),
    futures("echo1", "cpu", "the same, futures", Nothing),
    row("echo50", "cpu", "echo, 50 connections, server CPU", OfFloor(0.97)),
    futures("echo50", "cpu", "the same, futures", Nothing),
    row("echo1000", "cpu", "echo, 1,000 connections, server CPU", OfFloor(0.97)),
    futures("echo1000", "cpu", "the same, futures", Nothing),
    row("echo1000", "slowest_connection", "the worst served of them", AtLeast(0.5)),
    row("stream", "cpu", "64 KiB blocks, server CPU", OfFloor(0.97)),
    row("accept", "cpu", "accept and close, server CPU", OfFloor(0.95)),
    row("udp", "cpu", "UDP, 50 senders, server CPU", Of("mio", 1.05)),
    row("timers-fire", "timers_insert+timers_fire", "1M timers, set and fired", AtMost(300.0)),
    row("timers-churn", "timers_churn", "timer stopped and started, 10k live", AtMost(35.0)),
    row("timeouts-churn", "timers_churn", "the same, ours by `set_timeout`", Nothing),
    row("timers-rearm", "timers_rearm", "timer armed again", AtMost(15.0)),
    row("timeouts-rearm", "timers_rearm", "the same, ours by `set_timeout`", Nothing),
    row("spawn", "spawn", "task spawned and run", AtMost(30.0)),
    row("yield", "yield", "yield of a task", AtMost(18.0)),
    row("chan", "chan_rtt", "local channel, round trip", AtMost(100.0)),
    row("ticks", "nexttick_chain", "tick after tick", AtMost(25.0)),
    row("ticks", "nexttick_batch", "ticks, 1,000 at once", AtMost(12.0)),
    row("ticks", "microtask_chain", "microtask after microtask", Nothing),
    row("ticks", "immediate_chain", "immediate, one an iteration", AtMost(200.0)),
    row("ticks", "immediate_batch", "immediates, 1,000 at once", AtMost(15.0)),
    row("loop", "loop_nowait", "empty iteration", AtMost(180.0)),
    row("many", "many_timers", "the same beside 100,000 stopped timers", Nothing),
    row("many", "many_tcp", "the same beside 5,000 listeners", Nothing),
    row("start", "start_p50", "new loop to first callback", Nothing),
    row("pool", "pool_throughput", "pool, empty jobs", Of("libuv", 1.5)),
    row("pool", "cpu", "CPU of such a job, all threads", Nothing),
    row("pool-rtt", "pool_rtt_p50", "pool, round trip", Nothing),
    row("wake", "wake_latency_p50", "wake-up from a thread", OfBestPeer(0.9)),
    row("wake", "wake_msgs", "messages from a thread", AtLeast(40e6)),
    row("fs", "fs_open_read_close_c1", "files read, one at a time", Of("libuv", 3.0)),
    row("fs", "fs_open_read_close_c64", "files read, 64 at a time", Of("libuv", 1.2)),
    row("fs", "fs_stat_c64", "stat, 64 at a time", Of("libuv", 1.1)),
    row("proc", "proc_spawn_c1", "processes, one at a time", OfFloor(0.95)),
    row("proc", "proc_spawn_c8", "processes, 8 at a time", OfFloor(0.95)),
    row("idle", "memory_per_connection", "memory of an idle connection", AtMost(130.0)),
    row("idle-drain", "memory_per_connection", "with a drain callback", AtMost(180.0)),
    futures("idle", "memory_per_connection", "futures", AtMost(300.0)),
];

const fn row(workload: &'static str, figure: &'static str, of: &'static str, aim: Aim) -> Goal {
    Goal { workload, figure, of, is_futures: false, aim }
}

const fn futures(workload: &'static str, figure: &'static str, of: &'static str, aim: Aim) -> Goal {
    Goal { workload, figure, of, is_futures: true, aim }
}
