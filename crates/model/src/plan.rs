//! Plans and forecasts as types: what `planner` makes, `campaign` stores and `cli` shows. The algorithm is `planner`'s.

use crate::when::Zone;
use crate::{MailboxProvider, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Recipients of one mailbox provider, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cohort {
    /// Who hosts them.
    pub provider: MailboxProvider,
    /// How many.
    pub count: i64,
}

/// A part of a cohort that one pool sends from a time on. Which relay of the pool takes a row is decided when a
/// lane leases it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Whose recipients.
    pub provider: MailboxProvider,
    /// Through which pool.
    pub pool: String,
    /// Not leased before.
    pub not_before: Timestamp,
    /// How many.
    pub count: i64,
}

/// A stretch of time in which one relay is expected to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The relay's name.
    pub relay: String,
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub until: Timestamp,
    /// How many.
    pub count: i64,
}

/// What one relay is expected to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayForecast {
    /// Its name.
    pub relay: String,
    /// Date in the forecast's zone (`2026-12-01`) and count, without days of nothing.
    pub days: Vec<(String, i64)>,
}

impl RelayForecast {
    /// The most that it sends on a day.
    #[must_use]
    pub fn peak(&self) -> i64 {
        self.days.iter().map(|(_, n)| *n).max().unwrap_or(0)
    }
}

/// When it all ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outlook")]
pub enum Outlook {
    /// Everything is sent by then.
    Ends {
        /// The last message.
        at: Timestamp,
    },
    /// The campaign expires first.
    Expires {
        /// When.
        at: Timestamp,
        /// How many are not sent by then.
        left: i64,
        /// When all would be sent without the expiry; `None` when never.
        would_end: Option<Timestamp>,
    },
    /// It cannot end with these relays, limits and windows.
    Never {
        /// How many are never sent.
        left: i64,
    },
}

/// When each relay sends how much, and when it all ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Size of the audience.
    pub people: i64,
    /// Zone of its dates and times.
    pub zone: Zone,
    /// When the first message goes; `None` when none does.
    pub starts_at: Option<Timestamp>,
    /// Every relay of the pool, also those that send nothing.
    pub relays: Vec<RelayForecast>,
    /// The end.
    pub outlook: Outlook,
}

/// A campaign's plan: it changes no more; planning again makes another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Every recipient in exactly one slice.
    pub slices: Vec<Slice>,
    /// What to expect.
    pub forecast: Forecast,
    /// The forecast in full, for its check; not stored.
    #[serde(skip)]
    pub sendings: Vec<Sending>,
}

/// One line: `12,400 people; gmail-a 450/day, ses 10,000/day; ends Tue 1 Dec 11:20`. A relay that sends on one
/// day only has its count without `/day`.
impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} people", thousands(self.people))?;
        for (i, relay) in self.relays.iter().enumerate() {
            let per_day = if relay.days.len() > 1 { "/day" } else { "" };
            let lead = if i == 0 { "; " } else { ", " };
            write!(f, "{lead}{} {}{per_day}", relay.relay, thousands(relay.peak()))?;
        }
        match self.outlook {
            Outlook::Ends { at } => write!(f, "; ends {}", self.zone.short(at)),
            Outlook::Expires { at, left, would_end } => {
                let (left, at_text) = (thousands(left), self.zone.short(at));
                write!(f, "; {left} not sent when it expires {at_text}")?;
                match would_end {
                    Some(end) => write!(
                        f,
                        " (all would be sent by {}, {} later)",
                        self.zone.short(end),
                        span(end.since_ms(at))
                    ),
                    None => f.write_str(" (and it would not end within a year)"),
                }
            }
            Outlook::Never { left } => {
                write!(f, "; {} not sent within a year", thousands(left))
            }
        }
    }
}

/// `12400` as `12,400`.
#[must_use]
pub fn thousands(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A length of time in its two largest units, `2 d 4 h`.
fn span(ms: i64) -> String {
    let minutes = (ms.max(0) + 59_999) / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        (_, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(outlook: Outlook) -> Forecast {
        let relay = |name: &str, days: &[i64]| RelayForecast {
            relay: name.into(),
            days: days
                .iter()
                .enumerate()
                .map(|(i, n)| (format!("2026-12-0{}", i + 1), *n))
                .collect(),
        };
        Forecast {
            people: 12_400,
            zone: Zone::utc(),
            starts_at: None,
            relays: vec![
                relay("gmail-a", &[450, 450]),
                relay("ses", &[10_000]),
                relay("idle", &[]),
            ],
            outlook,
        }
    }

    #[test]
    fn a_forecast_is_one_line() {
        let check = |outlook, expected: &str| {
            let line = forecast(outlook).to_string();
            assert_eq!(
                line,
                format!("12,400 people; gmail-a 450/day, ses 10,000, idle 0; {expected}")
            );
        };
        let at = Timestamp(1_796_124_000_000);
        check(Outlook::Ends { at }, "ends Tue 1 Dec 11:20");
        check(
            Outlook::Expires { at, left: 1_500, would_end: Some(at.plus_ms(187_200_000)) },
            "1,500 not sent when it expires Tue 1 Dec 11:20 (all would be sent by Thu 3 Dec 15:20, 2 d 4 h later)",
        );
        check(
            Outlook::Expires { at, left: 3, would_end: None },
            "3 not sent when it expires Tue 1 Dec 11:20 (and it would not end within a year)",
        );
        check(Outlook::Never { left: 5 }, "5 not sent within a year");
    }
}
