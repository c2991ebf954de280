//! The only place that prints: data on stdout, talk on stderr.
//!
//! With `--format json` every command writes one JSON value to stdout (exports: one per line) and nothing else;
//! what it says to people stays on stderr. `--quiet` silences talk, never errors.

use crate::args::Format;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
    talk: Talk,
}

/// Whether a command talks beside its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    Spoken,
    Silent,
}

impl Output {
    pub fn new(format: Format, quiet: bool) -> Self {
        Self { format, talk: if quiet { Talk::Silent } else { Talk::Spoken } }
    }

    /// True for `--format json`.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// True for `--quiet`.
    pub fn is_quiet(self) -> bool {
        self.talk == Talk::Silent
    }

    /// A value: as JSON, or as the text that `text` makes of it.
    pub fn show<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.is_json() { self.json(value) } else { self.data(&text(value)) }
    }

    /// A value as indented JSON.
    pub fn json<T: Serialize>(self, value: &T) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.data(&text)
    }

    /// Text on stdout, as it is; a missing last line end is added.
    pub fn data(self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    /// A line of talk.
    pub fn say(self, line: impl Display) {
        if self.talk == Talk::Spoken {
            to_stderr(&format!("{line}\n"));
        }
    }

    /// Something that the operator should know; also said with `--quiet`.
    pub fn warn(self, line: impl Display) {
        let line = line.to_string();
        // A problem of the configuration names its place first.
        let head = if line.contains("warning: ") { "" } else { "warning: " };
        to_stderr(&format!("{head}{line}\n"));
    }

    /// Why the command failed.
    pub fn error(self, line: &str) {
        to_stderr(&format!("postroad: {line}\n"));
    }
}

/// A stderr that is gone cannot be complained about.
fn to_stderr(text: &str) {
    let _gone = io::stderr().lock().write_all(text.as_bytes());
}

/// What clap has to say: help and version on stdout with 0, a wrong command line on stderr with 64.
pub fn usage(error: &clap::Error) -> ExitCode {
    let _gone = error.print();
    if error.use_stderr() {
        ExitCode::from(crate::exit::Exit::Usage as u8)
    } else {
        ExitCode::SUCCESS
    }
}

/// A writer of many lines to stdout, buffered; for exports.
pub fn lines() -> io::BufWriter<io::StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table for people.
#[derive(Debug)]
pub struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns with their heads; a head that begins with `#` stands to the right.
    pub fn new(heads: &[&str]) -> Self {
        let align = heads
            .iter()
            .map(|h| if h.starts_with('#') { Align::Right } else { Align::Left })
            .collect();
        let heads = heads.iter().map(|h| h.trim_start_matches('#').to_owned()).collect();
        Self { align, rows: vec![heads] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|c| printable(&c)).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |i: usize| {
            self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.align.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let width = widths.get(i).copied().unwrap_or(0);
                let gap = if i == 0 { "" } else { "  " };
                match self.align.get(i) {
                    Some(Align::Right) => line.push_str(&format!("{gap}{cell:>width$}")),
                    Some(Align::Left) | None => line.push_str(&format!("{gap}{cell:<width$}")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Control characters in data must not steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// `12,345`, with the language's separator.
pub fn thousands(n: i64, separator: char) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    if n < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_parted_by_thousands() {
        let check = |n, expected: &str| assert_eq!(thousands(n, ','), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(-1_234_567, "-1,234,567");
        assert_eq!(thousands(5_000, '.'), "5.000");
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let mut table = Table::new(&["list", "#members"]);
        table.row(["readers".into(), "12".into()]);
        table.row(["vip\u{1b}[2J".into(), "1".into()]);
        let expected = "list     members\nreaders       12\nvip\u{FFFD}[2J        1\n";
        assert_eq!(table.to_string(), expected);
    }
}
