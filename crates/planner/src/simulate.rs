//! Plays the campaign forward: from one instant at which something changes to the next, every account sends what
//! its limits let through, as if message by message.
//!
//! Between two such instants rates and quotas are constant, so what is sent is arithmetic. Sending as early as
//! possible is best for every window that this program knows: whoever has sent more by some time has never less
//! left to send later than the window allows, which is why more quota never ends later.

use crate::account::{AccountState, NANO, Sent, Standing};
use crate::input::{Error, PlanInput};
use postroad_model::plan::{Cohort, Sending};
use postroad_model::{MailboxProvider, Timestamp};

/// Nothing is foreseen beyond this many days after the start.
const HORIZON_DAYS: i64 = 366;

/// What came of it.
pub(crate) struct Simulated {
    /// In order of time; none after the expiry.
    pub(crate) sendings: Vec<Sending>,
    /// The last message, expiry or not; `None` when the horizon comes first.
    pub(crate) ends_at: Option<Timestamp>,
    /// Not sent by the horizon.
    pub(crate) left: i64,
    /// Not sent by the expiry; `None` when it ended before or there is none.
    pub(crate) left_at_expiry: Option<i64>,
}

struct Simulation<'i> {
    input: &'i PlanInput,
    accounts: Vec<AccountState<'i>>,
    waiting: Vec<Demand>,
    horizon: Timestamp,
    /// The send window is open until then, once that was asked.
    open_until: Option<Timestamp>,
    out: Simulated,
}

pub(crate) fn simulate(input: &PlanInput) -> Result<Simulated, Error> {
    let mut simulation = Simulation {
        input,
        accounts: input.accounts.iter().map(|a| AccountState::new(input, a)).collect(),
        waiting: input.cohorts.iter().map(Demand::new).collect(),
        horizon: input.begin().plus_ms(HORIZON_DAYS * 86_400_000),
        open_until: None,
        out: Simulated { sendings: Vec::new(), ends_at: None, left: 0, left_at_expiry: None },
    };
    simulation.run()?;
    Ok(simulation.out)
}

impl Simulation<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let mut t = self.input.begin();
        let mut ends_at = t;
        while self.left() > 0 && t < self.horizon {
            if self.out.left_at_expiry.is_none() && self.input.expires_at.is_some_and(|e| t >= e) {
                self.out.left_at_expiry = Some(self.left());
            }
            let Some(open) = self.opening(t) else { break };
            if open > t {
                // Not beyond the expiry in one step: what is left then must be seen.
                t = self.input.expires_at.filter(|e| *e > t).map_or(open, |e| open.min(e));
                continue;
            }
            for account in &mut self.accounts {
                account.look(self.input, t)?;
            }
            let border = self.next_border(t);
            if let Some(end) = self.send_until(t, border)? {
                ends_at = end;
            }
            t = border;
        }
        self.out.left = self.left();
        self.out.ends_at = (self.out.left == 0).then_some(ends_at);
        if self.out.left > 0 && self.input.expires_at.is_some() && self.out.left_at_expiry.is_none()
        {
            self.out.left_at_expiry = Some(self.out.left);
        }
        Ok(())
    }

    fn left(&self) -> i64 {
        self.waiting.iter().map(|d| d.waiting).sum()
    }

    /// `t` while the send window is open, otherwise its next opening.
    fn opening(&mut self, t: Timestamp) -> Option<Timestamp> {
        let Some(window) = &self.input.window else { return Some(t) };
        if self.open_until.is_some_and(|until| t < until) {
            return Some(t);
        }
        let open = window.next_open(t)?;
        self.open_until = Some(window.closes_after(open).unwrap_or(self.horizon));
        Some(open)
    }

    /// The next instant at which a quota, the window, a brake or the expiry changes anything.
    fn next_border(&self, t: Timestamp) -> Timestamp {
        let accounts = self.accounts.iter().filter(|a| a.rate > 0).map(|a| match a.standing {
            Standing::Open { border, .. } => border,
            Standing::Shut { until } => until,
        });
        let brakes = self.input.brakes.iter().filter_map(|b| b.until);
        accounts
            .chain(brakes)
            .chain(self.input.window.as_ref().and(self.open_until))
            .chain(self.input.expires_at)
            .filter(|b| *b > t)
            .min()
            .map_or(self.horizon, |b| b.min(self.horizon))
    }

    /// Sends from `t` to `border`; says when the last of it went, if anything did.
    fn send_until(&mut self, t: Timestamp, border: Timestamp) -> Result<Option<Timestamp>, Error> {
        for demand in &mut self.waiting {
            demand.rate = self.input.provider_rate(demand.provider, t);
        }
        let all = border.since_ms(t);
        let total = self.amount(all);
        // As much is sent earlier if an account or the audience runs dry before the border.
        let ms = first_ms(all, |ms| self.amount(ms) >= total);
        let offers: Vec<i64> = self.accounts.iter().map(|a| a.supply(ms)).collect();
        let shown = self.input.expires_at.is_none_or(|e| t < e);
        for (account, n) in self.accounts.iter_mut().zip(split(total, &offers)) {
            let Sent { took, shares } = account.send(self.input, t, all, n)?;
            for (relay, count) in shares.into_iter().filter(|(_, n)| *n > 0 && shown) {
                let until = t.plus_ms(took);
                self.out.sendings.push(Sending { relay: relay.to_owned(), from: t, until, count });
            }
        }
        let offers: Vec<i64> = self.waiting.iter().map(|d| d.within(ms)).collect();
        for (demand, n) in self.waiting.iter_mut().zip(split(total, &offers)) {
            demand.take(all, n);
        }
        Ok((total > 0).then(|| t.plus_ms(ms)))
    }

    /// What is sent within `ms`: what the accounts let through or what may be sent, whichever is less.
    fn amount(&self, ms: i64) -> i64 {
        let demand = self.waiting.iter().map(|d| d.within(ms)).sum();
        self.supply(ms).min(demand)
    }

    fn supply(&self, ms: i64) -> i64 {
        self.accounts.iter().fold(0, |sum: i64, a| sum.saturating_add(a.supply(ms)))
    }
}

/// Recipients of one mailbox provider that are not sent to yet.
struct Demand {
    provider: MailboxProvider,
    waiting: i64,
    /// In millionths of a message a second, for the stretch being looked at; `None`: no bound.
    rate: Option<i64>,
    /// Part of a message that earlier stretches had time for, in billionths.
    credit: i128,
}

impl Demand {
    fn new(cohort: &Cohort) -> Self {
        Self { provider: cohort.provider, waiting: cohort.count, rate: None, credit: 0 }
    }

    fn within(&self, ms: i64) -> i64 {
        let Some(rate) = self.rate else { return self.waiting };
        let n = (i128::from(rate) * i128::from(ms) + self.credit) / NANO;
        i64::try_from(n).unwrap_or(i64::MAX).min(self.waiting)
    }

    fn take(&mut self, ms: i64, n: i64) {
        self.waiting -= n;
        let time = i128::from(self.rate.unwrap_or(0)) * i128::from(ms) + self.credit;
        self.credit = (time - i128::from(n) * NANO).clamp(0, NANO - 1);
    }
}

/// The least `ms` in `1..=most` that is enough; `most` is, and what is enough stays enough.
fn first_ms(most: i64, enough: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// Shares `total` out in proportion to the offers, none above its own; the first get what rounding leaves.
fn split(total: i64, offers: &[i64]) -> Vec<i64> {
    let all: i128 = offers.iter().map(|n| i128::from(*n)).sum::<i128>().max(1);
    let mut shares: Vec<i64> = offers
        .iter()
        .map(|n| i64::try_from(i128::from(total) * i128::from(*n) / all).unwrap_or(0))
        .collect();
    let mut left = total - shares.iter().sum::<i64>();
    for (share, offer) in shares.iter_mut().zip(offers) {
        let more = left.min(offer - *share).min(1);
        *share += more;
        left -= more;
    }
    shares
}
