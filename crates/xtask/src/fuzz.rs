//! The fuzz targets: which test of which crate each is. A new parser gets a line here and a test that calls
//! `postroad_testkit::fuzz::run`.

use crate::command::cargo;
use anyhow::{Context, Result, bail};

/// Name, package, which of its tests, test.
const TARGETS: &[(&str, &str, &[&str], &str)] = &[
    ("mails", "postroad-bounce", &["--test", "it"], "fuzz::mails"),
    ("replies", "postroad-bounce", &["--test", "it"], "fuzz::replies"),
    ("pop3", "postroad-mailbox", &["--test", "it"], "fuzz::pop3"),
    ("imap", "postroad-mailbox", &["--test", "it"], "fuzz::imap"),
    ("headers", "postroad-mailbox", &["--test", "it"], "fuzz::headers"),
    ("webhooks", "postroad-feedback", &["--lib"], "webhook::fuzz::webhooks"),
];

/// How long CI runs each.
pub const CI_SECONDS: u32 = 20;

/// `[--seconds N] [target]`
pub fn run(rest: &[String]) -> Result<()> {
    let mut seconds = CI_SECONDS;
    let mut wanted: Option<&str> = None;
    let mut options = rest.iter();
    while let Some(option) = options.next() {
        if option == "--seconds" {
            let value = options.next().context("--seconds needs a number")?;
            seconds = value.parse().with_context(|| format!("--seconds {value} is no number"))?;
        } else {
            wanted = Some(option);
        }
    }
    let targets: Vec<_> =
        TARGETS.iter().filter(|(name, ..)| wanted.is_none_or(|w| w == *name)).collect();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
        bail!("there is no fuzz target {:?}; there are {}", wanted.unwrap_or(""), names.join(", "));
    }
    for (_, package, tests, test) in targets {
        let words = [&["test", "-p", package], *tests, &["--", "--exact", test]].concat();
        let line = cargo(&words);
        line.env("POSTROAD_FUZZ_SECONDS", &seconds.to_string()).run()?;
    }
    Ok(())
}
