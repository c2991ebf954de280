//! The binary `postroad`: reads the command line, runs one command, ends with its exit code.
//!
//! Everything here is glue: `args` is the command tree, `commands` has one file per command, `wiring` maps the
//! configuration to what each crate wants. `clock` is the only place that reads clocks, `environment` the only one
//! that reads the environment, `output` the only one that prints.

mod app;
mod args;
mod clock;
mod commands;
mod demo;
mod environment;
mod exit;
mod logging;
mod output;
mod page;
mod process;
mod progress;
mod signals;
mod sinks;
mod top;
mod wiring;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let output = output::Output::new(cli.global.format, cli.global.quiet);
    let ended = commands::run(cli, output);
    exit::report(&ended, output)
}
