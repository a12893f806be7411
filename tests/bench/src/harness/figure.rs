//! Figures: the `name value unit` lines of a run.

/// One line.
#[derive(Clone)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

/// Reads what a run printed, and says why it can't be compared.
pub(super) fn parse(printed: &str) -> Result<Vec<Figure>, String> {
    let figures: Vec<_> = printed.lines().map(parse_line).collect::<Result<_, _>>()?;
    if figures.is_empty() {
        return Err("it printed no figures".to_owned());
    }
    Ok(figures)
}

fn parse_line(line: &str) -> Result<Figure, String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let &[name, value, unit] = fields.as_slice() else {
        return Err(format!("it printed {line:?}, which is no figure"));
    };
    let value = value.parse().map_err(|_| format!("{value} is no number"))?;
    let figure = Figure { name: name.to_owned(), value, unit: unit.to_owned() };
    if figure.is_of_no_work() { Err(format!("it did no work: {line}")) } else { Ok(figure) }
}

impl Figure {
    pub(super) fn new(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned() }
    }

    /// Less is better for times and sizes, more for everything else.
    pub(super) fn is_better_lower(&self) -> bool {
        self.unit.starts_with("ns/") || matches!(self.unit.as_str(), "us" | "bytes" | "KiB")
    }

    /// Says how many times better this is than `other`, a figure of the same kind.
    ///
    /// What is told of the load is not better or worse.
    pub(super) fn ratio_to(&self, other: &Self) -> Option<f64> {
        let ratio = self.value / other.value;
        let ratio = if self.is_better_lower() { ratio.recip() } else { ratio };
        (self.unit != "%").then_some(ratio)
    }

    /// Returns the value with three digits, which are all that a measurement has.
    pub(super) fn short(&self) -> String {
        match self.value {
            value if value.fract() == 0.0 && value < 1e5 => format!("{value}"),
            1e6.. => format!("{:.1} M", self.value / 1e6),
            1e5.. => format!("{:.0} k", self.value / 1e3),
            100.0.. => format!("{:.0}", self.value),
            10.0.. => format!("{:.1}", self.value),
            _ => format!("{:.2}", self.value),
        }
    }

    fn is_of_no_work(&self) -> bool {
        // A third of a clock cycle. What takes less was optimized away.
        const SHORTEST_NS: f64 = 0.1;
        let least = if self.unit.starts_with("ns/") { SHORTEST_NS } else { 0.0 };
        !self.value.is_finite() || self.value <= least
    }
}

/// Returns the middle one, or the mean of the two in the middle.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_run_that_did_no_work_has_no_figures() {
        for printed in
            ["", "spawn 0.0 ns/task", "spawn 0.01 ns/task", "rate NaN requests/s", "rate 1"]
        {
            assert!(parse(printed).is_err(), "{printed:?} passed for work");
        }
    }
}
