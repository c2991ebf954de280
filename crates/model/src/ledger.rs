//! Quota-window arithmetic: how many recipients a limit still lets through, exactly.
//!
//! One `Book` per limit row. W1 advances it to `now`, reserves, and writes it back in the same transaction
//! (design: rolling windows as a ring of sub-windows, calendar periods with their neighbours). What must hold:
//! whatever is reserved, released, counted late, marked full or reloaded with another amount, the number of
//! RCPT commands that reach the relay in any stretch of the window's length never passes the amount that was in force.
//!
//! Why `s + 2` slots: a stretch of length W overlaps `s + 1` sub-windows, and an RCPT that is written in one
//! sub-window may reach the relay in the next. An RCPT whose reply comes later still is counted again there.

use crate::Timestamp;
use crate::limit::{CalendarPeriod, Limit, Window};
use serde::{Deserialize, Serialize};

/// Reservations within this distance of a calendar period's end count in both periods: clocks differ.
pub const CALENDAR_MARGIN_MS: i64 = 60_000;

/// Why the book of a limit cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The zone is not in the compiled-in database.
    #[error("unknown time zone {0:?}")]
    UnknownZone(String),
    /// Length or amount makes no sense.
    #[error("a limit needs an amount of 0 or more and a window of 1 s or more")]
    BadLimit,
}

/// What was taken from one limit for one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Number of the sub-window (rolling) or start of the period in ms (calendar).
    pub slot: i64,
    /// No RCPT may be written on this reservation from here on.
    pub use_by: Timestamp,
    /// A calendar reservation near an end that was counted in both periods: the other one.
    pub also: Option<i64>,
}

/// The account of one limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Counts by slot, oldest first; at most `s + 2` (rolling) or 3 (calendar) entries.
    slots: Vec<(i64, i64)>,
    /// The newest slot ever seen: the book never moves back.
    head: i64,
    /// Refused by the relay: nothing until then.
    full_until: Option<Timestamp>,
    /// How many refusals in a row; 0 = not marked full.
    refusals: u32,
}

/// How many sub-windows a rolling window of this length has.
#[must_use]
pub fn sub_windows(window_ms: i64) -> i64 {
    match window_ms {
        86_400_000.. => 144,
        3_600_000.. => 60,
        600_000.. => 20,
        _ => 12,
    }
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Vec::new(), head: i64::MIN, full_until: None, refusals: 0 }
    }

    /// How many may be reserved now, and when the answer may grow if it is zero.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn free(&mut self, limit: &Limit, now: Timestamp) -> Result<Free, LedgerError> {
        self.advance(limit, now)?;
        if let Some(until) = self.full_until
            && now < until
        {
            return Ok(Free { amount: 0, frees_at: Some(until), probe: false });
        }
        let spare = match &limit.window {
            Window::Rolling { .. } => limit.amount - self.sum(),
            Window::Calendar { .. } => {
                let (slot, also) = self.calendar_slots(limit, now)?;
                let also = also.map_or(i64::MAX, |a| limit.amount - self.at(a));
                (limit.amount - self.at(slot)).min(also)
            }
        }
        .max(0);
        let probe = self.refusals > 0;
        let amount = if probe { spare.min(1) } else { spare };
        let frees_at = if amount == 0 { Some(self.frees_at(limit, now)?) } else { None };
        Ok(Free { amount, frees_at, probe })
    }

    /// At a sub-window's end a reservation would lapse at once: until then nothing is worth reserving.
    #[must_use]
    pub fn closed_until(&self, limit: &Limit, now: Timestamp) -> Option<Timestamp> {
        match &limit.window {
            Window::Rolling { ms } => {
                let sub = sub_ms(*ms);
                let end = (self.head.max(now.0.div_euclid(sub)) + 1) * sub;
                (now.0 >= end - guard(sub)).then_some(Timestamp(end))
            }
            Window::Calendar { .. } => None,
        }
    }

    /// Takes `n` (at most what `free` just said). While the limit is being probed after a refusal, the next one
    /// must wait for this one's answer.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn reserve(
        &mut self,
        limit: &Limit,
        now: Timestamp,
        n: i64,
    ) -> Result<Reservation, LedgerError> {
        self.advance(limit, now)?;
        let reservation = match &limit.window {
            Window::Rolling { ms } => {
                let sub = sub_ms(*ms);
                let end = (self.head + 1) * sub;
                Reservation { slot: self.head, use_by: Timestamp(end - guard(sub)), also: None }
            }
            Window::Calendar { .. } => {
                let (slot, also) = self.calendar_slots(limit, now)?;
                let end = period_after(limit, slot)?;
                let use_by = if also.is_some_and(|a| a > slot) {
                    end + CALENDAR_MARGIN_MS
                } else {
                    end - CALENDAR_MARGIN_MS
                };
                Reservation { slot, use_by: Timestamp(use_by), also }
            }
        };
        self.add(reservation.slot, n);
        if let Some(also) = reservation.also {
            self.add(also, n);
        }
        if self.refusals > 0 {
            self.full_until = Some(now.plus_ms(PROBE_WAIT_MS));
        }
        Ok(reservation)
    }

    /// Gives back `n` of a reservation. Only for what was certainly never written as RCPT.
    pub fn release(&mut self, reservation: &Reservation, n: i64) {
        for slot in [Some(reservation.slot), reservation.also].into_iter().flatten() {
            if let Some(entry) = self.slots.iter_mut().find(|(s, _)| *s == slot) {
                entry.1 = (entry.1 - n).max(0);
            }
        }
    }

    /// Counts `n` RCPTs of a reservation again in every slot after its own up to the one of `replied_at`: the
    /// relay may have counted them there.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn count_late(
        &mut self,
        limit: &Limit,
        reservation: &Reservation,
        replied_at: Timestamp,
        n: i64,
    ) -> Result<(), LedgerError> {
        self.advance(limit, replied_at)?;
        let first = reservation.also.unwrap_or(reservation.slot).max(reservation.slot);
        match &limit.window {
            Window::Rolling { ms } => {
                let last = replied_at.0.div_euclid(sub_ms(*ms));
                let oldest = self.head - sub_windows(*ms) - 1;
                for slot in (first + 1).max(oldest)..=last {
                    self.add(slot, n);
                }
            }
            Window::Calendar { .. } => {
                let slot = period_start(limit, replied_at)?;
                if slot > first {
                    self.add(slot, n);
                }
            }
        }
        Ok(())
    }

    /// The relay said that this limit is used up: nothing until the next sub-window frees (at least an hour for
    /// windows of a day and more), then one probe; each further refusal doubles the wait up to the window.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn mark_full(&mut self, limit: &Limit, now: Timestamp) -> Result<Timestamp, LedgerError> {
        self.advance(limit, now)?;
        let (base, longest) = match &limit.window {
            Window::Rolling { ms } => {
                let sub = sub_ms(*ms);
                let next = (now.0.div_euclid(sub) + 1) * sub - now.0;
                let least = if *ms >= 86_400_000 { 3_600_000 } else { 0 };
                (next.max(least), *ms)
            }
            Window::Calendar { .. } => {
                let left = period_after(limit, period_start(limit, now)?)? - now.0;
                (3_600_000.min(left + CALENDAR_MARGIN_MS), left + CALENDAR_MARGIN_MS)
            }
        };
        let doubled = base.saturating_mul(1_i64 << self.refusals.min(20));
        let until = now.plus_ms(doubled.min(longest).max(1));
        self.full_until = Some(self.full_until.map_or(until, |u| u.max(until)));
        self.refusals += 1;
        Ok(until)
    }

    /// A probe was taken: the limit is open again.
    pub fn clear_full(&mut self) {
        self.full_until = None;
        self.refusals = 0;
    }

    /// How much of the window is used at `now`, for reports.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn used(&mut self, limit: &Limit, now: Timestamp) -> Result<i64, LedgerError> {
        self.advance(limit, now)?;
        Ok(match &limit.window {
            Window::Rolling { .. } => self.sum(),
            Window::Calendar { .. } => self.at(period_start(limit, now)?),
        })
    }

    /// What is counted, with the time from which it no longer binds: the planner's view.
    ///
    /// # Errors
    /// `LedgerError` when the limit itself is unusable.
    pub fn usage(
        &mut self,
        limit: &Limit,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, i64)>, LedgerError> {
        self.advance(limit, now)?;
        self.slots
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(slot, n)| Ok((slot_frees(limit, *slot)?, *n)))
            .collect()
    }

    /// Until when the relay's refusal holds, if it does at `now`.
    #[must_use]
    pub fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.full_until.filter(|t| *t > now)
    }

    fn sum(&self) -> i64 {
        self.slots.iter().map(|(_, n)| n).sum()
    }

    fn at(&self, slot: i64) -> i64 {
        self.slots.iter().find(|(s, _)| *s == slot).map_or(0, |(_, n)| *n)
    }

    fn add(&mut self, slot: i64, n: i64) {
        match self.slots.iter_mut().find(|(s, _)| *s == slot) {
            Some(entry) => entry.1 += n,
            None => {
                let at = self.slots.partition_point(|(s, _)| *s < slot);
                self.slots.insert(at, (slot, n));
            }
        }
    }

    /// Moves the head to `now` (never back) and drops what no stretch ending later can overlap.
    fn advance(&mut self, limit: &Limit, now: Timestamp) -> Result<(), LedgerError> {
        match &limit.window {
            Window::Rolling { ms } => {
                if *ms < 1_000 || limit.amount < 0 {
                    return Err(LedgerError::BadLimit);
                }
                self.head = self.head.max(now.0.div_euclid(sub_ms(*ms)));
                let oldest = self.head - sub_windows(*ms) - 1;
                self.slots.retain(|(slot, n)| *slot >= oldest && *n > 0);
            }
            Window::Calendar { .. } => {
                self.head = self.head.max(period_start(limit, now)?);
                let previous = period_before(limit, self.head)?;
                self.slots.retain(|(slot, n)| *slot >= previous && *n > 0);
            }
        }
        Ok(())
    }

    /// The period to count in, and the neighbour when `now` is within the margin of an end.
    fn calendar_slots(
        &self,
        limit: &Limit,
        now: Timestamp,
    ) -> Result<(i64, Option<i64>), LedgerError> {
        let slot = self.head;
        let next = period_after(limit, slot)?;
        if next - now.0 <= CALENDAR_MARGIN_MS {
            Ok((slot, Some(next)))
        } else if now.0 - slot < CALENDAR_MARGIN_MS {
            Ok((slot, Some(period_before(limit, slot)?)))
        } else {
            Ok((slot, None))
        }
    }

    fn frees_at(&self, limit: &Limit, now: Timestamp) -> Result<Timestamp, LedgerError> {
        match &limit.window {
            Window::Rolling { .. } => {
                let mut over = self.sum() - limit.amount + 1;
                for (slot, n) in &self.slots {
                    over -= n;
                    if over <= 0 {
                        return slot_frees(limit, *slot);
                    }
                }
                // An amount of zero never frees; ask again in a window's time.
                Ok(now.plus_ms(window_ms(limit)))
            }
            Window::Calendar { .. } => {
                let end = period_after(limit, self.head)?;
                let inside =
                    now.0 - self.head < CALENDAR_MARGIN_MS && self.at(self.head) < limit.amount;
                let at = if inside { self.head } else { end };
                Ok(Timestamp(at + CALENDAR_MARGIN_MS))
            }
        }
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

/// The answer of [`Book::free`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// How many may be reserved.
    pub amount: i64,
    /// When it is worth asking again; set when the amount is zero.
    pub frees_at: Option<Timestamp>,
    /// True when the relay refused last time: what is sent now is a probe.
    pub probe: bool,
}

/// A probe's answer is awaited this long before another probe may go: longer than the final dot's ten minutes
/// would starve the lane, so a lost probe costs one wait.
const PROBE_WAIT_MS: i64 = 60_000;

fn window_ms(limit: &Limit) -> i64 {
    match &limit.window {
        Window::Rolling { ms } => *ms,
        Window::Calendar { .. } => 86_400_000,
    }
}

/// Length of one sub-window, rounded up so that `s` of them cover the window.
#[must_use]
pub fn sub_ms(window_ms: i64) -> i64 {
    let s = sub_windows(window_ms);
    (window_ms + s - 1) / s
}

/// `g`: how long before the end of its sub-window a reservation lapses.
fn guard(sub_ms: i64) -> i64 {
    60_000.min(sub_ms / 10)
}

/// When nothing in `slot` binds any more.
fn slot_frees(limit: &Limit, slot: i64) -> Result<Timestamp, LedgerError> {
    match &limit.window {
        Window::Rolling { ms } => Ok(Timestamp((slot + sub_windows(*ms) + 2) * sub_ms(*ms))),
        Window::Calendar { .. } => Ok(Timestamp(period_after(limit, slot)? + CALENDAR_MARGIN_MS)),
    }
}

fn zoned(limit: &Limit, t: Timestamp) -> Result<(jiff::Zoned, CalendarPeriod), LedgerError> {
    match &limit.window {
        Window::Calendar { period, zone } => {
            let tz = jiff::tz::TimeZone::get(zone)
                .map_err(|_| LedgerError::UnknownZone(zone.clone()))?;
            Ok((t.to_jiff().to_zoned(tz), *period))
        }
        Window::Rolling { .. } => Err(LedgerError::BadLimit),
    }
}

/// First instant of the period that holds `t`.
pub(crate) fn period_start(limit: &Limit, t: Timestamp) -> Result<i64, LedgerError> {
    let (z, period) = zoned(limit, t)?;
    let date = match period {
        CalendarPeriod::Day => z.date(),
        CalendarPeriod::Month => z.date().first_of_month(),
    };
    start_of(date, &z)
}

fn period_after(limit: &Limit, start: i64) -> Result<i64, LedgerError> {
    neighbour(limit, start, 1)
}

fn period_before(limit: &Limit, start: i64) -> Result<i64, LedgerError> {
    neighbour(limit, start, -1)
}

fn neighbour(limit: &Limit, start: i64, by: i64) -> Result<i64, LedgerError> {
    let (z, period) = zoned(limit, Timestamp(start))?;
    let span = match period {
        CalendarPeriod::Day => jiff::Span::new().days(by),
        CalendarPeriod::Month => jiff::Span::new().months(by),
    };
    start_of(z.date().saturating_add(span), &z)
}

fn start_of(date: jiff::civil::Date, z: &jiff::Zoned) -> Result<i64, LedgerError> {
    date.to_zoned(z.time_zone().clone())
        .and_then(|d| d.start_of_day())
        .map(|d| d.timestamp().as_millisecond())
        .map_err(|_| LedgerError::BadLimit)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
