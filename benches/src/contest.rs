//! Contestants run one after the other, round by round, so that what disturbs one disturbs its neighbours too.
//!
//! A ratio is taken within each round, and the median of the rounds' ratios counts: the machine's mood cancels out.

use crate::job::Figures;
use crate::report::{Line, Table, median};
use anyhow::{Context as _, Result};
use std::io::Write as _;

/// Runs once with that many messages; `Err(why)` inside is a reason to skip it.
pub type Run<'a> = Box<dyn FnMut(u64) -> Result<Result<Figures, String>> + 'a>;

/// Somebody who sends.
pub struct Contestant<'a> {
    /// Its name in tables.
    pub name: String,
    /// Messages of a run.
    pub n: u64,
    /// How.
    pub run: Run<'a>,
}

/// How one did.
pub struct Standing {
    name: String,
    runs: Vec<Figures>,
    skipped: Option<String>,
}

/// How all did.
pub struct Standings(Vec<Standing>);

/// The shortest warm-up that opens all connections and fills all caches.
const WARM_UP: u64 = 1_000;

/// Lets all run: once to warm up with a tenth, then in rounds.
pub fn hold(rounds: u32, contestants: Vec<Contestant<'_>>) -> Result<Standings> {
    let mut all: Vec<(Contestant<'_>, Standing)> = Vec::new();
    for mut contestant in contestants {
        let name = contestant.name.clone();
        let n = (contestant.n / 10).max(WARM_UP).min(contestant.n);
        say(&format!("warm-up: {name}"));
        let ran = (contestant.run)(n).with_context(|| name.clone())?;
        let standing = Standing { name, runs: Vec::new(), skipped: ran.err() };
        all.push((contestant, standing));
    }
    for round in 1..=rounds {
        for (contestant, standing) in all.iter_mut().filter(|(_, s)| s.skipped.is_none()) {
            match (contestant.run)(contestant.n).with_context(|| contestant.name.clone())? {
                Ok(figures) => {
                    let rate = figures.rate();
                    say(&format!("round {round}: {}: {rate:.0}/s", contestant.name));
                    standing.runs.push(figures);
                }
                Err(why) => standing.skipped = Some(why),
            }
        }
    }
    Ok(Standings(all.into_iter().map(|(_, standing)| standing).collect()))
}

/// Progress goes to standard error: tables may be piped.
pub fn say(text: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "  {text}");
}

impl Standings {
    fn of(&self, name: &str) -> Option<&Standing> {
        self.0.iter().find(|s| s.name == name && s.skipped.is_none())
    }

    /// The median over the rounds of the ratio of two rates; `None` when one did not run.
    pub fn ratio(&self, name: &str, to: &str) -> Option<f64> {
        let (name, to) = (self.of(name)?, self.of(to)?);
        Some(median(name.runs.iter().zip(&to.runs).map(|(a, b)| a.rate() / b.rate())))
    }

    /// Everyone as a line of a table, each with its ratio to the one that `to` names for it.
    pub fn fill(&self, table: &mut Table, to: impl Fn(&str) -> Option<String>) {
        for standing in &self.0 {
            if let Some(why) = &standing.skipped {
                table.skipped(&standing.name, why);
                continue;
            }
            let line = Line::of(&standing.name, &standing.runs);
            let to = to(&standing.name).filter(|to| *to != standing.name);
            let ratio = to.and_then(|to| Some((self.ratio(&standing.name, &to)?, to)));
            table.push(match ratio {
                Some((ratio, to)) => line.to(&to, ratio),
                None => line,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_at<'a>(name: &str, rates: &'a [u64]) -> Contestant<'a> {
        let mut rates = rates.iter();
        let run = move |n| {
            let rate = rates.next().copied().unwrap_or(1);
            Ok(Ok(Figures { n, seconds: n as f64 / rate as f64, ..Figures::default() }))
        };
        Contestant { name: name.into(), n: 10_000, run: Box::new(run) }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The first is the warm-up. The second round is slow for both.
        let fast = runs_at("fast", &[1, 100, 10, 100]);
        let slow = runs_at("slow", &[1, 50, 5, 60]);
        let standings = hold(3, vec![fast, slow]).unwrap();
        assert!((standings.ratio("slow", "fast").unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn who_cannot_run_is_named_with_the_reason() {
        let run: Run<'_> = Box::new(|_| Ok(Err("not installed".into())));
        let absent = Contestant { name: "absent".into(), n: 10, run };
        let standings = hold(2, vec![absent, runs_at("there", &[1, 1, 1])]).unwrap();
        let mut table = Table::new("t", "u");
        standings.fill(&mut table, |_| Some("there".into()));
        assert!(table.to_string().contains("SKIPPED absent: not installed"));
        assert_eq!(standings.ratio("absent", "there"), None);
    }
}
