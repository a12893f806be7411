//! Scaling: how costs grow with how much there is. Each sweep is a plot, and a table beside it.
//!
//! ```text
//!   round 1   x = 10:   ours  floor  tokio     x = 100:   floor  tokio  ours   ...
//!   round 2   ...                                         ▶ medians ▶ NAME.svg, NAME.csv
//! ```

mod plot;
mod sweep;
mod sweeps;

use std::io::{Error, Result};
use std::path::PathBuf;
use std::time::Instant;

use super::contender::{self, Contender};
use super::{Options, child, peer};
use sweep::Sweep;

/// Measures and draws all, and says whether no run was refused.
pub(crate) fn scaling(options: &Options) -> Result<bool> {
    let descriptors = child::raise_descriptor_limit()?;
    let mut contenders = contender::ours()?;
    contenders.extend(peer::available(options.peers.as_deref())?);
    let directory = peer::package().join("../../docs/plots");
    std::fs::create_dir_all(&directory)?;

    let (mut text, mut is_complete) = (String::new(), true);
    for sweep in chosen(options, descriptors)? {
        let start = Instant::now();
        let lines = sweep.measure(&contenders, options);
        eprintln!("{}: {} s", sweep.name, start.elapsed().as_secs());
        is_complete &= lines.iter().all(|line| line.refused.is_none());
        sweep.draw(&lines, &file(&directory, &sweep, "svg"))?;
        std::fs::write(file(&directory, &sweep, "csv"), sweep.csv(&lines))?;
        text += &sweep.markdown(&lines);
    }
    options.write("scaling", "Scaling", &text)?;
    Ok(is_complete)
}

fn file(directory: &std::path::Path, sweep: &Sweep, kind: &str) -> PathBuf {
    directory.join(format!("{}.{kind}", sweep.name))
}

/// Returns those that `--plots` names, or all.
fn chosen(options: &Options, descriptors: u64) -> Result<Vec<Sweep>> {
    let all = sweeps::all(descriptors);
    let Some(names) = &options.workloads else { return Ok(all) };
    if let Some(stranger) = names.iter().find(|name| !all.iter().any(|s| s.name == **name)) {
        let known: Vec<_> = all.iter().map(|sweep| sweep.name).collect();
        let known = known.join(", ");
        return Err(Error::other(format!("no plot is called {stranger}; there are {known}")));
    }
    Ok(all.into_iter().filter(|sweep| names.iter().any(|name| name == sweep.name)).collect())
}

/// Those that draw one line or more.
fn named<'a>(contenders: &'a [Contender], name: &str) -> Option<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name)
}
