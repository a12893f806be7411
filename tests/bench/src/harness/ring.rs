//! Files through an io_uring, beside the pool: a table for each figure, a row for each kind of work.

use std::io::{Error, Result};
use std::time::Instant;

use bench::file_work::{LARGE, LARGE_FILES};

use super::contender::{self, Contender};
use super::run::Scratch;
use super::summary::Measured;
use super::table::Column;
use super::workload::Workload;
use super::{Options, calls, child, is_complete, machine, measure, peer, took, workload};

/// Who takes part, unless it is said.
const PEERS: [&str; 4] = ["ring", "libuv", "monoio", "compio"];

/// The figures: their sections in the document, titles, names.
const FIGURES: [(&str, &str, &str); 5] = [
    ("rate", "Operations a second", "rate"),
    ("cpu", "CPU time of all cores, ns an operation", "cpu"),
    ("loop-thread", "CPU time of the loop's thread, ns an operation", "loop_thread"),
    ("hand-over", "Longest hand-over, us", "longest_hand_over"),
    ("workers", "Threads of the kernel's own", "kernel_workers"),
];

/// Compares, and says whether no run was refused.
pub(crate) fn ring(options: &Options) -> Result<bool> {
    let names = options.workloads.as_deref();
    let workloads = workload::chosen(workload::FILES, names).map_err(Error::other)?;
    child::raise_descriptor_limit()?;
    let contenders = contenders(options)?;
    let (scratch, start) = (Scratch::new()?, Instant::now());
    scratch.fill("l", LARGE_FILES, LARGE)?;
    let machine = machine::describe();

    let all = measure(workloads, &contenders, options, &scratch);
    options.write("machine", "The machine", &(machine + &took(options, start)))?;
    for (section, title, name) in FIGURES {
        let cell = |at: &Place<'_>| at.figure(name);
        options.write(section, title, &table(&all, cell))?;
    }
    let cell = |at: &Place<'_>| at.calls(&scratch);
    options.write("calls", "System calls an operation", &table(&all, cell))?;
    Ok(is_complete(&all))
}

/// Ours and the chosen peers, with what else the ring and the system could do.
fn contenders(options: &Options) -> Result<Vec<Contender>> {
    let default = PEERS.map(str::to_owned);
    let peers = peer::available(Some(options.peers.as_deref().unwrap_or(&default)))?;
    let mut contenders = Vec::new();
    for contender in contender::ours()?.into_iter().chain(peers) {
        let variants = match contender.name {
            "floor" => vec![contender.variant("floor, cached", &["--how", "cached"])],
            "ring" => vec![
                contender.variant("ring, deferred", &["--setup", "defer"]),
                contender.variant("ring, polled", &["--setup", "sqpoll"]),
            ],
            _ => Vec::new(),
        };
        contenders.push(contender);
        contenders.extend(variants);
    }
    Ok(contenders)
}

/// A row for each workload, a column for each contender that has a cell in one of them.
fn table(all: &[Measured<'_>], cell: impl Fn(&Place<'_>) -> Option<String>) -> String {
    let row = |(workload, columns): &Measured<'_>| {
        let place = |column| Place { workload, ours: &columns[0], column };
        columns.iter().map(|column| cell(&place(column))).collect::<Vec<_>>()
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let shown: Vec<_> =
        (0..rows[0].len()).filter(|&at| rows.iter().any(|row| row[at].is_some())).collect();
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));

    let names = shown.iter().map(|&at| all[0].1[at].contender.name);
    let mut text = line(std::iter::once("").chain(names).collect());
    text += &format!("|---|{}\n", "---:|".repeat(shown.len()));
    for ((workload, _), row) in all.iter().zip(&rows) {
        let cells = shown.iter().map(|&at| row[at].as_deref().unwrap_or_default());
        text += &line(std::iter::once(workload.about).chain(cells).collect());
    }
    text
}

/// Where a row and a column meet.
struct Place<'a> {
    workload: &'a Workload,
    ours: &'a Column<'a>,
    column: &'a Column<'a>,
}

impl Place<'_> {
    /// The figure, and how many times better it is than ours.
    fn figure(&self, name: &str) -> Option<String> {
        let (median, spread) = self.column.median_and_spread(name)?;
        let ratio = self.ours.median_and_spread(name).and_then(|(ours, _)| median.ratio_to(&ours));
        let is_ours = self.column.contender.name == self.ours.contender.name;
        let ratio = ratio.filter(|_| !is_ours).map(|ratio| format!(" ({ratio:.2})"));
        let (short, spread) = (median.short(), spread * 100.0);
        Some(format!("{short} ±{spread:.0}%{}", ratio.unwrap_or_default()))
    }

    fn calls(&self, scratch: &Scratch) -> Option<String> {
        self.column.is_measured().then_some(())?;
        let calls = calls::each(self.workload, self.column.contender, scratch);
        calls.map(|calls| format!("{calls:.2}")).inspect_err(|error| eprintln!("{error}")).ok()
    }
}
