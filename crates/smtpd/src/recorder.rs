//! Where records go: into memory, into a file of JSON lines, or into counters.
//!
//! Called by the sink on the connection's task, before the reply is written; an error refuses the
//! message. What always holds: a line of the file leaves in one write with O_APPEND, so records survive a
//! kill of the client, and lines of several writers never mix. Nothing is synced to disk: the sink is a
//! witness of the sender's crashes, not of the machine's.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use crate::{
    envelope::{Envelope, Peer, Recipient},
    error::Error,
    record::{Kind, Record},
    reply::Reply,
};

/// Something that happened, not yet written down.
pub enum Event<'a> {
    /// A message is about to be answered with 250.
    Accepted {
        /// When.
        at_ms: i64,
        /// Who.
        peer: &'a Peer,
        /// From whom.
        envelope: &'a Envelope,
        /// To whom of the envelope's recipients.
        rcpts: &'a [&'a Recipient],
        /// The Message-ID field.
        message_id: Option<&'a str>,
        /// The X-Postroad-Ref field.
        reference: Option<&'a str>,
        /// Octets on the wire.
        size: u64,
    },
    /// A RCPT was read.
    Rcpt {
        /// When.
        at_ms: i64,
        /// Who.
        peer: &'a Peer,
        /// From whom.
        envelope: &'a Envelope,
        /// To whom.
        rcpt: &'a Recipient,
        /// What it is answered.
        reply: &'a Reply,
    },
    /// A final dot was read.
    Dot {
        /// When.
        at_ms: i64,
        /// Who.
        peer: &'a Peer,
        /// From whom to whom.
        envelope: &'a Envelope,
        /// Octets on the wire.
        size: u64,
    },
}

impl Event<'_> {
    /// The record of it, with its place in the order of things.
    pub fn to_record(&self, seq: u64) -> Record {
        match *self {
            Self::Accepted { at_ms, peer, envelope, rcpts, message_id, reference, size } => {
                let rcpts = rcpts.iter().copied();
                Record {
                    seq,
                    message_id: message_id.map(str::to_owned),
                    reference: reference.map(str::to_owned),
                    size: Some(size),
                    ..Record::of(Kind::Accepted, at_ms, peer, envelope, rcpts)
                }
            }
            Self::Rcpt { at_ms, peer, envelope, rcpt, reply } => {
                let rcpts = std::iter::once(rcpt);
                Record {
                    seq,
                    reply: Some(reply.to_string()),
                    ..Record::of(Kind::Rcpt, at_ms, peer, envelope, rcpts)
                }
            }
            Self::Dot { at_ms, peer, envelope, size } => {
                let rcpts = envelope.rcpts.iter();
                let record = Record::of(Kind::Dot, at_ms, peer, envelope, rcpts);
                Record { seq, size: Some(size), ..record }
            }
        }
    }
}

/// Writes events down.
pub trait Recorder: Send + Sync + 'static {
    /// Called before the reply; an error makes it a 451.
    ///
    /// # Errors
    /// If the event could not be written down.
    fn record(&self, event: &Event<'_>) -> io::Result<()>;

    /// Whether header fields are looked for: only counting does without.
    fn reads_headers(&self) -> bool {
        true
    }
}

/// Counts, and keeps nothing: the receiving end of benchmarks.
#[derive(Debug, Default)]
pub struct Counting {
    accepted: AtomicU64,
    recipients: AtomicU64,
    rcpts: AtomicU64,
    dots: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    /// Messages taken.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Recipients that messages were taken for.
    pub fn recipients(&self) -> u64 {
        self.recipients.load(Ordering::Relaxed)
    }

    /// RCPT commands read.
    pub fn rcpts(&self) -> u64 {
        self.rcpts.load(Ordering::Relaxed)
    }

    /// Final dots read.
    pub fn dots(&self) -> u64 {
        self.dots.load(Ordering::Relaxed)
    }

    /// Octets of the messages taken.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Recorder for Counting {
    fn record(&self, event: &Event<'_>) -> io::Result<()> {
        let add = |counter: &AtomicU64, count: u64| {
            counter.fetch_add(count, Ordering::Relaxed);
        };
        match event {
            Event::Accepted { rcpts, size, .. } => {
                add(&self.accepted, 1);
                add(&self.recipients, rcpts.len() as u64);
                add(&self.bytes, *size);
            }
            Event::Rcpt { .. } => add(&self.rcpts, 1),
            Event::Dot { .. } => add(&self.dots, 1),
        }
        Ok(())
    }

    fn reads_headers(&self) -> bool {
        false
    }
}

/// Keeps records for a test to look at.
#[derive(Debug)]
pub struct Memory {
    records: Mutex<Vec<Record>>,
    accepted: watch::Sender<usize>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { records: Mutex::default(), accepted: watch::Sender::new(0) }
    }
}

impl Memory {
    /// All so far.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.kind == kind).collect()
    }

    /// Returns when so many messages were taken.
    pub async fn accepted(&self, count: usize) {
        let mut seen = self.accepted.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _reached = seen.wait_for(|accepted| *accepted >= count).await;
    }
}

impl Recorder for Memory {
    fn record(&self, event: &Event<'_>) -> io::Result<()> {
        let kind = {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let record = event.to_record(records.len() as u64);
            let kind = record.kind;
            records.push(record);
            kind
        };
        if kind == Kind::Accepted {
            self.accepted.send_modify(|accepted| *accepted += 1);
        }
        Ok(())
    }
}

/// Appends a line per record to a file; read it with [`crate::RecordLog`].
#[derive(Debug)]
pub struct JsonLines {
    file: File,
    seq: AtomicU64,
}

/// More than any line is long: where the last number of an old file is looked for.
const TAIL_BYTES: u64 = 256 * 1024;

impl JsonLines {
    /// Opens or makes the file; the numbers go on where its last line ended.
    ///
    /// # Errors
    /// If the file cannot be opened, read or written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fail = |what| move |source| Error::File { what, path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).open(path).map_err(fail("open"))?;
        let length = file.metadata().map_err(fail("open"))?.len();
        let from = length.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from)).map_err(fail("read"))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(fail("read"))?;
        if tail.last().is_some_and(|byte| *byte != b'\n') {
            // A line that was cut off must not swallow the next one.
            file.write_all(b"\n").map_err(fail("write"))?;
        }
        let records = tail.split(|byte| *byte == b'\n').rev();
        let last = records.filter_map(|line| serde_json::from_slice::<Record>(line).ok()).next();
        let seq = AtomicU64::new(last.map_or(0, |record| record.seq + 1));
        Ok(Self { file, seq })
    }
}

impl Recorder for JsonLines {
    fn record(&self, event: &Event<'_>) -> io::Result<()> {
        let record = event.to_record(self.seq.fetch_add(1, Ordering::Relaxed));
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        let written = (&self.file).write(&line)?;
        if written < line.len() {
            // The torn line ends here, so that the reader loses this record and no other. If even that
            // fails the disk is full, and the next record says so.
            let _ended = (&self.file).write(b"\n");
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }
}

/// Writes everything down in several places.
pub struct Recorders(pub Vec<Arc<dyn Recorder>>);

impl Recorder for Recorders {
    fn record(&self, event: &Event<'_>) -> io::Result<()> {
        self.0.iter().try_for_each(|recorder| recorder.record(event))
    }

    fn reads_headers(&self) -> bool {
        self.0.iter().any(|recorder| recorder.reads_headers())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordLog;

    fn record(recorder: &dyn Recorder, from: &str) {
        let peer = Peer {
            server: "s".into(),
            connection: 1,
            remote: ([127, 0, 0, 1], 1).into(),
            helo: String::new(),
            account: None,
            encrypted: false,
            messages: 0,
        };
        let rcpt = Recipient { address: "r@x.test".to_owned(), ..Recipient::default() };
        let envelope = Envelope { mail_from: from.to_owned(), ..Envelope::default() };
        let event = Event::Accepted {
            at_ms: 5,
            peer: &peer,
            envelope: &envelope,
            rcpts: &[&rcpt],
            message_id: Some("<m@x>"),
            reference: None,
            size: 9,
        };
        recorder.record(&event).unwrap();
    }

    #[test]
    fn a_file_is_read_back_and_numbers_go_on_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        record(&JsonLines::open(&path).unwrap(), "one@y.test");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"kind\":\"acc").unwrap();
        record(&JsonLines::open(&path).unwrap(), "two@y.test");
        let log = RecordLog::read(&path).unwrap();
        let got: Vec<_> = log.of(Kind::Accepted).map(|r| (r.seq, r.mail_from.as_str())).collect();
        assert_eq!(got, [(0, "one@y.test"), (1, "two@y.test")]);
        assert_eq!(log.torn_lines, 1);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = JsonLines::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}
