//! Child processes: run in the root of the repository, shown before they run, timed.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command line that is about to be run.
pub struct Line {
    command: Command,
    shown: String,
}

/// `cargo` with these arguments, the one that runs us.
pub fn cargo(arguments: &[&str]) -> Line {
    line(env!("CARGO"), arguments, "cargo")
}

/// A program with these arguments.
pub fn program(name: &str, arguments: &[&str]) -> Line {
    line(name, arguments, name)
}

fn line(path: &str, arguments: &[&str], shown: &str) -> Line {
    let mut command = Command::new(path);
    command.args(arguments).current_dir(root());
    Line { command, shown: format!("{shown} {}", arguments.join(" ")) }
}

impl Line {
    pub fn args(mut self, arguments: &[String]) -> Self {
        self.command.args(arguments);
        for argument in arguments {
            self.shown.push(' ');
            self.shown.push_str(argument);
        }
        self
    }

    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self.shown = format!("{key}={value:?} {}", self.shown);
        self
    }

    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with our stdout and stderr; an exit code other than 0 is an error.
    pub fn run(mut self) -> Result<()> {
        println!("\n$ {}", self.shown);
        let status = self.command.status().with_context(|| format!("cannot run {}", self.shown))?;
        if !status.success() {
            bail!("{} ended with {status}", self.shown);
        }
        Ok(())
    }

    /// True when it can be run and succeeds, in silence.
    pub fn succeeds(mut self) -> bool {
        let quiet = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|s| s.success())
    }

    /// Shows it and gives the command for whoever wants its output.
    pub fn into_command(self) -> Command {
        println!("\n$ {}", self.shown);
        self.command
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("this crate lies two folders below the root").to_path_buf()
}

/// True where CI runs us.
#[expect(clippy::disallowed_methods, reason = "CI tells by the environment that it is CI")]
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false")
}

/// One part of a longer task: how long it took and how it ended.
pub struct Part {
    name: &'static str,
    took: Duration,
    error: Option<anyhow::Error>,
}

impl Part {
    /// Runs a part; its failure is kept, the next part runs all the same.
    #[expect(clippy::disallowed_methods, reason = "the wall time of a build is what is reported")]
    pub fn time(name: &'static str, work: impl FnOnce() -> Result<()>) -> Self {
        let start = Instant::now();
        let error = work().err();
        Self { name, took: start.elapsed(), error }
    }

    pub fn name(&self) -> &str {
        self.name
    }

    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    pub fn line(&self) -> String {
        let minutes = self.took.as_secs_f64() / 60.0;
        let how = self.error.as_ref().map_or("ok".to_owned(), |e| format!("FAILED: {e:#}"));
        format!("{:<12} {minutes:>6.1} min  {how}", self.name)
    }
}
