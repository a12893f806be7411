//! Tables: a workload's medians, and how ours compare.

use super::contender::Contender;
use super::figure::{Figure, median};
use super::workload::Workload;

/// One contender's part in a workload.
pub(super) struct Column<'a> {
    pub(super) contender: &'a Contender,
    pub(super) entry: Entry,
}

pub(super) enum Entry {
    /// The figures of each round.
    Measured(Vec<Vec<Figure>>),
    Unsupported,
    Refused(String),
}

/// The middle of a figure's rounds, and half the distance between their ends.
struct Summary {
    median: Figure,
    spread: f64,
}

pub(super) const LEGEND: &str = "\
Medians of all rounds, ± half the distance between the best and the worst. In brackets is ours against \
that contender: above 1.00, ours is faster or smaller. `cpu` of a server is its own time on a core; of \
what has several threads it is that of the whole process, its start and its end included. `load_busy` is \
how much of the time the load's thread was on a core: near 100% the rate is the load's.
";

/// Returns the workload's section of the report.
///
/// In brackets is ours against that contender: above 1.00 ours is faster, or smaller.
pub(super) fn markdown(workload: &Workload, columns: &[Column<'_>]) -> String {
    let mut text = format!("\n### {}: {}\n\n", workload.name, workload.about);
    let measured: Vec<_> = columns.iter().filter(|column| column.is_measured()).collect();
    let is_ours_there = measured.first().is_some_and(|column| column.contender.name == "ours");
    if is_ours_there {
        header(&mut text, &measured);
        for figure in kinds_of_figures(&measured) {
            row(&mut text, &figure, &measured);
        }
    } else {
        text += "No comparison: ours is missing.\n";
    }
    text + &absences(columns)
}

/// Says who has no column, and why.
fn absences(columns: &[Column<'_>]) -> String {
    let mut text = String::new();
    let mut unable = Vec::new();
    for Column { contender, entry } in columns {
        match entry {
            Entry::Measured(_) => {}
            Entry::Unsupported => unable.push(contender.name),
            Entry::Refused(reason) => text += &format!("\n{contender}: refused, {reason}\n"),
        }
    }
    if !unable.is_empty() {
        text += &format!("\nNot supported: {}.\n", unable.join("; "));
    }
    text
}

fn header(text: &mut String, columns: &[&Column<'_>]) {
    let names: Vec<_> = columns.iter().map(|column| column.contender.name).collect();
    *text += &format!("| | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()));
}

fn row(text: &mut String, figure: &Figure, columns: &[&Column<'_>]) {
    *text += &format!("| {} {} |", figure.name, figure.unit);
    let ours = columns[0].summary(figure);
    for (place, column) in columns.iter().enumerate() {
        let rival = (place > 0).then_some(ours.as_ref()).flatten();
        *text += &match column.summary(figure) {
            Some(theirs) => cell(&theirs, rival),
            None => " |".to_owned(),
        };
    }
    text.push('\n');
}

fn cell(theirs: &Summary, ours: Option<&Summary>) -> String {
    let mut cell = format!(" {} ±{:.0}%", theirs.median.short(), theirs.spread * 100.0);
    if let Some(ratio) = ours.and_then(|ours| ours.median.ratio_to(&theirs.median)) {
        cell += &format!(" ({ratio:.2})");
    }
    cell + " |"
}

/// Returns one figure of each name and unit that anybody printed, in their order.
fn kinds_of_figures(columns: &[&Column<'_>]) -> Vec<Figure> {
    let mut kinds: Vec<Figure> = Vec::new();
    for figure in columns.iter().flat_map(|column| column.rounds()).flatten() {
        if !kinds.iter().any(|kind| is_same_kind(kind, figure)) {
            kinds.push(figure.clone());
        }
    }
    kinds
}

fn is_same_kind(one: &Figure, other: &Figure) -> bool {
    one.name == other.name && one.unit == other.unit
}

impl Column<'_> {
    pub(super) fn is_measured(&self) -> bool {
        matches!(self.entry, Entry::Measured(_))
    }

    fn rounds(&self) -> &[Vec<Figure>] {
        match &self.entry {
            Entry::Measured(rounds) => rounds,
            _ => &[],
        }
    }

    fn summary(&self, kind: &Figure) -> Option<Summary> {
        let figures = self.rounds().iter().flatten().filter(|figure| is_same_kind(figure, kind));
        let mut values: Vec<_> = figures.map(|figure| figure.value).collect();
        if values.is_empty() {
            return None;
        }
        let value = median(&mut values);
        let spread = (values[values.len() - 1] - values[0]) / 2.0 / value;
        Some(Summary { median: Figure { value, ..kind.clone() }, spread })
    }

    /// Returns the median of a figure, and half the distance between the ends of its rounds as a part of it.
    pub(super) fn median_and_spread(&self, name: &str) -> Option<(Figure, f64)> {
        let kind = self.rounds().iter().flatten().find(|figure| figure.name == name)?;
        self.summary(kind).map(|summary| (summary.median, summary.spread))
    }

    /// Returns the medians of the figures of these names, added up: `None` if one is missing.
    pub(super) fn median_of(&self, names: &str) -> Option<Figure> {
        let medians = names.split('+').map(|name| {
            let kind = self.rounds().iter().flatten().find(|figure| figure.name == name)?;
            Some(self.summary(kind)?.median)
        });
        let medians = medians.collect::<Option<Vec<_>>>()?;
        let value = medians.iter().map(|figure| figure.value).sum();
        Some(Figure { value, ..medians.first()?.clone() })
    }
}
