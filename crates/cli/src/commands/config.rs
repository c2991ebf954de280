//! `config check` and `config show`.

use crate::app::{App, Runs};
use crate::args::ConfigCommand;
use crate::exit::Exit;
use crate::wiring::ways::check_ways;
use anyhow::Result;
use postroad_config::{Config, Problem};
use postroad_model::Clock;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

pub fn run(app: &App, command: &ConfigCommand) -> Result<Exit> {
    match command {
        ConfigCommand::Check => check(app),
        ConfigCommand::Show => show(app),
    }
}

/// Everything that is wrong with a configuration, and what should be looked at.
pub struct Checked {
    pub file: PathBuf,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    /// Where it could be read at all.
    pub config: Option<Config>,
}

/// Reads the configuration and looks at all that can be seen without starting anything.
pub fn checked(app: &App) -> Result<Checked> {
    let file = app.config_path()?;
    match app.load() {
        Ok(config) => {
            let (mut errors, mut warnings) = keys(&config);
            let clock: Arc<dyn Clock> = app.clock.clone();
            errors.extend(check_ways(&config, &clock).iter().map(crate::exit::message));
            warnings.extend(config.warnings.iter().map(ToString::to_string));
            Ok(Checked { file, errors, warnings, config: Some(config) })
        }
        Err(error) => match error.downcast::<postroad_config::Error>()? {
            postroad_config::Error::Invalid(problems) => {
                let errors = problems.iter().map(Problem::to_string).collect();
                Ok(Checked { file, errors, warnings: Vec::new(), config: None })
            }
            error @ postroad_config::Error::Read(_) => Err(error.into()),
        },
    }
}

fn check(app: &App) -> Result<Exit> {
    let Checked { file: path, errors, warnings, .. } = checked(app)?;
    if app.output.is_json() {
        let ok = errors.is_empty();
        app.output
            .json(&json!({ "file": path, "ok": ok, "errors": errors, "warnings": warnings }))?;
    } else {
        warnings.iter().for_each(|w| app.output.warn(w));
        errors.iter().for_each(|e| app.output.error(e));
        app.output.data(&verdict(&path.display().to_string(), errors.len(), warnings.len()))?;
    }
    Ok(if errors.is_empty() { Exit::Ok } else { Exit::Config })
}

/// DKIM keys are read by nobody else before they sign.
fn keys(config: &Config) -> (Vec<String>, Vec<String>) {
    match postroad_dkim::KeyRing::load(&config.domains) {
        Ok((_, warnings)) => (Vec::new(), warnings),
        Err(error) => (vec![crate::exit::message(&error.into())], Vec::new()),
    }
}

fn verdict(file: &str, errors: usize, warnings: usize) -> String {
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => format!("{file} is right"),
        (0, n) => format!("{file} can be used, with {}", count(n, "warning")),
        (n, m) => format!("{file} cannot be used: {}, {}", count(n, "error"), count(m, "warning")),
    }
}

fn show(app: &App) -> Result<Exit> {
    let config = app.config(Runs::Briefly)?;
    app.output.show(&config.shown(), |_| config.show())?;
    Ok(Exit::Ok)
}
