//! The JSON batches of W2 and W3: one line for each row, with short names that the statements know.
//!
//! Made by `writes`. Lines are in id order, in which rows are locked on both engines.

use crate::writes::{Blocked, Charged, Intent, Settled, Settlement, WriteBatch};
use crate::{Error, Result};
use postroad_model::delivery::Role;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct IntentLine<'a> {
    pub(crate) b: i64,
    pub(crate) i: i64,
    t: i64,
    pub(crate) r: i64,
    e: i64,
    h: i64,
    m: &'a str,
    d: i64,
}

#[derive(Serialize, Default)]
pub(crate) struct SettleLine<'a> {
    pub(crate) b: i64,
    pub(crate) i: i64,
    t: i64,
    w: i64,
    pub(crate) s: i64,
    a: i64,
    nb: Option<i64>,
    tr: i64,
    bl: i64,
    pr: Option<i64>,
    pu: i64,
    pub(crate) r: i64,
    m: Option<&'a str>,
    d: Option<i64>,
    c: Option<i64>,
    en: Option<String>,
    re: Option<&'a str>,
    de: Option<&'static str>,
}

#[derive(Serialize)]
pub(crate) struct AttemptLine<'a> {
    pub(crate) b: i64,
    pub(crate) i: i64,
    a: i64,
    pub(crate) r: i64,
    o: &'static str,
    p: Option<&'static str>,
    c: Option<u16>,
    en: Option<String>,
    re: Option<&'a str>,
    ru: Option<&'a str>,
}

/// Longest reply text kept in a row, in characters.
const MAX_REPLY: usize = 1_000;

fn clip(text: &str) -> &str {
    text.char_indices().nth(MAX_REPLY).map_or(text, |(at, _)| &text[..at])
}

fn settle_line(s: &Settlement) -> SettleLine<'_> {
    let mut line = SettleLine {
        b: s.claim.id.bucket,
        i: s.claim.id.id,
        t: s.claim.token.0,
        w: s.was.state().code(),
        s: s.settled.state().code(),
        a: s.claim.attempt,
        r: s.claim.relay.0,
        c: s.reply.as_ref().map(|r| i64::from(r.code)),
        en: s.reply.as_ref().and_then(|r| r.enhanced).map(|e| e.to_string()),
        re: s.reply.as_ref().map(|r| clip(&r.text)),
        ..SettleLine::default()
    };
    match &s.settled {
        Settled::Accepted | Settled::Rejected | Settled::Unknown => {}
        Settled::Failed(detail) => line.de = Some(detail.as_str()),
        Settled::Deferred { until, mail_from, date, pinned_until, charged } => {
            line.nb = Some(until.0);
            line.tr = i64::from(*charged == Charged::Recipient);
            line.m = Some(mail_from);
            line.d = Some(date.0);
            // Tests and seeds belong to their relay for good.
            line.pr = match s.claim.role {
                Role::Audience => Some(pinned_until.map_or(0, |_| s.claim.relay.0)),
                Role::Seed | Role::Test => None,
            };
            line.pu = pinned_until.map_or(0, |t| t.0);
        }
        Settled::PutBack { until, blocked } => {
            line.nb = Some(until.0);
            line.bl = i64::from(*blocked == Blocked::Yes);
        }
    }
    line
}

pub(crate) fn json<T: Serialize + ?Sized>(lines: &T) -> Result<String> {
    serde_json::to_string(lines).map_err(|source| Error::Json { what: "a batch of writes", source })
}

pub(crate) fn attempts(settlements: &[Settlement]) -> Vec<AttemptLine<'_>> {
    settlements
        .iter()
        .filter(|s| s.settled != Settled::Accepted)
        .map(|s| AttemptLine {
            b: s.claim.id.bucket,
            i: s.claim.id.id,
            a: s.claim.attempt,
            r: s.claim.relay.0,
            o: s.settled.word(),
            p: s.phase,
            c: s.reply.as_ref().map(|r| r.code),
            en: s.reply.as_ref().and_then(|r| r.enhanced).map(|e| e.to_string()),
            re: s.reply.as_ref().map(|r| clip(&r.text)),
            ru: s.rule.as_deref(),
        })
        .collect()
}

fn intent_line(intent: &Intent) -> IntentLine<'_> {
    IntentLine {
        b: intent.claim.id.bucket,
        i: intent.claim.id.id,
        t: intent.claim.token.0,
        r: intent.claim.relay.0,
        e: intent.claim.epoch.0,
        h: intent.content_hash,
        m: &intent.mail_from,
        d: intent.date.0,
    }
}

/// W3 of a batch.
pub(crate) fn settle_lines(batch: &WriteBatch) -> Vec<SettleLine<'_>> {
    let mut lines: Vec<_> = batch.settlements.iter().map(settle_line).collect();
    lines.sort_unstable_by_key(|l| (l.b, l.i));
    lines
}

/// W2 of a batch.
pub(crate) fn intent_lines(batch: &WriteBatch) -> Vec<IntentLine<'_>> {
    let mut lines: Vec<_> = batch.intents.iter().map(intent_line).collect();
    lines.sort_unstable_by_key(|l| (l.b, l.i));
    lines
}
