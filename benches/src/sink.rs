//! The receiving ends: Postfix's smtp-sink, which is the yardstick, and our own counting sink.

use crate::job::{OwnSink, runtime};
use crate::stopwatch::Wall;
use anyhow::Result;
use postroad_model::Clock as _;
use postroad_smtpd::{Counting, Server, ServerSettings};
use postroad_testkit::smtp_sink::{self, SmtpSink};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

/// Which sink.
pub enum Sink {
    /// Postfix's.
    Postfix(SmtpSink),
    /// Ours, where Postfix is not installed.
    Own(OwnSink),
}

impl Sink {
    /// Postfix's where it is installed, else ours.
    pub fn start() -> Result<Self> {
        match smtp_sink::spawn_with(&[]) {
            Some(sink) => Ok(Self::Postfix(sink)),
            None => Ok(Self::Own(OwnSink::start()?)),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Postfix(sink) => sink.address(),
            Self::Own(sink) => sink.address(),
        }
    }

    /// Its name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postfix(_) => "smtp-sink",
            Self::Own(_) => "own sink",
        }
    }
}

/// Our own sink: says where it listens, ends when its input does.
pub fn serve() -> Result<()> {
    runtime()?.block_on(async {
        let clock = Arc::new(|| Wall.now().0);
        let settings = ServerSettings::new("bench", clock);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::sink(any, settings, Arc::new(Counting::default())).await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.local_addr())?;
        out.flush()?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    })
}
