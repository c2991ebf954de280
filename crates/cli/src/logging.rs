//! The log: lines on stderr, never secrets, never whole addresses at info.
//!
//! The level comes from `-v`/`--quiet`, else from `POSTROAD_LOG` (a filter as `tracing` writes it, for one crate or
//! several), else from `[log]` for what runs long; short commands say warnings only.

use crate::args::Global;
use crate::environment;
use postroad_config::{Log, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;

/// Starts the log once; a second call changes nothing.
pub fn start(global: &Global, configured: Option<Log>) {
    let filter = filter(global, configured);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(environment::stderr_is_terminal());
    let format = configured.map_or(LogFormat::Text, |log| log.format);
    let started = match format {
        LogFormat::Text => builder.compact().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the log runs already");
    }
}

fn filter(global: &Global, configured: Option<Log>) -> EnvFilter {
    let level = match (global.verbose, global.quiet) {
        (_, true) => Some("error"),
        (0, false) => None,
        (1, false) => Some("info"),
        (2, false) => Some("debug"),
        (_, false) => Some("trace"),
    };
    // The libraries below say more than anybody asks for.
    let ours =
        |level: &str| EnvFilter::new(format!("warn,sqlx=error,postroad={level},{}", crates(level)));
    if let Some(level) = level {
        return ours(level);
    }
    if let Some(text) = environment::variable("POSTROAD_LOG")
        && let Ok(filter) = EnvFilter::try_new(text)
    {
        return filter;
    }
    ours(configured.map_or("warn", |log| name(log.level)))
}

fn crates(level: &str) -> String {
    ["delivery", "campaign", "import", "store", "smtpd", "http", "web", "dkim", "render"]
        .map(|name| format!("postroad_{name}={level}"))
        .join(",")
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
