//! Holds the report against what the sinks wrote down: the judge knows nothing but their records.

use anyhow::Result;
use postroad_campaign::Report;
use postroad_smtpd::{Kind, Record, RecordLog, peak_in_window};
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;

/// A sink with the limit that it stands for.
pub struct Witness {
    pub relay: &'static str,
    pub record: PathBuf,
    /// So many recipients ...
    pub amount: u64,
    /// ... in any time of this length.
    pub window_ms: i64,
}

/// What `demo` prints.
#[derive(Debug, Serialize)]
pub struct Verdict {
    pub audience: i64,
    pub accepted: i64,
    pub rejected: i64,
    pub unknown: i64,
    pub suppressed: i64,
    pub bounced: i64,
    pub expired: i64,
    pub cancelled: i64,
    pub failed: i64,
    /// Acceptances that the sinks recorded.
    pub recorded: i64,
    /// Copies that somebody got more than once.
    pub duplicates: i64,
    /// Recipients by which a sliding window was passed.
    pub over_quota: i64,
    pub imbalance: i64,
    pub seconds: f64,
    pub sinks: Vec<Seen>,
}

/// What one sink saw.
#[derive(Debug, Serialize)]
pub struct Seen {
    pub relay: &'static str,
    pub rcpts: u64,
    pub accepted: u64,
    /// The most recipients in any window of the limit.
    pub peak: u64,
    pub limit: u64,
    pub window_ms: i64,
}

impl Verdict {
    /// True when every number adds up.
    pub fn adds_up(&self) -> bool {
        let ends = [
            self.accepted,
            self.rejected,
            self.unknown,
            self.suppressed,
            self.bounced,
            self.expired,
            self.cancelled,
            self.failed,
        ];
        ends.iter().sum::<i64>() == self.audience
            && [self.duplicates, self.over_quota, self.imbalance] == [0, 0, 0]
            && self.recorded >= self.accepted
            && self.recorded <= self.accepted + self.unknown
    }
}

/// Judges a campaign by the records.
pub fn judge(report: &Report, witnesses: &[Witness], seconds: f64) -> Result<Verdict> {
    let mut copies: HashMap<String, i64> = HashMap::new();
    let mut sinks = Vec::new();
    for witness in witnesses {
        let log = RecordLog::read(&witness.record)?;
        let accepted: Vec<&Record> =
            log.records.iter().filter(|r| r.kind == Kind::Accepted).collect();
        for rcpt in accepted.iter().flat_map(|r| &r.rcpts) {
            *copies.entry(rcpt.to_ascii_lowercase()).or_default() += 1;
        }
        // A RCPT counts when it is received, whatever it is answered.
        let times: Vec<i64> =
            log.records.iter().filter(|r| r.kind == Kind::Rcpt).map(|r| r.at_ms).collect();
        sinks.push(Seen {
            relay: witness.relay,
            rcpts: times.len() as u64,
            accepted: accepted.iter().map(|r| r.rcpts.len() as u64).sum(),
            peak: peak_in_window(times.iter().copied(), witness.window_ms) as u64,
            limit: witness.amount,
            window_ms: witness.window_ms,
        });
    }
    let over: u64 = sinks.iter().map(|s| s.peak.saturating_sub(s.limit)).sum();
    let recorded: u64 = sinks.iter().map(|s| s.accepted).sum();
    Ok(Verdict {
        audience: report.audience,
        accepted: report.accepted,
        rejected: report.rejected,
        unknown: report.unknown,
        suppressed: report.suppressed,
        bounced: report.bounced,
        expired: report.expired,
        cancelled: report.cancelled,
        failed: report.failed,
        recorded: i64::try_from(recorded).unwrap_or(i64::MAX),
        duplicates: copies.values().map(|n| n - 1).sum(),
        over_quota: i64::try_from(over).unwrap_or(i64::MAX),
        imbalance: report.imbalance,
        seconds,
        sinks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A demo takes too long to be run for its keys alone.
    #[test]
    fn what_is_printed_has_the_keys_of_its_schema() {
        fn check(printed: &serde_json::Value, schema: &serde_json::Value) {
            let keys: BTreeSet<&String> = printed.as_object().unwrap().keys().collect();
            let told = schema["properties"].as_object().unwrap().keys().collect();
            assert_eq!(keys, told);
            assert_eq!(schema["required"].as_array().map(Vec::len), Some(keys.len()));
        }
        let seen =
            Seen { relay: "ses", rcpts: 1, accepted: 1, peak: 1, limit: 1, window_ms: 1_000 };
        let verdict = Verdict {
            audience: 1,
            accepted: 1,
            rejected: 0,
            unknown: 0,
            suppressed: 0,
            bounced: 0,
            expired: 0,
            cancelled: 0,
            failed: 0,
            recorded: 1,
            duplicates: 0,
            over_quota: 0,
            imbalance: 0,
            seconds: 0.5,
            sinks: vec![seen],
        };
        let text = include_str!("../../../../docs/schemas/demo.json");
        let schema = serde_json::from_str::<serde_json::Value>(text).unwrap();
        let printed = serde_json::to_value(&verdict).unwrap();
        check(&printed, &schema);
        check(&printed["sinks"][0], &schema["properties"]["sinks"]["items"]);
    }
}
