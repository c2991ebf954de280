//! `cargo test` over the workspace, its output shown as it comes and added up.

use crate::command::{cargo, is_ci};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc;

/// What all test binaries said together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Reasons that tests gave for not running.
    skips: Vec<String>,
    /// Failed tests and binaries that ended badly.
    complaints: Vec<String>,
}

/// Builds all tests, so that the minutes of compiling are told apart from those of running.
pub fn build() -> Result<()> {
    cargo(&["test", "--workspace", "--no-run"]).run()
}

/// Runs all tests, or those of the packages that the options name.
pub fn run(rest: &[String]) -> Result<Summary> {
    run_with(rest, &[])
}

/// Runs all tests with these variables.
pub fn run_with(rest: &[String], variables: &[(&str, &str)]) -> Result<Summary> {
    let names_packages = rest.iter().any(|o| o.starts_with("-p") || o.starts_with("--package"));
    let scope: &[&str] = if names_packages { &[] } else { &["--workspace"] };
    let mut line = cargo(&[&["test", "--no-fail-fast"], scope].concat()).args(rest);
    for (key, value) in variables {
        line = line.env(key, value);
    }
    if is_ci() {
        line = line.env("POSTROAD_NO_SKIP", "1");
    }
    let mut command = line.into_command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo test")?;
    let (send, lines) = mpsc::channel();
    let both: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|s| Box::new(s) as _),
        child.stderr.take().map(|s| Box::new(s) as _),
    ];
    for stream in both.into_iter().flatten() {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let _ = send.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }
    drop(send);
    let mut summary = Summary::default();
    for line in lines {
        println!("{line}");
        summary.read(&line);
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && summary.complaints.is_empty() {
        summary.complaints.push(format!("cargo test ended with {status}"));
    }
    Ok(summary)
}

impl Summary {
    /// Takes one line of output into account.
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            // `ok. 15 passed; 0 failed; 0 ignored; ...`
            let words: Vec<&str> = counts.split([' ', ';']).filter(|w| !w.is_empty()).collect();
            for pair in words.windows(2) {
                let count = pair[0].parse().unwrap_or(0);
                match pair[1] {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        } else if line.starts_with("test ") && line.ends_with(" ... FAILED") {
            self.complaints.push(line.trim_end_matches(" ... FAILED").to_owned());
        } else if line.starts_with("error: ") && line.contains("could not compile") {
            self.complaints.push(line.to_owned());
        } else if let Some(at) = line.find("SKIPPED: ") {
            self.skips.push(line[at..].to_owned());
        }
    }

    /// `N passed, N failed`, and how many were skipped if any were.
    pub fn closing_line(&self) -> String {
        let skipped = self.skips.len() as u64 + self.ignored;
        let line = format!("{} passed, {} failed", self.passed, self.failed);
        if skipped == 0 { line } else { format!("{line}, {skipped} skipped") }
    }

    /// An error where something failed, where nothing ran, and in CI where something was skipped.
    pub fn into_result(self) -> Result<()> {
        if !self.complaints.is_empty() || self.failed > 0 {
            bail!("{} tests failed:\n  {}", self.failed, self.complaints.join("\n  "));
        }
        if self.passed == 0 {
            bail!("no test ran");
        }
        if is_ci() && !self.skips.is_empty() {
            bail!("{} tests were skipped:\n  {}", self.skips.len(), self.skips.join("\n  "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_binaries_are_added_up() {
        let mut summary = Summary::default();
        for line in [
            "test result: ok. 15 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.64s",
            "test a::b ... FAILED",
            "SKIPPED: c: no smtp-sink here",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s",
        ] {
            summary.read(line);
        }
        assert_eq!(summary.closing_line(), "17 passed, 1 failed, 1 skipped");
        assert_eq!(summary.complaints, ["test a::b"]);
        assert!(summary.into_result().is_err());
    }

    #[test]
    fn a_run_without_a_test_is_a_failure() {
        assert_eq!(Summary::default().closing_line(), "0 passed, 0 failed");
        assert!(Summary::default().into_result().is_err());
    }
}
