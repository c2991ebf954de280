//! Tables for people and JSON for programs.

use crate::job::Figures;
use serde::Serialize;
use std::fmt::{self, Write as _};

/// The middle value; of two, the mean.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        len if len.is_multiple_of(2) => f64::midpoint(values[len / 2 - 1], values[len / 2]),
        len => values[len / 2],
    }
}

/// One row of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What ran.
    pub name: String,
    /// Messages or rows of a run.
    pub n: u64,
    /// The median of its rates.
    pub rate: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// CPU time for each in its own process, in microseconds.
    pub cpu_us: Option<f64>,
    /// Resident memory at its highest, in MB.
    pub peak_mb: Option<f64>,
    /// Median of the ratios to another line, round by round.
    pub ratio: Option<f64>,
    /// To which.
    pub ratio_to: Option<String>,
}

impl Line {
    /// Of some runs, one at least.
    pub fn of(name: impl Into<String>, runs: &[Figures]) -> Self {
        let rates = || runs.iter().map(Figures::rate);
        let known = |value: f64| (value > 0.0).then_some(value);
        Self {
            name: name.into(),
            n: runs.first().map_or(0, |r| r.n),
            rate: median(rates()),
            lowest: rates().fold(f64::INFINITY, f64::min),
            highest: rates().fold(0.0, f64::max),
            cpu_us: known(median(runs.iter().map(Figures::cpu_us))),
            peak_mb: known(median(runs.iter().map(|r| r.peak_mb))),
            ratio: None,
            ratio_to: None,
        }
    }

    /// With its ratio to another.
    #[must_use]
    pub fn to(mut self, other: &str, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self.ratio_to = Some(other.to_owned());
        self
    }
}

/// A figure that is promised.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// What it is.
    pub name: String,
    /// Measured.
    pub measured: f64,
    /// Promised.
    pub bar: f64,
    /// Whether it is kept.
    pub kept: bool,
}

impl Bar {
    /// The measured figure should not be lower.
    pub fn at_least(name: impl Into<String>, measured: f64, bar: f64) -> Self {
        Self { name: name.into(), measured, bar, kept: measured >= bar }
    }

    /// The measured figure should not be higher.
    pub fn at_most(name: impl Into<String>, measured: f64, bar: f64) -> Self {
        Self { name: name.into(), measured, bar, kept: measured <= bar }
    }
}

/// The figures of one benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    title: String,
    unit: String,
    lines: Vec<Line>,
    bars: Vec<Bar>,
    skipped: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: impl Into<String>, unit: impl Into<String>) -> Self {
        let (title, unit) = (title.into(), unit.into());
        Self { title, unit, lines: Vec::new(), bars: Vec::new(), skipped: Vec::new() }
    }

    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds a promise.
    pub fn check(&mut self, bar: Bar) {
        self.bars.push(bar);
    }

    /// Says what did not run, and why.
    pub fn skipped(&mut self, name: &str, why: &str) {
        self.skipped.push(format!("{name}: {why}"));
    }
}

/// Whole numbers where the fraction says nothing.
fn figure(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
        let head = ["", "n", &self.unit, "lowest", "highest", "CPU us", "MB", "ratio"];
        let mut rows: Vec<[String; 8]> = vec![head.map(str::to_owned)];
        for line in &self.lines {
            let mut ratio = optional(line.ratio);
            if let Some(to) = &line.ratio_to {
                let _ = write!(ratio, " of {to}");
            }
            rows.push([
                line.name.clone(),
                figure(line.n as f64),
                figure(line.rate),
                figure(line.lowest),
                figure(line.highest),
                optional(line.cpu_us),
                optional(line.peak_mb),
                ratio,
            ]);
        }
        writeln!(f, "\n{}\n", self.title)?;
        let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for row in &rows {
            write!(f, "  {:<1$}", row[0], widths[0])?;
            for (cell, width) in row[1..7].iter().zip(&widths[1..7]) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f, "  {}", row[7])?;
        }
        for name in &self.skipped {
            writeln!(f, "  SKIPPED {name}")?;
        }
        for bar in &self.bars {
            let word = if bar.kept { "kept" } else { "MISSED" };
            let (measured, promised) = (figure(bar.measured), figure(bar.bar));
            writeln!(f, "  {word}: {}: {measured} (bar {promised})", bar.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn figures_are_grouped_by_thousands() {
        let check = |value, text: &str| assert_eq!(figure(value), text);
        check(0.512, "0.51");
        check(40.4, "40");
        check(1_234_567.0, "1,234,567");
        check(100_000.0, "100,000");
    }

    #[test]
    fn a_table_tells_which_promises_are_missed() {
        let mut table = Table::new("a title", "messages/s");
        let runs = [Figures { n: 100, seconds: 2.0, ..Figures::default() }];
        table.push(Line::of("x", &runs).to("y", 0.4));
        table.check(Bar::at_least("x of y", 0.4, 0.5));
        table.check(Bar::at_most("memory", 80.0, 120.0));
        let text = table.to_string();
        assert!(text.contains("0.40 of y"), "{text}");
        assert!(text.contains("MISSED: x of y: 0.40 (bar 0.50)"), "{text}");
        assert!(text.contains("kept: memory: 80 (bar 120)"), "{text}");
    }
}
