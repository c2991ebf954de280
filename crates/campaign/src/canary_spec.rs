//! `canary = { share = "1%", wait = "30m", min_inbox = 0.8 }` of campaign.toml, and its flags, made into model's type.
//!
//! Called by `spec`. What must hold: an absent key has the default that the sample shows; what no canary can be (half of the
//! audience or more goes first, a wait in which no mailbox is looked into) is refused with what to write instead.

use postroad_model::canary::Canary;
use postroad_model::time::parse_duration;
use serde::Deserialize;
use std::time::Duration;

/// The canary as it is written; each key may be absent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawCanary {
    /// Share of the audience that goes first: `"1%"` or 0.01.
    pub share: Option<RawShare>,
    /// How long the seeds' copies are looked for: `"30m"`.
    pub wait: Option<String>,
    /// The inbox rate that lets it go on: 0.8 or `"80%"`.
    pub min_inbox: Option<RawShare>,
}

/// Keys of the table, for hints.
pub(crate) const CANARY_KEYS: [&str; 3] = ["share", "wait", "min_inbox"];

/// A share: `0.01` or `"1%"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum RawShare {
    /// 0 to 1.
    Number(f64),
    /// With a percent sign, or a number.
    Text(String),
}

/// What holds where a key is absent.
pub(crate) const DEFAULT: Canary =
    Canary { share: 0.01, wait: Duration::from_secs(30 * 60), min_inbox: 0.8 };

impl RawShare {
    fn read(&self) -> Option<f64> {
        let share = match self {
            Self::Number(n) => *n,
            Self::Text(text) => match text.trim().strip_suffix('%') {
                Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
                None => text.trim().parse().ok()?,
            },
        };
        share.is_finite().then_some(share)
    }
}

impl RawCanary {
    /// This table with another's keys in place where it has any: flags over the file.
    pub(crate) fn overridden_by(self, over: Self) -> Self {
        Self {
            share: over.share.or(self.share),
            wait: over.wait.or(self.wait),
            min_inbox: over.min_inbox.or(self.min_inbox),
        }
    }

    /// The checked canary, or what is wrong with each key.
    pub(crate) fn read(&self) -> Result<Canary, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let mut canary = DEFAULT;
        if let Some(raw) = &self.share {
            match raw.read().filter(|s| (0.0..=Canary::MAX_SHARE).contains(s)) {
                Some(share) => canary.share = share,
                None => {
                    faults.push(("canary.share", "write \"1%\" or 0.01; it is 0 to 50 %".into()));
                }
            }
        }
        if let Some(text) = &self.wait {
            match parse_duration(text).filter(|d| *d >= Canary::MIN_WAIT) {
                Some(wait) => canary.wait = wait,
                None => faults.push((
                    "canary.wait",
                    format!("{text:?} is no wait of a minute or more; write 30m or 2h"),
                )),
            }
        }
        if let Some(raw) = &self.min_inbox {
            match raw.read().filter(|s| (0.0..=1.0).contains(s)) {
                Some(rate) => canary.min_inbox = rate,
                None => {
                    faults.push(("canary.min_inbox", "write 0.8 or \"80%\"; it is 0 to 1".into()));
                }
            }
        }
        if faults.is_empty() { Ok(canary) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Canary, String> {
        let raw: RawCanary = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        raw.read().map_err(|faults| faults.iter().map(|(k, m)| format!("{k}: {m}\n")).collect())
    }

    #[test]
    fn a_canary_is_read_in_either_way_of_writing_shares() {
        let check = |text: &str, share: f64, secs: u64, min_inbox: f64| {
            let wait = Duration::from_secs(secs);
            assert_eq!(read(text), Ok(Canary { share, wait, min_inbox }), "{text}");
        };
        check("", 0.01, 1800, 0.8);
        check("share = '2 %'\nwait = '2h'\nmin_inbox = '90%'", 0.02, 7200, 0.9);
        check("share = 0.5\nwait = '60s'\nmin_inbox = 1", 0.5, 60, 1.0);
        check("share = 0\nmin_inbox = 0", 0.0, 1800, 0.0);
        check("share = '0.005'", 0.005, 1800, 0.8);
    }

    #[test]
    fn what_no_canary_can_be_is_refused() {
        let check = |text: &str, part: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        };
        check("share = '51%'", "canary.share: write");
        check("share = 1", "canary.share: write");
        check("share = -0.1", "canary.share: write");
        check("share = nan", "canary.share: write");
        check("share = 'some'", "canary.share: write");
        check("wait = '59s'", "canary.wait: \"59s\" is no wait");
        check("wait = 'a while'", "canary.wait");
        check("min_inbox = 1.1\nwait = '1'", "canary.min_inbox: write");
        check("min_inbox = 1.1\nwait = '1'", "canary.wait");
        check("waits = '1h'", "unknown field");
    }
}
