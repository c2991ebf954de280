//! `SimClock`: time that moves only when the test says so.
//!
//! Clones share one time, so that a test holds one end and the component under test the other. As `Clock` demands,
//! it never goes back: a test that tries is wrong and panics.

use postroad_model::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    /// A clock that shows this many milliseconds since 1970.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// A clock that shows an RFC 3339 time, e.g. `2026-11-30T08:00:00Z`.
    ///
    /// # Panics
    /// When the text is no such time.
    #[must_use]
    pub fn at(rfc3339: &str) -> Self {
        Self::new(time(rfc3339))
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Moves forward to a time.
    ///
    /// # Panics
    /// When that is earlier than now.
    pub fn set(&self, to: Timestamp) {
        let before = self.0.fetch_max(to.0, Ordering::SeqCst);
        assert!(before <= to.0, "a clock never goes back: {} after {}", to, Timestamp(before));
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The timestamp of an RFC 3339 text.
///
/// # Panics
/// When the text is no such time.
#[must_use]
pub fn time(rfc3339: &str) -> Timestamp {
    // Read by hand: a time-zone crate here would only serve this one line.
    parse(rfc3339).unwrap_or_else(|| panic!("{rfc3339:?} is not like 2026-11-30T08:00:00Z"))
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|n| n.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, ms) = match clock.split_once('.') {
        Some((clock, fraction)) if fraction.len() == 3 => (clock, fraction.parse::<i64>().ok()?),
        Some(_) => return None,
        None => (clock, 0),
    };
    let mut clock = clock.splitn(3, ':').map(|n| n.parse::<i64>().ok());
    let (h, m, s) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&h)
        && (0..60).contains(&m)
        && (0..60).contains(&s);
    in_range.then(|| Timestamp((((days(year, month, day) * 24 + h) * 60 + m) * 60 + s) * 1000 + ms))
}

/// Days since 1970-01-01 of a Gregorian date: years counted from March, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_the_timestamps_that_print_as_them() {
        let check = |text: &str| assert_eq!(time(text).rfc3339(), text);
        check("1970-01-01T00:00:00.000Z");
        check("2024-02-29T23:59:59.999Z");
        check("2026-11-30T08:00:00.000Z");
        assert_eq!(parse("2026-13-01T00:00:00Z"), None);
        assert_eq!(parse("2026-11-30 08:00"), None);
    }

    #[test]
    fn clones_share_one_time() {
        let clock = SimClock::at("2026-11-30T08:00:00Z");
        let other = clock.clone();
        clock.advance(Duration::from_secs(60));
        assert_eq!(other.now(), time("2026-11-30T08:01:00Z"));
    }

    #[test]
    #[should_panic(expected = "a clock never goes back")]
    fn a_clock_never_goes_back() {
        SimClock::new(Timestamp(5)).set(Timestamp(4));
    }
}
