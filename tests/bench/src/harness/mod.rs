//! The harness: the same work for each contender, one after the other, several times.
//!
//! ```text
//!   for each workload
//!     round 1   ours   floor   tokio   libuv
//!     round 2   floor  tokio   libuv   ours      nobody is always the first
//!     ...                                        ▶ medians, ratios
//! ```
//!
//! In turns, because the machine changes while a comparison runs; what is slow for a minute is slow for
//! all. A run that failed, or did no work, takes its contender out of that workload, and the report
//! says why: a wrong answer is never a fast one.

mod child;
mod contender;
mod figure;
mod machine;
mod peer;
mod run;
mod table;
mod workload;

use std::io::{Error, Result};

use contender::Contender;
use run::{Outcome, Scratch};
use table::{Column, Entry};
use workload::Workload;

/// What to compare, and how thoroughly.
pub(crate) struct Options {
    /// All where not given.
    pub(crate) peers: Option<Vec<String>>,
    /// All where not given.
    pub(crate) workloads: Option<Vec<String>>,
    pub(crate) rounds: usize,
    /// What part of each workload's amount is done.
    pub(crate) scale: f64,
}

/// The finished comparison.
pub(crate) struct Report {
    pub(crate) text: String,
    /// Whether no run was refused.
    pub(crate) is_complete: bool,
}

pub(crate) fn compare(options: &Options) -> Result<Report> {
    let workloads = workload::chosen(options.workloads.as_deref()).map_err(Error::other)?;
    child::raise_descriptor_limit()?;
    let mut contenders = contender::ours()?;
    contenders.extend(peer::available(options.peers.as_deref())?);
    let scratch = Scratch::new()?;

    let mut report = Report { text: machine::describe(), is_complete: true };
    for workload in workloads {
        let columns = columns(workload, &contenders, options, &scratch);
        report.is_complete &=
            !columns.iter().any(|column| matches!(column.entry, Entry::Refused(_)));
        report.text += &table::markdown(workload, &columns);
    }
    Ok(report)
}

/// Runs all rounds of one workload.
fn columns<'a>(
    workload: &Workload,
    contenders: &'a [Contender],
    options: &Options,
    scratch: &Scratch,
) -> Vec<Column<'a>> {
    let mut columns: Vec<_> = contenders
        .iter()
        .filter(|contender| workload.has_futures || !contender.is_futures)
        .map(|contender| Column { contender, entry: Entry::Measured(Vec::new()) })
        .collect();
    let count = columns.len();
    for round in 0..options.rounds {
        for turn in 0..count {
            let Column { contender, entry } = &mut columns[(round + turn) % count];
            let Entry::Measured(rounds) = entry else { continue };
            eprintln!("{}: round {} of {}, {contender}", workload.name, round + 1, options.rounds);
            match run::once(workload, contender, options.scale, scratch) {
                Outcome::Figures(figures) => rounds.push(figures),
                Outcome::Unsupported => *entry = Entry::Unsupported,
                Outcome::Refused(reason) => *entry = Entry::Refused(reason),
            }
        }
    }
    columns
}
