//! Ctrl-C and SIGTERM: the first one drains, a second one ends at once. SIGHUP reloads; all three end `top`.

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

/// Ctrl-C, SIGTERM and SIGHUP for a command that has nothing to drain; it says nothing.
pub struct Quit([tokio::signal::unix::Signal; 3]);

impl Quit {
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Resolves at the first of them.
    pub async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
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
