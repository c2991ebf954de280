//! `cargo xtask TASK`: the command lines of this repository, so that people and CI run the same ones.
//!
//! No check lives only here: `cargo test` alone checks layers, documents and golden files. This program installs what
//! the tests need, runs the parts in turn, and adds up what they said.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to the terminal"
)]

mod cargo_test;
mod command;
mod dashboards;
mod demo;
mod fuzz;
mod requirements;

use anyhow::{Context, Result, bail};
use command::{Part, cargo};
use std::process::ExitCode;

/// Name, what comes after it, what it does.
const TASKS: &[(&str, &str, &str)] = &[
    (
        "test",
        "[cargo test options]",
        "install what the tests need where allowed, then run all of them",
    ),
    ("lint", "", "rustfmt, clippy and rustdoc without a warning"),
    ("heart", "[--kills N] [--engine sqlite|postgres|both]", "the kill test of ledger and intents"),
    ("dashboards", "", "Grafana's own types against the dashboards of deploy/grafana"),
    ("fuzz", "[--seconds N] [target]", "mutated inputs through each parser"),
    (
        "draw",
        "[options of deploy/grafana/draw/draw.mjs]",
        "the dashboards as pictures; needs Chromium, Prometheus and 430 MB of npm packages",
    ),
    ("demo", "", "the demo in an empty folder, its numbers checked"),
    (
        "ci",
        "",
        "lint, dashboards, test, fuzz (20 s a target) and demo, the minutes of each, one closing line",
    ),
    ("nightly", "", "ci, then 200 kills and long property tests"),
    ("bench", "[options of the benchmarks]", "the benchmarks, in release"),
    ("setup", "", "only install what the tests need"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", &[][..]),
    };
    match run(task, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {task}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str, rest: &[String]) -> Result<()> {
    match task {
        "test" => test(rest),
        "lint" => lint(),
        "heart" => heart(rest),
        "dashboards" => dashboards::check(),
        "fuzz" => fuzz::run(rest),
        "draw" => dashboards::draw(rest),
        "demo" => demo::check(),
        "ci" => ci(),
        "nightly" => nightly(),
        "bench" => cargo(&["run", "--release", "-p", "postroad-bench", "--"]).args(rest).run(),
        "setup" => requirements::provide(),
        "help" | "--help" | "-h" => {
            help();
            Ok(())
        }
        unknown => {
            help();
            bail!("there is no task {unknown:?}");
        }
    }
}

fn help() {
    println!("cargo xtask TASK\n");
    for (name, options, what) in TASKS {
        println!("  {:<10} {what}{}{options}", name, if options.is_empty() { "" } else { "  " });
    }
}

fn test(rest: &[String]) -> Result<()> {
    let mut summary = cargo_test::Summary::default();
    let mut parts = vec![Part::time("setup", requirements::provide)];
    if rest.is_empty() {
        parts.push(Part::time("build", cargo_test::build));
    }
    parts.push(test_part(rest, &mut summary));
    finish(&parts, &summary)
}

/// Runs the tests as a part and keeps their sum.
fn test_part(rest: &[String], summary: &mut cargo_test::Summary) -> Part {
    Part::time("test", || {
        *summary = cargo_test::run(rest)?;
        summary.clone().into_result()
    })
}

fn lint() -> Result<()> {
    cargo(&["fmt", "--all", "--check"]).run()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()?;
    cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run()
}

/// `--kills 200 --engine both`: given to the test through its environment.
fn heart(rest: &[String]) -> Result<()> {
    // Windows of 60 s; the test that CI runs has shorter ones.
    let command = cargo(&["test", "-p", "postroad-delivery", "--test", "heart"]);
    let mut command = command.env("HEART_WINDOW_MS", "60000");
    let mut options = rest.iter();
    while let Some(option) = options.next() {
        let value = options.next().with_context(|| format!("{option} needs a value"))?;
        let variable = match option.as_str() {
            "--kills" => {
                value.parse::<u32>().with_context(|| format!("--kills {value} is no number"))?;
                "HEART_KILLS"
            }
            "--engine" if ["sqlite", "postgres", "both"].contains(&value.as_str()) => {
                "HEART_ENGINE"
            }
            "--engine" => bail!("--engine is sqlite, postgres or both, not {value:?}"),
            unknown => bail!("heart knows --kills and --engine, not {unknown:?}"),
        };
        command = command.env(variable, value);
    }
    command.args(&["--".to_owned(), "--nocapture".to_owned()]).run()
}

fn ci() -> Result<()> {
    let mut parts: Vec<Part> = Vec::new();
    let mut summary = cargo_test::Summary::default();
    parts.push(Part::time("setup", requirements::provide));
    parts.push(Part::time("lint", lint));
    parts.push(Part::time("dashboards", dashboards::check));
    parts.push(Part::time("build", cargo_test::build));
    parts.push(test_part(&[], &mut summary));
    parts.push(Part::time("fuzz", || fuzz::run(&[])));
    parts.push(Part::time("demo", demo::check));
    finish(&parts, &summary)
}

fn nightly() -> Result<()> {
    let mut parts = vec![Part::time("ci", ci)];
    let kills = ["--kills", "200", "--engine", "both"].map(str::to_owned);
    parts.push(Part::time("heart", || heart(&kills)));
    let mut summary = cargo_test::Summary::default();
    parts.push(Part::time("properties", || {
        summary = cargo_test::run_with(&[], &[("PROPTEST_CASES", "10000"), ("SIM_SEEDS", "5000")])?;
        summary.clone().into_result()
    }));
    finish(&parts, &summary)
}

/// Minutes and failures of each part, then the line that sums up the tests.
fn finish(parts: &[Part], summary: &cargo_test::Summary) -> Result<()> {
    println!();
    for part in parts {
        println!("{}", part.line());
    }
    println!("{}", summary.closing_line());
    let failed: Vec<&str> = parts.iter().filter(|p| p.failed()).map(Part::name).collect();
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
