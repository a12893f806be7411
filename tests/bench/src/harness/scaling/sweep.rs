//! A sweep: one cost for growing amounts, a line for each contender.

use super::super::Options;
use super::super::contender::Contender;
use super::super::figure::{Figure, median};
use super::super::run::Outcome;
use super::named;

/// What is measured, and how it is shown.
pub(super) struct Sweep {
    /// Of its files.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What is to be seen; stands below the plot.
    pub(super) about: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) amounts: Vec<u64>,
    pub(super) has_log_y: bool,
    pub(super) lines: &'static [LineOf],
    pub(super) run: Run,
}

/// A line: a name, the contender that it is of, what it is told beyond the amount, and the figure.
pub(super) struct LineOf {
    pub(super) name: &'static str,
    pub(super) contender: &'static str,
    pub(super) flags: &'static [&'static str],
    pub(super) figure: &'static str,
}

/// Does one amount once. A figure is made what is drawn by `value`.
pub(super) struct Run {
    pub(super) once: fn(&Contender, &[&str], u64) -> Outcome,
    pub(super) value: fn(&Figure, u64) -> f64,
}

/// What became of a line: the medians, by amount.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(u64, f64)>,
    pub(super) refused: Option<String>,
}

impl Sweep {
    pub(super) fn measure(&self, contenders: &[Contender], options: &Options) -> Vec<Line> {
        let there: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| Some((line, named(contenders, line.contender)?)))
            .collect();
        let mut values = vec![vec![Vec::new(); self.amounts.len()]; there.len()];
        let mut refused = vec![None; there.len()];
        for round in 0..options.rounds {
            for (place, amount) in self.amounts.iter().enumerate() {
                for turn in 0..there.len() {
                    let number = (round + turn) % there.len();
                    let (line, contender) = there[number];
                    match self.once(line, contender, *amount) {
                        Ok(value) => values[number][place].push(value),
                        Err(reason) => refused[number] = Some(reason),
                    }
                }
            }
        }
        let medians =
            there.iter().zip(values).zip(refused).map(|(((line, _), values), refused)| {
                let points =
                    self.amounts.iter().zip(values).filter(|(_, values)| !values.is_empty());
                let points = points.map(|(amount, mut values)| (*amount, median(&mut values)));
                Line { name: line.name, points: points.collect(), refused }
            });
        medians.collect()
    }

    fn once(&self, line: &LineOf, contender: &Contender, amount: u64) -> Result<f64, String> {
        match (self.run.once)(contender, line.flags, amount) {
            Outcome::Figures(figures) => {
                let figure = figures.iter().find(|figure| figure.name == line.figure);
                let figure = figure.ok_or_else(|| format!("{} was not printed", line.figure))?;
                Ok((self.run.value)(figure, amount))
            }
            Outcome::Unsupported => Err("not supported".to_owned()),
            Outcome::Refused(reason) => Err(reason),
        }
    }

    pub(super) fn csv(&self, lines: &[Line]) -> String {
        self.table(lines, |cells| cells.join(",") + "\n")
    }

    /// Returns the plot's part of the document: picture, table, what is to be seen.
    pub(super) fn markdown(&self, lines: &[Line]) -> String {
        let table = self.table(lines, |cells| format!("| {} |\n", cells.join(" | ")));
        let (header, rows) = table.split_once('\n').unwrap_or_default();
        let rule = "---:|".repeat(lines.len() + 1);
        let mut text = format!(
            "### {}\n\n![{}: {} against {}](plots/{}.svg)\n\n{}\n`tests/bench/run --scaling --plots {}`\n\n\
             {header}\n|{rule}\n{rows}\n",
            self.title, self.title, self.y, self.x, self.name, self.about, self.name
        );
        for line in lines {
            if let Some(reason) = &line.refused {
                text += &format!("{}: refused, {reason}\n\n", line.name);
            }
        }
        text
    }

    /// A row for each amount, each line of the plot a column.
    fn table(&self, lines: &[Line], join: impl Fn(&[String]) -> String) -> String {
        let names = lines.iter().map(|line| line.name.replace(',', ""));
        let first = format!("{} / {}", self.x, self.y).replace(',', "");
        let header: Vec<_> = std::iter::once(first).chain(names).collect();
        let mut text = join(&header);
        for amount in &self.amounts {
            let cells = lines.iter().map(|line| {
                let point = line.points.iter().find(|point| point.0 == *amount);
                point.map_or_else(String::new, |point| Figure::new("", point.1, "").short())
            });
            let row: Vec<_> = std::iter::once(amount.to_string()).chain(cells).collect();
            text += &join(&row);
        }
        text
    }
}
