//! The task of one connection: carries out the engine's commands and tells what the relay said.
//!
//! Spawned by the driver, one per connection ([`open`], or [`run`] over a connection that is there). It calls nothing
//! but the socket. RFC 5321 sections 3.3 and 4.3, PIPELINING (RFC 2920): MAIL, RCPT and DATA leave in one write, and
//! the final dot of one message with the envelope of the next; without PIPELINING each command waits for its reply.
//!
//! What must always hold:
//! - only `held::Held::commit` writes a final dot, and only for a permit that is good at that moment;
//! - no RCPT is written at or after `use_by`;
//! - every offered row comes back in one ending event, and `Broken` says what may have left;
//! - memory is one read buffer, one write buffer and the body that is held.
//!
//! It does not decide what a reply means, how long an idle connection is kept, or what is sent next.

pub mod capabilities;
mod dialogue;
pub(crate) mod envelope;
mod held;
pub(crate) mod link;
pub(crate) mod stream;
pub mod timeouts;
mod turn;

use std::{net::SocketAddr, sync::Arc};

use postroad_model::Clock;
use tokio::{net::TcpStream, sync::mpsc};

use crate::{
    dial::{Dial, dial},
    wire::{Command, ConnId, Event, Unwritten},
};
use capabilities::Capabilities;
use dialogue::Dialogue;
pub(crate) use dialogue::name as phase_name;
use link::Link;
use timeouts::Timeouts;

/// A connection that is encrypted and logged in as its relay wants it.
#[derive(Debug)]
pub struct Connection {
    pub(crate) link: Link,
    pub(crate) capabilities: Capabilities,
    pub(crate) address: SocketAddr,
}

impl Connection {
    /// What the relay offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Where it leads.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, to look at its options.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        self.link.stream.tcp()
    }
}

/// A connection's side of the talk with the engine.
pub struct Line {
    /// Its name.
    pub conn: ConnId,
    /// What it is told. Room for four is enough: the engine sends one command per event, and QUIT.
    pub commands: mpsc::Receiver<Command>,
    /// What it tells: the events that were there at once come in one batch. Bounded by the commands.
    pub events: mpsc::UnboundedSender<Vec<Event>>,
    /// The time of the events, of `use_by` and of permits.
    pub clock: Arc<dyn Clock>,
}

impl Line {
    /// An engine that is gone needs no events: its commands have ended too.
    fn tell(&self, events: Vec<Event>) {
        if self.events.send(events).is_err() {
            tracing::debug!(conn = %self.conn, "nobody listens to this connection any more");
        }
    }

    /// Rows in commands that nobody will carry out go back to the engine.
    fn return_commands(&mut self, first: Option<Command>, told: &mut Vec<Event>) {
        self.commands.close();
        let mut unserved = first;
        while let Some(command) = unserved.take().or_else(|| self.commands.try_recv().ok()) {
            let row = match command {
                Command::Offer(row) | Command::Dot { next: Some(row), .. } => row,
                Command::Dot { next: None, .. } | Command::Withdraw | Command::Quit => continue,
            };
            told.push(Event::Unwritten { conn: self.conn, id: row.id, why: Unwritten::Closing });
        }
    }
}

/// Dials, then serves the connection until it is over.
pub async fn open(target: Dial, mut line: Line) {
    let opened = tokio::select! {
        biased;
        opened = dial(&target) => opened,
        // Nothing but an end can be asked of a connection that is not open.
        end = line.commands.recv() => {
            let mut told = Vec::new();
            line.return_commands(end, &mut told);
            told.push(Event::Closed {
                conn: line.conn,
                at: line.clock.now(),
                reply: None,
                detail: "given up while it was being opened".into(),
            });
            return line.tell(told);
        }
    };
    match opened {
        Ok(connection) => run(connection, line, target.timeouts).await,
        Err(fault) => {
            let mut told = Vec::new();
            line.return_commands(None, &mut told);
            told.push(Event::OpenFailed { conn: line.conn, at: line.clock.now(), fault });
            line.tell(told);
        }
    }
}

/// Serves a connection until it is over; its first event is `Opened`.
pub async fn run(connection: Connection, line: Line, timeouts: Timeouts) {
    Dialogue::new(connection, line, timeouts).run().await;
}

#[cfg(test)]
mod tests;
