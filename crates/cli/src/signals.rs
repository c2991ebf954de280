//! Ctrl-C and SIGTERM: the first one drains, a second one ends at once. SIGHUP reloads.

use crate::exit::Exit;
use crate::output::Output;
use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first Ctrl-C or SIGTERM.
pub fn stop(output: Output) -> Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                asked = interrupt.recv() => asked,
                asked = terminate.recv() => asked,
            };
            if asked.is_none() {
                return;
            }
            if told.is_cancelled() {
                output.warn(
                    "ended at once; what was on the wire is unknown until it is started again",
                );
                std::process::exit(Exit::TryLater as i32);
            }
            output.say("stopping: answers that are due are awaited (once more to end at once)");
            told.cancel();
        }
    });
    Ok(token)
}

/// Resolves at each SIGHUP.
pub struct Reloads(tokio::signal::unix::Signal);

impl Reloads {
    pub fn listen() -> Result<Self> {
        Ok(Self(signal(SignalKind::hangup()).context("cannot listen to signals")?))
    }

    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
