//! `completions`: a script for the shell, on stdout.

use crate::app::App;
use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use anyhow::Result;
use clap::CommandFactory as _;

pub fn run(app: &App, args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "postroad", &mut script);
    app.output.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
