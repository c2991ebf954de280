//! Send windows: on which days and hours of a zone a campaign may send.
//!
//! Set on a campaign, read by `planner` for the forecast and by `delivery` before each lease. A window is open
//! exactly while the wall clock of its zone shows a time within its hours on one of its days: hours that the
//! clocks skip are lost, hours that they show twice count twice. Hours past midnight belong to the day on which
//! they began.

use crate::Timestamp;
use crate::when::{WhenError, Zone};
use jiff::civil::{Date, DateTime, Weekday};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is no send window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendWindowError {
    /// Not days and hours.
    #[error("{0:?} is not a send window: write it as mon-fri 09:00-17:30, or daily 22:00-06:00")]
    Syntax(String),
    /// A day that is none.
    #[error("{0:?} is not a day of the week: use mon, tue, wed, thu, fri, sat, sun or daily")]
    Day(String),
    /// Opening and closing are the same time.
    #[error("a send window from {0} to {0} is never open; for all day write 00:00-24:00")]
    Empty(String),
    /// The zone is unknown.
    #[error(transparent)]
    Zone(#[from] WhenError),
}

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// How far ahead the next opening is looked for: a weekly window whose hours the clocks skip, and a zone that
/// loses a day, still open within it.
const LOOK_AHEAD_DAYS: i64 = 22;

/// Days and hours of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowText", into = "WindowText")]
pub struct SendWindow {
    /// Monday first.
    days: [bool; 7],
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight, 1440 for its end; less than `from` when the hours pass midnight.
    to: u16,
    zone: Zone,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    hours: String,
    zone: Zone,
}

impl SendWindow {
    /// Reads `mon-fri 09:00-17:30`, `mon,wed 22:00-02:00` or `09:00-17:30` (every day).
    ///
    /// # Errors
    /// [`SendWindowError`] says which part is wrong.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, SendWindowError> {
        let syntax = || SendWindowError::Syntax(text.chars().take(80).collect());
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours) = match words.as_slice() {
            [hours] => ("daily", *hours),
            [days, hours] => (*days, *hours),
            _ => return Err(syntax()),
        };
        let (from, to) = hours.split_once('-').ok_or_else(syntax)?;
        let from = minutes(from).filter(|m| *m < DAY_MINUTES).ok_or_else(syntax)?;
        let to = minutes(to).filter(|m| *m > 0).ok_or_else(syntax)?;
        if from == to {
            return Err(SendWindowError::Empty(clock(from)));
        }
        Ok(Self { days: parse_days(days)?, from, to, zone })
    }

    /// The zone of its hours.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// True while it is open.
    #[must_use]
    pub fn contains(&self, t: Timestamp) -> bool {
        let wall = self.zone.wall(t);
        let minute =
            u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
        let today = self.on(wall.date().weekday());
        if self.from < self.to {
            today && (self.from..self.to).contains(&minute)
        } else {
            let yesterday = self.on(wall.date().weekday().previous());
            (today && minute >= self.from) || (yesterday && minute < self.to)
        }
    }

    /// The first instant from `t` on at which it is open; `None` when it does not open for weeks.
    #[must_use]
    pub fn next_open(&self, t: Timestamp) -> Option<Timestamp> {
        if self.contains(t) {
            return Some(t);
        }
        self.borders(t).into_iter().find(|b| self.contains(*b))
    }

    /// The first instant after `t` at which it is closed; `None` when it stays open for weeks.
    #[must_use]
    pub fn closes_after(&self, t: Timestamp) -> Option<Timestamp> {
        self.borders(t).into_iter().find(|b| !self.contains(*b))
    }

    fn on(&self, day: Weekday) -> bool {
        self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())]
    }

    /// Every instant after `t` at which `contains` may change: hours, midnights, and the clocks themselves.
    fn borders(&self, t: Timestamp) -> Vec<Timestamp> {
        let until = t.plus_ms(LOOK_AHEAD_DAYS * 86_400_000);
        let mut borders = self.zone.changes(t, until);
        let mut date = self.zone.wall(t).date();
        for _ in 0..=LOOK_AHEAD_DAYS {
            for minute in [0, self.from, self.to % DAY_MINUTES] {
                borders.extend(self.zone.instants(wall_time(date, minute)).into_iter().flatten());
            }
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        borders.retain(|b| *b > t);
        borders.sort_unstable();
        borders.dedup();
        borders
    }
}

fn wall_time(date: Date, minute: u16) -> DateTime {
    let (hour, minute) = ((minute / 60).min(23), minute % 60);
    // Both fit in i8: below 24 and below 60.
    date.at(i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0), 0, 0)
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60).then_some(hour * 60 + minute).filter(|m| *m <= DAY_MINUTES)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn parse_days(text: &str) -> Result<[bool; 7], SendWindowError> {
    let day = |name: &str| {
        let lower = name.to_lowercase();
        DAY_NAMES
            .iter()
            .position(|d| lower.len() >= 3 && lower.starts_with(d))
            .ok_or_else(|| SendWindowError::Day(name.chars().take(20).collect()))
    };
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

impl fmt::Display for SendWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == [true; 7] {
            f.write_str("daily")?;
        } else {
            let names: Vec<&str> =
                DAY_NAMES.iter().zip(self.days).filter_map(|(n, on)| on.then_some(*n)).collect();
            f.write_str(&names.join(","))?;
        }
        write!(f, " {}-{}", clock(self.from), clock(self.to))
    }
}

impl TryFrom<WindowText> for SendWindow {
    type Error = SendWindowError;

    fn try_from(text: WindowText) -> Result<Self, SendWindowError> {
        Self::parse(&text.hours, text.zone)
    }
}

impl From<SendWindow> for WindowText {
    fn from(window: SendWindow) -> Self {
        Self { hours: window.to_string(), zone: window.zone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::when::parse_when;
    use proptest::prelude::*;

    fn window(text: &str, zone: &str) -> SendWindow {
        SendWindow::parse(text, Zone::parse(zone).unwrap()).unwrap()
    }

    /// Opening and closing after a time, both in the window's zone.
    fn check(text: &str, zone: &str, from: &str, open: &str, close: &str) {
        let w = window(text, zone);
        let t = parse_when(from, Some(w.zone())).unwrap().at;
        let opens = w.next_open(t).unwrap();
        let closes = w.closes_after(opens).unwrap();
        let got = (w.zone().short(opens), w.zone().short(closes));
        assert_eq!(got, (open.to_owned(), close.to_owned()), "{text} {zone} {from}");
    }

    #[test]
    fn a_window_opens_and_closes_by_the_clock_of_its_zone() {
        let hcm = "Asia/Ho_Chi_Minh";
        check(
            "mon-fri 09:00-17:30",
            hcm,
            "2026-11-27 18:00",
            "Mon 30 Nov 09:00",
            "Mon 30 Nov 17:30",
        );
        check(
            "mon-fri 09:00-17:30",
            hcm,
            "2026-11-27 10:00",
            "Fri 27 Nov 10:00",
            "Fri 27 Nov 17:30",
        );
        check("fri 22:00-06:00", hcm, "2026-11-28 05:59", "Sat 28 Nov 05:59", "Sat 28 Nov 06:00");
        check("fri 22:00-06:00", hcm, "2026-11-28 06:00", "Fri 4 Dec 22:00", "Sat 5 Dec 06:00");
        check(
            "sat,sun 00:00-24:00",
            hcm,
            "2026-11-25 12:00",
            "Sat 28 Nov 00:00",
            "Mon 30 Nov 00:00",
        );
        check(
            "sun-mon 08:00-09:00",
            hcm,
            "2026-11-28 12:00",
            "Sun 29 Nov 08:00",
            "Sun 29 Nov 09:00",
        );
    }

    #[test]
    fn hours_that_the_clocks_skip_are_lost_and_hours_shown_twice_count_twice() {
        let paris = "Europe/Paris";
        check("02:30-04:00", paris, "2027-03-28 00:00", "Sun 28 Mar 03:00", "Sun 28 Mar 04:00");
        check("02:10-02:20", paris, "2027-03-28 00:00", "Mon 29 Mar 02:10", "Mon 29 Mar 02:20");
        check("sun 02:10-02:20", paris, "2027-03-28 00:00", "Sun 4 Apr 02:10", "Sun 4 Apr 02:20");
        check(
            "01:45-02:15",
            "Australia/Lord_Howe",
            "2026-10-04 00:00",
            "Sun 4 Oct 01:45",
            "Sun 4 Oct 02:30",
        );
        let w = window("02:00-03:00", paris);
        let t = parse_when("2026-10-25 00:00", Some(w.zone())).unwrap().at;
        let opens = w.next_open(t).unwrap();
        assert_eq!(w.closes_after(opens).unwrap().since_ms(opens), 2 * 3_600_000);
        let w = window("01:30-01:45", "Australia/Lord_Howe");
        let t = parse_when("2027-04-04 00:00", Some(w.zone())).unwrap().at;
        let first = w.closes_after(w.next_open(t).unwrap()).unwrap();
        let again = w.next_open(first).unwrap();
        assert_eq!(again.since_ms(first), 15 * 60_000);
    }

    #[test]
    fn a_window_that_never_closes_says_so() {
        let w = window("daily 00:00-24:00", "UTC");
        assert_eq!(
            (w.next_open(Timestamp(5)), w.closes_after(Timestamp(5))),
            (Some(Timestamp(5)), None)
        );
    }

    #[test]
    fn what_is_no_window_is_refused() {
        let check = |text: &str, part: &str| {
            let error = SendWindow::parse(text, Zone::utc()).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        };
        check("", "is not a send window");
        check("mon-fri", "is not a send window");
        check("mon 9-17", "is not a send window");
        check("mon 09:00-25:00", "is not a send window");
        check("mon 09:60-10:00", "is not a send window");
        check("mon +9:00-10:00", "is not a send window");
        check("mo 09:00-10:00", "is not a day");
        check("mon-xyz 09:00-10:00", "is not a day");
        check("mon 09:00-09:00", "never open");
    }

    #[test]
    fn a_window_is_stored_as_it_is_written() {
        let w = window("mon-wed 22:00-02:00", "Asia/Ho_Chi_Minh");
        let json = serde_json::to_string(&w).unwrap();
        assert_eq!(json, r#"{"hours":"mon,tue,wed 22:00-02:00","zone":"Asia/Ho_Chi_Minh"}"#);
        assert_eq!(serde_json::from_str::<SendWindow>(&json).unwrap(), w);
    }

    proptest! {
        #[test]
        fn between_its_borders_a_window_does_not_change(
            day in 0_i64..800, minute in 0_i64..1440, from in 0_u16..1440, length in 1_u16..1440,
            days in 1_u8..128, zone in 0_usize..4,
        ) {
            let zone = ["Europe/Paris", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh", "America/New_York"][zone];
            let to = match (from + length) % 1440 { 0 => 1440, to => to };
            let days = std::array::from_fn(|i| days >> i & 1 == 1);
            let w = SendWindow { days, from, to, zone: Zone::parse(zone).unwrap() };
            let t = Timestamp(1_795_219_200_000 + day * 86_400_000 + minute * 60_000);
            let opens = w.next_open(t).unwrap();
            prop_assert!(w.contains(opens));
            let mut at = t;
            while at < opens {
                prop_assert!(!w.contains(at), "open at {} before {}", at, opens);
                at = at.plus_ms(15 * 60_000);
            }
            if let Some(closes) = w.closes_after(opens) {
                prop_assert!(!w.contains(closes));
                let mut at = opens;
                while at < closes {
                    prop_assert!(w.contains(at), "closed at {} before {}", at, closes);
                    at = at.plus_ms(15 * 60_000);
                }
            }
        }
    }
}
