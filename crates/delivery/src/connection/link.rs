//! A stream with its reply reader: timed reads and counted writes.
//!
//! Used by the dial, by the dialogue and by `Held`. What must always hold: after a failed write it is known how many
//! bytes the stream had taken, for the proof that no byte of a dot left depends on it; every wait has an end, apart
//! from the one for whatever the relay says unasked. It knows no commands.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use postroad_model::Reply;
use tokio::{
    io::{AsyncWrite as _, AsyncWriteExt as _},
    time::timeout,
};

use super::stream::Stream;
use crate::replies::{ReplyFault, ReplyReader};

/// RFC 5321 section 4.5.3.2.5 gives each send 3 minutes: a large body is written in pieces of this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// What was said before a broken connection broke is there at once, or never comes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a dialogue cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// End of stream.
    #[error("the relay closed the connection")]
    Closed,
    /// Nothing came in time.
    #[error("the relay did nothing for {} s", .0.as_secs())]
    Timeout(Duration),
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Bytes that are no reply.
    #[error("{0}")]
    Malformed(#[from] ReplyFault),
}

/// How a write ended that watched for replies meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    Written,
    /// A whole reply came first; its code.
    Spoke(u16),
}

/// How the first write of a buffer ended.
#[derive(Debug)]
pub(crate) enum First {
    /// The socket took nothing: wait until it is writable.
    Blocked,
    /// So many bytes are on their way.
    Took(usize),
    /// TLS: what is on its way is known to the TLS library alone.
    Encrypted,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) reader: ReplyReader,
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, reader: ReplyReader::default() }
    }

    /// The latest reply, with its text.
    pub(crate) fn latest(&self) -> Reply {
        self.reader.reply()
    }

    /// The code of a reply that has arrived already.
    pub(crate) fn buffered(&mut self) -> Result<Option<u16>, LinkFault> {
        Ok(self.reader.next_code()?)
    }

    /// The code of the next reply, however long it takes. Loses nothing when it is dropped half way.
    pub(crate) async fn spoken(&mut self) -> Result<u16, LinkFault> {
        poll_fn(|cx| self.poll_spoken(cx)).await
    }

    /// The code of the next reply.
    pub(crate) async fn reply(&mut self, within: Duration) -> Result<u16, LinkFault> {
        timeout(within, self.spoken()).await.map_err(|_| LinkFault::Timeout(within))?
    }

    /// The code of what was said before the connection broke.
    pub(crate) async fn last_words(&mut self) -> Option<u16> {
        self.reply(LAST_WORDS).await.ok()
    }

    fn poll_spoken(&mut self, cx: &mut Context<'_>) -> Poll<Result<u16, LinkFault>> {
        loop {
            if let Some(code) = self.reader.next_code()? {
                return Poll::Ready(Ok(code));
            }
            if ready!(self.reader.poll_fill(&mut self.stream, cx))? == 0 {
                return Poll::Ready(Err(LinkFault::Closed));
            }
        }
    }

    /// Writes and flushes. `written` counts the bytes that the stream has taken, also when it fails.
    pub(crate) async fn write(
        &mut self,
        bytes: &[u8],
        written: &mut usize,
        within: Duration,
    ) -> Result<(), LinkFault> {
        let write = poll_fn(|cx| self.poll_write(bytes, written, cx));
        timeout(within, write).await.map_err(|_| LinkFault::Timeout(within))?
    }

    fn poll_write(
        &mut self,
        bytes: &[u8],
        written: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), LinkFault>> {
        while *written < bytes.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                taken => *written += taken,
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    /// Writes a body, and stops when the relay says something before all of it is written.
    pub(crate) async fn write_watching(
        &mut self,
        bytes: &[u8],
        within: Duration,
    ) -> Result<Watched, LinkFault> {
        for block in bytes.chunks(BLOCK_BYTES) {
            let mut written = 0;
            let write = poll_fn(|cx| match self.poll_write(block, &mut written, cx) {
                Poll::Ready(ended) => Poll::Ready(ended.map(|()| Watched::Written)),
                Poll::Pending => self.poll_spoken(cx).map_ok(Watched::Spoke),
            });
            match timeout(within, write).await.map_err(|_| LinkFault::Timeout(within))?? {
                Watched::Written => {}
                Watched::Spoke(code) => return Ok(Watched::Spoke(code)),
            }
        }
        Ok(Watched::Written)
    }

    /// Waits until the socket takes bytes.
    pub(crate) async fn writable(&mut self, within: Duration) -> Result<(), LinkFault> {
        let writable = self.stream.tcp().writable();
        Ok(timeout(within, writable).await.map_err(|_| LinkFault::Timeout(within))??)
    }

    /// One write that does not wait: what it took is certain.
    pub(crate) fn write_first(&mut self, bytes: &[u8]) -> io::Result<First> {
        match &self.stream {
            Stream::Plain(tcp) => match tcp.try_write(bytes) {
                Ok(taken) => Ok(First::Took(taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(First::Blocked),
                Err(error) => Err(error),
            },
            Stream::Tls(_) => Ok(First::Encrypted),
        }
    }

    /// Closes for good; the relay is not waited for longer than this.
    pub(crate) async fn close(&mut self, within: Duration) {
        // The connection is over, whatever comes of its end.
        let _ended = timeout(within, self.stream.shutdown()).await;
    }
}
