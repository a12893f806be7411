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

mod calls;
mod child;
mod contender;
mod document;
mod figure;
mod goals;
mod machine;
mod peer;
mod ring;
mod run;
mod scaling;
mod sizes;
mod summary;
mod table;
mod workload;

use std::io::{Error, Result, Write};
use std::path::PathBuf;
use std::time::Instant;

use contender::Contender;
use run::{Outcome, Scratch};
use summary::Measured;
use table::{Column, Entry};
use workload::Workload;

pub(crate) use ring::ring;
pub(crate) use scaling::scaling;
pub(crate) use sizes::sizes;

/// What to compare, and how thoroughly.
pub(crate) struct Options {
    /// All where not given.
    pub(crate) peers: Option<Vec<String>>,
    /// All where not given.
    pub(crate) workloads: Option<Vec<String>>,
    pub(crate) rounds: usize,
    /// What part of each workload's amount is done.
    pub(crate) scale: f64,
    /// A document whose sections are replaced; without one all is printed.
    pub(crate) markdown: Option<PathBuf>,
}

impl Options {
    /// Puts a section where it belongs.
    fn write(&self, section: &str, title: &str, text: &str) -> Result<()> {
        match &self.markdown {
            Some(path) => document::replace(path, section, text),
            None => write!(std::io::stdout(), "## {title}\n\n{}\n\n", text.trim()),
        }
    }
}

/// Compares, and says whether no run was refused.
pub(crate) fn compare(options: &Options) -> Result<bool> {
    let names = options.workloads.as_deref();
    let workloads = workload::chosen(workload::ALL, names).map_err(Error::other)?;
    child::raise_descriptor_limit()?;
    let mut contenders = contender::ours()?;
    contenders.extend(peer::available(options.peers.as_deref())?);
    let (scratch, start) = (Scratch::new()?, Instant::now());
    let machine = machine::describe();

    let all = measure(workloads, &contenders, options, &scratch);
    options.write("machine", "The machine", &(machine + &took(options, start)))?;
    options.write("summary", "Summary", &summary::markdown(&all))?;
    let tables: Vec<_> =
        all.iter().map(|(workload, columns)| table::markdown(workload, columns)).collect();
    options.write("tables", "All figures", &(table::LEGEND.to_owned() + &tables.concat()))?;
    Ok(is_complete(&all))
}

/// Runs all rounds of all workloads.
fn measure<'a>(
    workloads: Vec<&'static Workload>,
    contenders: &'a [Contender],
    options: &Options,
    scratch: &Scratch,
) -> Vec<Measured<'a>> {
    let measured = |workload| (workload, columns(workload, contenders, options, scratch));
    workloads.into_iter().map(measured).collect()
}

/// Whether no run was refused.
fn is_complete(all: &[Measured<'_>]) -> bool {
    let mut columns = all.iter().flat_map(|(_, columns)| columns);
    !columns.any(|column| matches!(column.entry, Entry::Refused(_)))
}

fn took(options: &Options, start: Instant) -> String {
    let minutes = start.elapsed().as_secs().div_ceil(60);
    eprintln!("{} rounds in {minutes} minutes", options.rounds);
    format!("- rounds: {}, in {minutes} minutes\n", options.rounds)
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
        .filter(|contender| workload.has(contender))
        .map(|contender| Column { contender, entry: Entry::Measured(Vec::new()) })
        .collect();
    let count = columns.len();
    let start = Instant::now();
    for round in 0..options.rounds {
        for turn in 0..count {
            let Column { contender, entry } = &mut columns[(round + turn) % count];
            let Entry::Measured(rounds) = entry else { continue };
            match run::once(workload, contender, options.scale, scratch) {
                Outcome::Figures(figures) => rounds.push(figures),
                Outcome::Unsupported => *entry = Entry::Unsupported,
                Outcome::Refused(reason) => *entry = Entry::Refused(reason),
            }
        }
    }
    eprintln!("{}: {} rounds, {} s", workload.name, options.rounds, start.elapsed().as_secs());
    columns
}
