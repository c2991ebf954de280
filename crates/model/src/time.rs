//! Points in time as 64-bit milliseconds since 1970-01-01T00:00:00Z, the form that both engines store.
//!
//! `Clock` is only the trait: the system clock lives in `cli`, the simulated one in `testkit`.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Adds milliseconds, staying inside the range of i64.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Adds a duration, staying inside the range of i64.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        self.plus_ms(i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time left until `later`, zero when it has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.since_ms(self)).unwrap_or(0))
    }

    /// The same instant in the time-zone crate's type. Out-of-range values are clamped.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// From the time-zone crate's type, cut to milliseconds.
    #[must_use]
    pub fn from_jiff(t: jiff::Timestamp) -> Self {
        Self(t.as_millisecond())
    }

    /// Reads a time as RFC 3339 writes it, in any zone.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.trim().parse::<jiff::Timestamp>().ok().map(Self::from_jiff)
    }

    /// RFC 3339 in UTC with milliseconds, for exports and logs.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// Day, month and year in UTC.
    #[must_use]
    pub fn utc_date(self) -> (i8, i8, i16) {
        let date = self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        (date.day(), date.month(), date.year())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// Where a component learns the time. Never going back is the implementation's duty.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Reads a duration as operators write it: `500ms`, `10s`, `1m`, `24h`, `7d`. `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms = match unit.trim() {
        "ms" => 1,
        "s" | "sec" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.checked_mul(ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_or_refused() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(parse_duration(text), ms.map(Duration::from_millis), "{text}");
        };
        check("500ms", Some(500));
        check("1m", Some(60_000));
        check("24h", Some(86_400_000));
        check("24", None);
        check("h", None);
        check("-1h", None);
        check("99999999999999999999d", None);
    }

    #[test]
    fn rfc3339_names_milliseconds_in_utc() {
        assert_eq!(Timestamp(1_795_300_000_123).rfc3339(), "2026-11-21T22:26:40.123Z");
        let read = |text: &str| Timestamp::parse_rfc3339(text).map(|t| t.0);
        assert_eq!(read("2026-11-21T22:26:40.123Z"), Some(1_795_300_000_123));
        assert_eq!(read("2026-11-22T05:26:40.1230000+07:00"), Some(1_795_300_000_123));
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn an_instant_has_its_date_in_utc() {
        assert_eq!(Timestamp(1_795_300_000_123).utc_date(), (21, 11, 2026));
        assert_eq!(Timestamp(0).utc_date(), (1, 1, 1970));
        assert_eq!(Timestamp(-1).utc_date(), (31, 12, 1969));
    }
}
