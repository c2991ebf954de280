//! Holds a plan against its input and says what it breaks.
//!
//! The oracle of the property tests, and run by `campaign` before a plan is stored. It counts on its own: nothing
//! of the simulation is used, only the usage that the books show.

use crate::input::{Account, BrakeForce, PlanInput};
use postroad_model::ledger::CALENDAR_MARGIN_MS;
use postroad_model::limit::{CalendarPeriod, Keeper, Limit, Window};
use postroad_model::plan::{Outlook, Plan, Sending};
use postroad_model::when::Zone;
use postroad_model::{MailboxProvider, Timestamp};
use std::collections::BTreeMap;

/// A promise that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The slices of a mailbox provider do not count its recipients once each.
    #[error("{planned} recipients of {provider} are planned, there are {people}")]
    Slices {
        /// The provider.
        provider: MailboxProvider,
        /// In slices.
        planned: i64,
        /// In the cohort.
        people: i64,
    },
    /// What is sent and what is left do not add up.
    #[error("{accounted} recipients are forecast as sent or left, there are {people}")]
    Sum {
        /// Sent and left.
        accounted: i64,
        /// All.
        people: i64,
    },
    /// More in a window than its limit allows.
    #[error(
        "{count} within the window of limit {limit} of {account} around {at}, {amount} are allowed"
    )]
    Limit {
        /// The scope.
        account: String,
        /// The limit's name.
        limit: String,
        /// When.
        at: Timestamp,
        /// How many.
        count: i64,
        /// How many may be.
        amount: i64,
    },
    /// Sent while the relay's refusal of a limit still holds.
    #[error("{account} sends at {at} although its limit {limit} is marked full")]
    Full {
        /// The scope.
        account: String,
        /// The limit's name.
        limit: String,
        /// When.
        at: Timestamp,
    },
    /// Before the start, after the expiry, or outside the send window.
    #[error("{what} at {at}: outside the campaign's time")]
    Time {
        /// A relay or a slice.
        what: String,
        /// When.
        at: Timestamp,
    },
    /// Sent through a relay that is stopped.
    #[error("{relay} sends at {at} although a brake stops it")]
    Stopped {
        /// The relay.
        relay: String,
        /// When.
        at: Timestamp,
    },
    /// Later than the forecast's end.
    #[error("{relay} sends until {at}, after the forecast's end")]
    End {
        /// The relay.
        relay: String,
        /// Until when.
        at: Timestamp,
    },
}

/// What the plan breaks; nothing when it is sound.
#[must_use]
pub fn check(plan: &Plan, input: &PlanInput) -> Vec<Violation> {
    let mut found = Vec::new();
    check_counts(plan, input, &mut found);
    check_times(plan, input, &mut found);
    for account in &input.accounts {
        let member = |s: &&Sending| {
            input.relays.iter().any(|r| r.name == s.relay && r.account == account.name)
        };
        let mut sendings: Vec<&Sending> = plan.sendings.iter().filter(member).collect();
        sendings.sort_by_key(|s| (s.from, s.until));
        check_limits(account, input, &sendings, &mut found);
    }
    found
}

fn check_counts(plan: &Plan, input: &PlanInput, found: &mut Vec<Violation>) {
    let mut counts: BTreeMap<MailboxProvider, (i64, i64)> = BTreeMap::new();
    for cohort in &input.cohorts {
        counts.entry(cohort.provider).or_default().1 += cohort.count;
    }
    for slice in &plan.slices {
        counts.entry(slice.provider).or_default().0 += slice.count;
    }
    for (provider, (planned, people)) in counts {
        if planned != people {
            found.push(Violation::Slices { provider, planned, people });
        }
    }
    let left = match plan.forecast.outlook {
        Outlook::Ends { .. } => 0,
        Outlook::Expires { left, .. } | Outlook::Never { left } => left,
    };
    let by_day = plan.forecast.relays.iter().flat_map(|r| &r.days).map(|(_, n)| n).sum::<i64>();
    let sent = plan.sendings.iter().map(|s| s.count).sum::<i64>();
    for accounted in [sent + left, by_day + left] {
        if accounted != input.people() {
            found.push(Violation::Sum { accounted, people: input.people() });
        }
    }
}

fn check_times(plan: &Plan, input: &PlanInput, found: &mut Vec<Violation>) {
    let end = match plan.forecast.outlook {
        Outlook::Ends { at } | Outlook::Expires { at, .. } => at,
        Outlook::Never { .. } => Timestamp(i64::MAX),
    };
    let inside = |from: Timestamp, until: Timestamp| {
        let open = input.window.as_ref().is_none_or(|w| {
            w.contains(from) && w.closes_after(from).is_none_or(|closes| until <= closes)
        });
        open && from >= input.begin() && input.expires_at.is_none_or(|e| until <= e)
    };
    for slice in &plan.slices {
        if slice.not_before < input.begin()
            || input.window.as_ref().is_some_and(|w| !w.contains(slice.not_before))
        {
            let what = format!("slice of {}", slice.provider);
            found.push(Violation::Time { what, at: slice.not_before });
        }
    }
    for sending in &plan.sendings {
        if sending.from >= sending.until || !inside(sending.from, sending.until) {
            found.push(Violation::Time { what: sending.relay.clone(), at: sending.from });
        }
        if sending.until > end {
            found.push(Violation::End { relay: sending.relay.clone(), at: sending.until });
        }
        let stops = |b: &&crate::Brake| {
            b.force == BrakeForce::Stop
                && b.provider.is_none()
                && b.relay.as_ref().is_none_or(|r| *r == sending.relay)
        };
        if input.brakes.iter().filter(stops).any(|b| b.holds(sending.from)) {
            found.push(Violation::Stopped { relay: sending.relay.clone(), at: sending.from });
        }
    }
}

fn check_limits(
    account: &Account,
    input: &PlanInput,
    sent: &[&Sending],
    found: &mut Vec<Violation>,
) {
    for (limit, book) in &account.limits {
        if limit.keeper == Keeper::Pacer {
            check_pace(account, limit, sent, found);
            continue;
        }
        let Ok(used) = book.clone().usage(limit, input.now) else { continue };
        if let Some(until) = book.full_until(input.now)
            && let Some(early) = sent.iter().find(|s| s.from < until)
        {
            let (account, limit) = (account.name.clone(), limit.name.clone());
            found.push(Violation::Full { account, limit, at: early.from });
        }
        let worst = match &limit.window {
            Window::Rolling { ms } => worst_rolling(*ms, &used, sent),
            Window::Calendar { period, zone } => match Zone::parse(zone) {
                Ok(zone) => worst_calendar(*period, &zone, &used, sent),
                Err(_) => continue,
            },
        };
        push_if_over(account, limit, worst, found);
    }
}

fn push_if_over(
    account: &Account,
    limit: &Limit,
    worst: Option<(i64, Timestamp)>,
    found: &mut Vec<Violation>,
) {
    if let Some((count, at)) = worst.filter(|(count, _)| *count > limit.amount) {
        let (account, name) = (account.name.clone(), limit.name.clone());
        found.push(Violation::Limit { account, limit: name, at, count, amount: limit.amount });
    }
}

/// The most that any stretch of the window's length may hold: of each sending, what earlier ones a stretch that
/// touches it can touch too, and what was used before and still binds.
fn worst_rolling(
    window: i64,
    used: &[(Timestamp, i64)],
    sent: &[&Sending],
) -> Option<(i64, Timestamp)> {
    let mut worst = None;
    let (mut first, mut sum) = (0, 0);
    for (i, sending) in sent.iter().enumerate() {
        sum += sending.count;
        while first < i && sent[first].until.0 <= sending.from.0 - window {
            sum -= sent[first].count;
            first += 1;
        }
        let before: i64 =
            used.iter().filter(|(frees, _)| *frees > sending.from).map(|(_, n)| n).sum();
        worst = worst.max(Some((sum + before, sending.from)));
    }
    worst
}

/// The most in any period. A sending over a period's end counts in both.
fn worst_calendar(
    period: CalendarPeriod,
    zone: &Zone,
    used: &[(Timestamp, i64)],
    sent: &[&Sending],
) -> Option<(i64, Timestamp)> {
    let key = |t: Timestamp| {
        let mut date = zone.date(t);
        if period == CalendarPeriod::Month {
            date.truncate("2026-12".len());
        }
        date
    };
    let mut periods: BTreeMap<String, (i64, Option<Timestamp>)> = BTreeMap::new();
    for (frees, n) in used {
        periods.entry(key(frees.plus_ms(-CALENDAR_MARGIN_MS - 1))).or_default().0 += n;
    }
    for sending in sent {
        let mut keys = vec![key(sending.from), key(sending.until.plus_ms(-1))];
        keys.dedup();
        for key in keys {
            let entry = periods.entry(key).or_default();
            *entry = (entry.0 + sending.count, Some(sending.from));
        }
    }
    // What was used before the plan is not the plan's doing.
    periods.into_values().filter_map(|(n, at)| Some((n, at?))).max()
}

/// A sending's own pace: no more than the limit for each window that it touches.
fn check_pace(account: &Account, limit: &Limit, sent: &[&Sending], found: &mut Vec<Violation>) {
    let Window::Rolling { ms } = limit.window else { return };
    let allowed =
        |s: &Sending| (s.until.since_ms(s.from) / ms.max(1) + 1).saturating_mul(limit.amount);
    if let Some(fast) = sent.iter().find(|s| s.count > allowed(s)) {
        push_if_over(account, limit, Some((fast.count, fast.from)), found);
    }
}
