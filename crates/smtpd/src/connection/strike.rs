//! Latency and faults around the replies of a connection.
//!
//! Called by the connection before ([`Connection::enter`]) and with ([`Connection::leave`]) each reply.
//! What always holds: whatever was answered before a fault has left before the fault strikes, so a test
//! knows what the client has seen. Which fault strikes is decided elsewhere.

use std::{sync::Arc, time::Duration};

use rand::Rng as _;
use tokio::time::{sleep, timeout};

use super::{Connection, End};
use crate::{
    behaviour::{FaultAction, Moment, Phase},
    reply::Reply,
};

const GARBAGE: &[u8] = b"\x00\xfe\xffthis is not a reply\r\n";

impl Connection {
    /// What comes before the reply of a phase: its latency and the faults that strike instead of it.
    pub(super) async fn enter(&mut self, at: Phase) -> Result<(), End> {
        let behaviour = Arc::clone(&self.shared.settings.behaviour);
        for latency in behaviour.latency.iter().filter(|latency| latency.at == at) {
            let most = latency.max_ms.unwrap_or(0).max(latency.min_ms);
            let ms = self.dice.random_range(latency.min_ms..=most);
            self.flush().await?;
            self.pause(Duration::from_millis(ms)).await?;
        }
        self.break_at(at, Moment::BeforeReply).await
    }

    /// Writes the reply of a phase, deformed or broken where that is scripted.
    pub(super) async fn leave(&mut self, at: Phase, reply: &Reply) -> Result<(), End> {
        if self.shared.settings.behaviour.faults.is_empty() {
            self.put(reply);
        } else {
            let already = self.out.len();
            let shape = self.shared.faults.shaping(at, &self.subject);
            self.put_shaped(reply, shape);
            let mid = self.shared.faults.breaking(at, Moment::MidReply, &self.subject);
            if let Some(action) = mid {
                let half = already + (self.out.len() - already) / 2;
                let rest = self.out.split_off(half);
                self.strike(action).await?;
                self.out.extend(rest);
            }
            if let Some(FaultAction::Slow { byte_ms }) = shape {
                self.flush_slowly(Duration::from_millis(byte_ms)).await?;
            }
            self.break_at(at, Moment::AfterReply).await?;
        }
        if reply.code == 421 {
            self.flush().await?;
            return Err(End::Over);
        }
        Ok(())
    }

    async fn break_at(&mut self, at: Phase, moment: Moment) -> Result<(), End> {
        if self.shared.settings.behaviour.faults.is_empty() {
            return Ok(());
        }
        match self.shared.faults.breaking(at, moment, &self.subject) {
            Some(action) => self.strike(action).await,
            None => Ok(()),
        }
    }

    /// Breaks the connection. Replies to what came before have left by then.
    pub(super) async fn strike(&mut self, action: FaultAction) -> Result<(), End> {
        self.flush().await?;
        match action {
            FaultAction::Drop => self.stream.close().await,
            FaultAction::Reset => self.stream.reset(),
            FaultAction::HalfClose => {
                self.stream.close_write().await?;
                let idle = self.shared.terms.limits.idle();
                tokio::select! {
                    // However it ends, nothing is left to do on this connection.
                    _ended = timeout(idle, self.stream.drain()) => {}
                    () = self.shared.stop.cancelled() => {}
                }
            }
            FaultAction::Stall { ms: Some(ms) } => {
                return self.pause(Duration::from_millis(ms)).await;
            }
            FaultAction::Stall { ms: None } => self.shared.stop.cancelled().await,
            // These deform replies and never break: `Faults` keeps them apart.
            FaultAction::Garbage | FaultAction::Multiline { .. } | FaultAction::Slow { .. } => {
                return Ok(());
            }
        }
        Err(End::Struck)
    }

    async fn pause(&self, time: Duration) -> Result<(), End> {
        tokio::select! {
            () = sleep(time) => Ok(()),
            () = self.shared.stop.cancelled() => Err(End::Stopped),
        }
    }

    fn put_shaped(&mut self, reply: &Reply, shape: Option<FaultAction>) {
        match shape {
            Some(FaultAction::Garbage) => self.out.extend_from_slice(GARBAGE),
            Some(FaultAction::Multiline { lines }) => {
                let mut text = String::new();
                for line in 1..=lines {
                    text.push_str(&format!("line {line} of a long story\n"));
                }
                text.push_str(&reply.text);
                self.put(&reply.clone().with_text(text));
            }
            Some(
                FaultAction::Slow { .. }
                | FaultAction::Drop
                | FaultAction::Reset
                | FaultAction::HalfClose
                | FaultAction::Stall { .. },
            )
            | None => self.put(reply),
        }
    }

    async fn flush_slowly(&mut self, between: Duration) -> Result<(), End> {
        for byte in std::mem::take(&mut self.out) {
            self.stream.write_all(&[byte]).await?;
            self.pause(between).await?;
        }
        Ok(())
    }
}
