//! Points in time as people write them: zones, wall-clock times, and both directions between them and `Timestamp`.
//!
//! Used by `cli` and `campaign` to read `--at`, by `send_window` and `planner` for days and hours. The database
//! of zones is compiled in, so every machine reads the same text as the same instant.
//!
//! What must hold: a wall-clock time that the clocks skip is refused with both neighbours, one that they show
//! twice is the first of the two and says so; nothing here knows what time it is now.

use crate::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use serde::{Deserialize, Serialize, de};
use std::fmt;

/// Why a text is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// The zone is not in the database.
    #[error("unknown time zone {name:?}{}", did_you_mean(.nearest))]
    UnknownZone {
        /// What was written.
        name: String,
        /// Names that look like it, the nearest first.
        nearest: Vec<String>,
    },
    /// Neither a date with a time nor RFC 3339.
    #[error(
        "{0:?} is not a time: write it as 2026-12-01 09:00 Asia/Ho_Chi_Minh or 2026-12-01T09:00+07:00"
    )]
    Syntax(String),
    /// A time without a zone, and none is configured.
    #[error("{0:?} names no time zone: add one, for instance Asia/Ho_Chi_Minh or UTC")]
    NoZone(String),
    /// The clocks skip it.
    #[error(
        "{written} does not exist in {zone}: the clocks go forward then; say {before} or {after}"
    )]
    Skipped {
        /// What was written.
        written: String,
        /// The zone.
        zone: String,
        /// The last minute before the gap.
        before: String,
        /// The first minute after it.
        after: String,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest.split_last() {
        None => "; write a name such as Asia/Ho_Chi_Minh, Europe/Paris or UTC".into(),
        Some((only, [])) => format!("; did you mean {only}?"),
        Some((last, rest)) => format!("; did you mean {} or {last}?", rest.join(", ")),
    }
}

/// A zone of the IANA database.
#[derive(Clone, Debug)]
pub struct Zone {
    tz: TimeZone,
    name: String,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Zone {
    /// Finds a zone by its name, without regard to case.
    ///
    /// # Errors
    /// [`WhenError::UnknownZone`] with the nearest names.
    pub fn parse(name: &str) -> Result<Self, WhenError> {
        let name = name.trim();
        match TimeZone::get(name) {
            Ok(tz) => {
                let name = tz.iana_name().unwrap_or(name).to_owned();
                Ok(Self { tz, name })
            }
            Err(_) => Err(WhenError::UnknownZone {
                name: name.chars().take(60).collect(),
                nearest: nearest_names(name),
            }),
        }
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { tz: TimeZone::UTC, name: "UTC".into() }
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The date there, `2026-12-01`: sorts as it reads.
    #[must_use]
    pub fn date(&self, t: Timestamp) -> String {
        self.wall(t).date().to_string()
    }

    /// The first instant of the next day there.
    #[must_use]
    pub fn next_day(&self, t: Timestamp) -> Timestamp {
        let tomorrow = self.wall(t).date().tomorrow().unwrap_or(Date::MAX);
        let start = tomorrow.to_zoned(self.tz.clone()).and_then(|z| z.start_of_day());
        let start = start.map_or(Timestamp(i64::MAX), |z| Timestamp::from_jiff(z.timestamp()));
        // A zone that skips a whole day (Samoa in 2011) must not stop the walk.
        start.max(t.plus_ms(1))
    }

    /// Day and time there as people read it, `Tue 1 Dec 11:20`.
    #[must_use]
    pub fn short(&self, t: Timestamp) -> String {
        self.wall(t).strftime("%a %-d %b %H:%M").to_string()
    }

    /// As [`Zone::short`] with the year and the zone's name.
    #[must_use]
    pub fn long(&self, t: Timestamp) -> String {
        format!("{} {}", self.wall(t).strftime("%a %-d %b %Y %H:%M"), self.name)
    }

    pub(crate) fn wall(&self, t: Timestamp) -> DateTime {
        self.tz.to_datetime(t.to_jiff())
    }

    /// All instants at which the clocks show `wall`: none in a gap, two in an overlap.
    pub(crate) fn instants(&self, wall: DateTime) -> [Option<Timestamp>; 2] {
        let at = |offset: Offset| offset.to_timestamp(wall).ok().map(Timestamp::from_jiff);
        match self.tz.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => [at(offset), None],
            AmbiguousOffset::Gap { .. } => [None, None],
            AmbiguousOffset::Fold { before, after } => [at(before), at(after)],
        }
    }

    /// The instants in `(from, to]` at which the clocks change.
    pub(crate) fn changes(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        self.tz
            .following(from.to_jiff())
            .map(|change| Timestamp::from_jiff(change.timestamp()))
            .take_while(|t| *t <= to)
            .collect()
    }

    fn skipped(&self, wall: DateTime, written: &str) -> WhenError {
        let AmbiguousOffset::Gap { after, .. } = self.tz.to_ambiguous_timestamp(wall).offset()
        else {
            return WhenError::Syntax(written.to_owned());
        };
        // With the offset of after the gap a time inside it lies before the change.
        let change = after.to_timestamp(wall).ok().map(Timestamp::from_jiff).and_then(|inside| {
            self.changes(inside, inside.plus_ms(2 * 86_400_000)).into_iter().next()
        });
        let minute = |t: Timestamp| self.wall(t).strftime("%Y-%m-%d %H:%M").to_string();
        let (before, after) = change.map_or_else(
            || ("an earlier time".into(), "a later one".into()),
            |change| (minute(change.plus_ms(-60_000)), minute(change)),
        );
        WhenError::Skipped { written: written.into(), zone: self.name.clone(), before, after }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(de::Error::custom)
    }
}

/// An instant that was read, and what the reader should be told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// The instant.
    pub at: Timestamp,
    /// Set when the clocks show the time twice and the first was taken.
    pub note: Option<String>,
}

/// Reads `2026-12-01 09:00 Asia/Ho_Chi_Minh`, the same without a zone when there is a default, or RFC 3339 with an
/// offset. Whether the instant has passed is for the caller to say.
///
/// # Errors
/// [`WhenError`]; each message says how to write it.
pub fn parse_when(text: &str, default: Option<&Zone>) -> Result<When, WhenError> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(When { at: Timestamp::from_jiff(at), note: None });
    }
    let syntax = || WhenError::Syntax(text.chars().take(80).collect());
    let mut words = text.split_whitespace();
    let mut written = words.next().ok_or_else(syntax)?.to_owned();
    if !written.contains('T') {
        written = format!("{written} {}", words.next().ok_or_else(syntax)?);
    }
    let wall: DateTime = written.parse().map_err(|_| syntax())?;
    let zone = match (words.next(), default) {
        (Some(name), _) => Zone::parse(name)?,
        (None, Some(zone)) => zone.clone(),
        (None, None) => return Err(WhenError::NoZone(text.chars().take(80).collect())),
    };
    if words.next().is_some() {
        return Err(syntax());
    }
    match zone.instants(wall) {
        [Some(at), None] => Ok(When { at, note: None }),
        [Some(at), Some(later)] => Ok(When {
            at,
            note: Some(format!(
                "the clocks in {zone} show {written} twice that day; the first is taken ({}), the second is {}",
                at.rfc3339(),
                later.rfc3339()
            )),
        }),
        [None, _] => Err(zone.skipped(wall, &written)),
    }
}

/// Up to three names that are few edits away from `name`, as a whole or in their last part.
fn nearest_names(name: &str) -> Vec<String> {
    let wanted = name.to_lowercase().replace(' ', "_");
    if wanted.is_empty() || wanted.len() > 60 {
        return Vec::new();
    }
    let bound = 1 + wanted.chars().count() / 4;
    let mut found: Vec<(usize, String)> = jiff::tz::db()
        .available()
        .filter_map(|candidate| {
            let candidate = candidate.as_str();
            let lower = candidate.to_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let wanted_city = wanted.rsplit('/').next().unwrap_or(&wanted);
            let distance = edits(&wanted, &lower).min(edits(wanted_city, city) + 1);
            (distance <= bound).then(|| (distance, candidate.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match parse_when(text, None) {
            Ok(when) => {
                format!("{}{}", when.at.rfc3339(), when.note.map_or("", |_| " (the first of two)"))
            }
            Err(e) => e.to_string(),
        };
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn times_are_read_in_their_zone() {
        check("2026-12-01 09:00 Asia/Ho_Chi_Minh", "2026-12-01T02:00:00.000Z");
        check("2026-12-01T09:00 asia/ho_chi_minh", "2026-12-01T02:00:00.000Z");
        check("2026-12-01 09:00:30 UTC", "2026-12-01T09:00:30.000Z");
        check("2026-12-01T09:00:00+07:00", "2026-12-01T02:00:00.000Z");
        check("2026-12-01T09:00:00Z", "2026-12-01T09:00:00.000Z");
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_refused_with_both_neighbours() {
        check(
            "2027-03-28 02:30 Europe/Paris",
            "2027-03-28 02:30 does not exist in Europe/Paris: the clocks go forward then; \
             say 2027-03-28 01:59 or 2027-03-28 03:00",
        );
        check(
            "2026-10-04 02:10 Australia/Lord_Howe",
            "2026-10-04 02:10 does not exist in Australia/Lord_Howe: the clocks go forward then; \
             say 2026-10-04 01:59 or 2026-10-04 02:30",
        );
    }

    #[test]
    fn a_time_that_the_clocks_show_twice_is_the_first_and_says_so() {
        check("2026-10-25 02:30 Europe/Paris", "2026-10-25T00:30:00.000Z (the first of two)");
        check(
            "2027-04-04 01:45 Australia/Lord_Howe",
            "2027-04-03T14:45:00.000Z (the first of two)",
        );
    }

    #[test]
    fn what_is_no_time_says_how_to_write_one() {
        let check = |text: &str, part: &str| {
            let error = parse_when(text, None).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        };
        check("", "is not a time");
        check("tomorrow", "is not a time");
        check("2026-13-01 09:00 UTC", "is not a time");
        check("2026-12-01 25:00 UTC", "is not a time");
        check("2026-12-01 09:00", "names no time zone");
        check("2026-12-01 09:00 UTC now", "is not a time");
        check("2026-12-01 09:00 Asia/Ho_Chi_Min", "did you mean Asia/Ho_Chi_Minh?");
        check("2026-12-01 09:00 Europe/Pariss", "Europe/Paris");
        check("2026-12-01 09:00 Mars/Olympus_Mons", "write a name such as");
    }

    #[test]
    fn days_begin_at_midnight_there() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let t = parse_when("2026-10-25 00:00", Some(&paris)).unwrap().at;
        assert_eq!(paris.next_day(t).since_ms(t), 25 * 3_600_000);
        assert_eq!(paris.date(t), "2026-10-25");
        assert_eq!(paris.short(t), "Sun 25 Oct 00:00");
    }
}
