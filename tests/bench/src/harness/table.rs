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
    median: f64,
    spread: f64,
}

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
            Some(theirs) => cell(&theirs, rival, figure.is_better_lower()),
            None => " |".to_owned(),
        };
    }
    text.push('\n');
}

fn cell(theirs: &Summary, ours: Option<&Summary>, is_better_lower: bool) -> String {
    let mut cell = format!(" {} ±{:.0}%", short(theirs.median), theirs.spread * 100.0);
    if let Some(ours) = ours {
        let ratio = ours.median / theirs.median;
        let ratio = if is_better_lower { ratio.recip() } else { ratio };
        cell += &format!(" ({ratio:.2})");
    }
    cell + " |"
}

/// Three digits are all that a measurement has.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
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
    fn is_measured(&self) -> bool {
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
        let median = median(&mut values);
        let spread = (values[values.len() - 1] - values[0]) / 2.0 / median;
        Some(Summary { median, spread })
    }
}
