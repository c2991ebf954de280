//! What a sink writes down: one record per acceptance, per RCPT and per final dot.
//!
//! Written by the recorders, read by every judge of the project (tests, `xtask heart`, the demo, a user
//! who compares with `campaign report`), so the form is fixed here: one JSON object per line. A line that
//! was cut off by a full disk or a kill is counted and passed over. It judges nothing itself, apart from
//! the arithmetic of windows.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    envelope::{DsnReturn, Envelope, Peer, Recipient},
    error::Error,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message was taken; recorded before its 250 was written.
    Accepted,
    /// A RCPT was read; `reply` is what it was answered.
    Rcpt,
    /// A final dot was read; nothing is said about what became of it.
    Dot,
}

/// One line of a record file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What happened.
    pub kind: Kind,
    /// Counts up per recorder: the order of things, even if the clock stepped.
    pub seq: u64,
    /// When, in milliseconds since 1970, by the server's clock.
    pub at_ms: i64,
    /// The name of the server.
    pub server: String,
    /// Its connection.
    pub connection: u64,
    /// The client's address and port.
    pub remote: String,
    /// The account that had logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// MAIL FROM.
    pub mail_from: String,
    /// Accepted: those it was accepted for. Rcpt: that one. Dot: those taken at RCPT.
    pub rcpts: Vec<String>,
    /// Rcpt: the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Accepted: the Message-ID field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Accepted: the X-Postroad-Ref field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Accepted, Dot: octets on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// RET of MAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<DsnReturn>,
    /// ENVID of MAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envid: Option<String>,
    /// NOTIFY and ORCPT, in the order of `rcpts`; empty if none was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dsn: Vec<RecipientDsn>,
}

/// The DSN parameters of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientDsn {
    /// NOTIFY, such as `failure,delay`.
    pub notify: String,
    /// ORCPT, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orcpt: Option<String>,
}

impl Record {
    /// The facts that every kind has.
    pub(crate) fn of<'a>(
        kind: Kind,
        at_ms: i64,
        peer: &Peer,
        envelope: &Envelope,
        rcpts: impl Iterator<Item = &'a Recipient> + Clone,
    ) -> Self {
        let asks = |rcpt: &Recipient| !rcpt.notify.is_empty() || rcpt.orcpt.is_some();
        let dsn = if rcpts.clone().any(asks) {
            rcpts
                .clone()
                .map(|r| RecipientDsn { notify: r.notify.clone(), orcpt: r.orcpt.clone() })
                .collect()
        } else {
            Vec::new()
        };
        Self {
            kind,
            seq: 0,
            at_ms,
            server: peer.server.to_string(),
            connection: peer.connection,
            remote: peer.remote.to_string(),
            account: peer.account.as_deref().map(str::to_owned),
            mail_from: envelope.mail_from.clone(),
            rcpts: rcpts.map(|rcpt| rcpt.address.clone()).collect(),
            reply: None,
            message_id: None,
            reference: None,
            size: None,
            ret: envelope.parameters.ret,
            envid: envelope.parameters.envid.clone(),
            dsn,
        }
    }

    /// The code of `reply`.
    pub fn reply_code(&self) -> Option<u16> {
        self.reply.as_deref()?.get(..3)?.parse().ok()
    }
}

/// A record file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordLog {
    /// In the order of the file.
    pub records: Vec<Record>,
    /// Lines that are no records: cut off by a kill or a full disk.
    pub torn_lines: usize,
}

impl RecordLog {
    /// Reads a file of JSON lines, also while it is being written.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fail = |what| move |source| Error::File { what, path: path.to_owned(), source };
        let mut reader = BufReader::new(File::open(path).map_err(fail("open"))?);
        let mut log = Self::default();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(fail("read"))? > 0 {
            match serde_json::from_slice(&line) {
                Ok(record) => log.records.push(record),
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => log.torn_lines += 1,
            }
            line.clear();
        }
        Ok(log)
    }

    /// The records of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.kind == kind)
    }
}

/// The most that happened in any window [t, t + `window_ms`).
pub fn peak_in_window(times_ms: impl IntoIterator<Item = i64>, window_ms: i64) -> usize {
    let mut times: Vec<i64> = times_ms.into_iter().collect();
    times.sort_unstable();
    let mut first = 0;
    let mut peak = 0;
    for (last, at) in times.iter().enumerate() {
        while times[first] <= at.saturating_sub(window_ms) {
            first += 1;
        }
        peak = peak.max(last + 1 - first);
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_begin_and_not_its_end() {
        let check = |times: &[i64], window, peak| {
            assert_eq!(peak_in_window(times.iter().copied(), window), peak, "{times:?}");
        };
        check(&[], 10, 0);
        check(&[0, 10], 10, 1);
        check(&[9, 0], 10, 2);
        check(&[0, 1, 2, 50, 51, 52, 53], 4, 4);
        check(&[5, 5, 5], 1, 3);
    }
}
