//! One account in the simulation: its limits' books, moved along as if the engine sent.
//!
//! The books are the ledger's own (`model::ledger`), so the forecast frees what the engine will find free, slot by
//! slot, with the margins at their ends.

use crate::input::{Account, Error, PlanInput, PlanRelay};
use postroad_model::Timestamp;
use postroad_model::ledger::{Book, Reservation, sub_ms};
use postroad_model::limit::{Keeper, Limit, Window};

/// What an account can do from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Up to `quota` until `border`, when it must be asked again.
    Open { quota: i64, border: Timestamp },
    /// Nothing before.
    Shut { until: Timestamp },
}

/// What an account sent in a stretch.
pub(crate) struct Sent<'i> {
    /// How long it took, in milliseconds.
    pub(crate) took: i64,
    /// Each member's part.
    pub(crate) shares: Vec<(&'i str, i64)>,
}

#[derive(Debug)]
pub(crate) struct AccountState<'i> {
    name: &'i str,
    limits: Vec<(&'i Limit, Book)>,
    pace: Option<i64>,
    members: Vec<&'i PlanRelay>,
    /// Rate in millionths of a message a second, for the stretch being looked at.
    pub(crate) rate: i64,
    pub(crate) standing: Standing,
    /// Part of a message that the last stretch had time for, in billionths.
    credit: i128,
    /// Sent since the beginning, shared out over the members by their rates.
    sent: Vec<i64>,
}

/// Billionths of a message: millionths a second times milliseconds.
pub(crate) const NANO: i128 = 1_000_000_000;

/// Without a limit.
const UNBOUNDED: i64 = i64::MAX;

impl<'i> AccountState<'i> {
    pub(crate) fn new(input: &'i PlanInput, account: &'i Account) -> Self {
        let members: Vec<_> = input.relays.iter().filter(|r| r.account == account.name).collect();
        let ledger = account.limits.iter().filter(|(l, _)| l.keeper == Keeper::Ledger);
        Self {
            name: &account.name,
            limits: ledger.map(|(limit, book)| (limit, book.clone())).collect(),
            pace: account.pace(),
            rate: 0,
            standing: Standing::Shut { until: Timestamp(i64::MIN) },
            credit: 0,
            sent: vec![0; members.len()],
            members,
        }
    }

    /// Brings rate and standing up to `t`.
    pub(crate) fn look(&mut self, input: &PlanInput, t: Timestamp) -> Result<(), Error> {
        let rate: i64 = self.members.iter().map(|r| input.relay_rate(r, t)).sum();
        self.rate = self.pace.map_or(rate, |pace| rate.min(pace));
        let (Standing::Open { border: until, .. } | Standing::Shut { until }) = self.standing;
        if self.rate > 0 && until <= t {
            self.standing = self.ask(t)?;
        }
        Ok(())
    }

    /// How many it sends in `ms` from the instant of the last look.
    pub(crate) fn supply(&self, ms: i64) -> i64 {
        match self.standing {
            Standing::Open { quota, .. } => {
                let n = (i128::from(self.rate) * i128::from(ms) + self.credit) / NANO;
                i64::try_from(n).unwrap_or(i64::MAX).min(quota)
            }
            Standing::Shut { .. } => 0,
        }
    }

    /// Sends `n` in a stretch of `ms` from `t`.
    pub(crate) fn send(
        &mut self,
        input: &PlanInput,
        t: Timestamp,
        ms: i64,
        n: i64,
    ) -> Result<Sent<'i>, Error> {
        let Standing::Open { quota, .. } = &mut self.standing else {
            return Ok(Sent { took: ms, shares: Vec::new() });
        };
        let rate = i128::from(self.rate.max(1));
        let needed = i128::from(n) * NANO - self.credit;
        let took = i64::try_from((needed + rate - 1) / rate).unwrap_or(ms).clamp(1, ms);
        if *quota != UNBOUNDED {
            *quota -= n;
        }
        // Time that the quota or the audience left unused cannot be saved up, the part of a message can.
        let spare = i128::from(self.rate) * i128::from(ms) - needed;
        self.credit = if *quota == 0 { 0 } else { spare.clamp(0, NANO - 1) };
        if n == 0 {
            return Ok(Sent { took, shares: Vec::new() });
        }
        for i in 0..self.limits.len() {
            self.reserve(i, t, n)?;
        }
        Ok(Sent { took, shares: self.share(input, t, n) })
    }

    fn ask(&mut self, t: Timestamp) -> Result<Standing, Error> {
        let (mut quota, mut border) = (UNBOUNDED, Timestamp(i64::MAX));
        let mut shut: Option<Timestamp> = None;
        for i in 0..self.limits.len() {
            let (limit, book) = &mut self.limits[i];
            let free = match book.free(limit, t) {
                // The forecast takes it that the probe is accepted.
                Ok(free) if free.probe && free.amount > 0 => {
                    book.clear_full();
                    book.free(limit, t)
                }
                other => other,
            };
            let free = free.map_err(|source| self.failed(i, source))?;
            quota = quota.min(free.amount);
            if let Some(frees_at) = free.frees_at {
                shut = shut.max(Some(frees_at));
                continue;
            }
            let use_by = self.reserve(i, t, 0)?.use_by;
            border = border.min(use_by);
            if use_by <= t {
                shut = shut.max(Some(slot_end(self.limits[i].0, t)));
            }
        }
        Ok(match shut {
            Some(until) => Standing::Shut { until: until.max(t.plus_ms(1)) },
            None => Standing::Open { quota, border },
        })
    }

    fn reserve(&mut self, i: usize, t: Timestamp, n: i64) -> Result<Reservation, Error> {
        let (limit, book) = &mut self.limits[i];
        book.reserve(limit, t, n).map_err(|source| self.failed(i, source))
    }

    fn failed(&self, i: usize, source: postroad_model::ledger::LedgerError) -> Error {
        Error::Limit { account: self.name.to_owned(), limit: self.limits[i].0.name.clone(), source }
    }

    /// Each member takes what keeps its total nearest to its rate's share.
    fn share(&mut self, input: &PlanInput, t: Timestamp, n: i64) -> Vec<(&'i str, i64)> {
        let rates: Vec<i128> =
            self.members.iter().map(|r| i128::from(input.relay_rate(r, t))).collect();
        let all: i128 = rates.iter().sum::<i128>().max(1);
        let mut shares: Vec<i64> =
            rates.iter().map(|r| i64::try_from(i128::from(n) * r / all).unwrap_or(0)).collect();
        let mut left = n - shares.iter().sum::<i64>();
        while left > 0 {
            // The member that is furthest behind its share; the first of them where they are level.
            let behind = |i: &usize| (i128::from(self.sent[*i] + shares[*i]) * all) / rates[*i];
            let Some(next) = (0..shares.len()).filter(|i| rates[*i] > 0).min_by_key(behind) else {
                break;
            };
            shares[next] += 1;
            left -= 1;
        }
        for (sent, share) in self.sent.iter_mut().zip(&shares) {
            *sent += share;
        }
        self.members.iter().zip(shares).map(|(r, n)| (r.name.as_str(), n)).collect()
    }
}

/// The end of the sub-window that holds `t`; a calendar period has no stretch in which nothing may be reserved.
fn slot_end(limit: &Limit, t: Timestamp) -> Timestamp {
    match &limit.window {
        Window::Rolling { ms } => {
            let sub = sub_ms(*ms);
            Timestamp((t.0.div_euclid(sub) + 1) * sub)
        }
        Window::Calendar { .. } => t.plus_ms(1),
    }
}
