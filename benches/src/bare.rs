//! The bare loop: the ceiling that a campaign is held against.
//!
//! The same messages, composed and signed by the same code, from rows in memory, over the same number of reused
//! connections: MAIL, RCPT and DATA in one write, the body, its dot and the next envelope in the next (RFC 2920).
//! There is no database, no intent, no outcome: a reply that is not positive ends the run.

use crate::job::{Figures, Measure, runtime};
use crate::message::{self, Maker, Signing, campaign, key_ring};
use crate::stopwatch::Wall;
use anyhow::{Context as _, Result, bail};
use postroad_delivery::Compose as _;
use postroad_delivery::wire::Body;
use postroad_model::Clock as _;
use postroad_model::delivery::Leased;
use postroad_model::relay::Relay;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What it sends.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bare {
    /// Whereto.
    pub sink: SocketAddr,
    /// How many messages.
    pub n: u64,
    /// Over how many connections.
    pub connections: u32,
    /// Signed how.
    pub signing: Signing,
    /// Where the keys are.
    pub keys: PathBuf,
}

/// Rows that are in memory; they are sent again and again.
const ROWS: u64 = 2_000;

struct Shared {
    maker: Maker,
    relay: Relay,
    rows: Vec<Leased>,
    next: AtomicU64,
    n: u64,
}

impl Shared {
    fn compose(&self) -> Result<Option<Message>> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        if i >= self.n {
            return Ok(None);
        }
        let row = &self.rows[usize::try_from(i % ROWS)?];
        let made = self.maker.compose(row, &self.relay, Wall.now());
        let made = made.map_err(|e| anyhow::anyhow!("{}: {e:?}", row.address))?;
        let envelope =
            format!("MAIL FROM:<{}>\r\nRCPT TO:<{}>\r\nDATA\r\n", made.mail_from, row.address);
        Ok(Some(Message { envelope, body: Body::stuffed(made.message) }))
    }
}

struct Message {
    envelope: String,
    body: Body,
}

/// Sends all of them.
pub fn run(job: &Bare) -> Result<Figures> {
    let relay = message::relay(job.sink, job.connections);
    let shared = Arc::new(Shared {
        maker: Maker::new(&campaign(), &relay, key_ring(&job.keys, job.signing)?)?,
        relay,
        rows: (0..ROWS).map(message::row).collect(),
        next: AtomicU64::new(0),
        n: job.n,
    });
    runtime()?.block_on(async {
        let measure = Measure::start();
        let connections: Vec<_> = (0..job.connections)
            .map(|_| tokio::spawn(connection(job.sink, Arc::clone(&shared))))
            .collect();
        for connection in connections {
            connection.await??;
        }
        Ok(measure.end(job.n))
    })
}

async fn connection(sink: SocketAddr, shared: Arc<Shared>) -> Result<()> {
    let stream = TcpStream::connect(sink).await.context("cannot connect to the sink")?;
    stream.set_nodelay(true)?;
    let mut wire = Wire { stream, read: vec![0; 4_096], from: 0, to: 0 };
    wire.replies(1).await?;
    wire.stream.write_all(b"EHLO bench.example\r\n").await?;
    wire.replies(1).await?;
    let Some(mut current) = shared.compose()? else { return Ok(()) };
    wire.stream.write_all(current.envelope.as_bytes()).await?;
    let mut next = shared.compose()?;
    wire.replies(3).await?;
    let mut out = Vec::with_capacity(16_384);
    loop {
        out.clear();
        out.extend_from_slice(current.body.as_bytes());
        out.extend_from_slice(b".\r\n");
        let after = next.as_ref().map_or("QUIT\r\n", |m| &m.envelope);
        out.extend_from_slice(after.as_bytes());
        wire.stream.write_all(&out).await?;
        let Some(following) = next else { return wire.replies(2).await };
        current = following;
        // The next message is made while the sink works.
        next = shared.compose()?;
        wire.replies(4).await?;
    }
}

struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    from: usize,
    to: usize,
}

impl Wire {
    /// Reads so many replies, all of which must be 2yz or 3yz.
    async fn replies(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            let have = &self.read[self.from..self.to];
            let Some(end) = have.iter().position(|b| *b == b'\n') else {
                self.read.copy_within(self.from..self.to, 0);
                (self.from, self.to) = (0, self.to - self.from);
                let got = self.stream.read(&mut self.read[self.to..]).await?;
                if got == 0 {
                    bail!("the sink closed a connection");
                }
                self.to += got;
                continue;
            };
            let line = &have[..end];
            if !line.starts_with(b"2") && !line.starts_with(b"3") {
                bail!("the sink said {:?}", String::from_utf8_lossy(line));
            }
            count -= usize::from(line.get(3) != Some(&b'-'));
            self.from += end + 1;
        }
        Ok(())
    }
}
