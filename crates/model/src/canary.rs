//! The canary, and the brake by placement: what follows from where seeds' copies landed, as pure decisions.
//!
//! `campaign` calls it. A campaign with a canary starts with a rank limit: its seeds and a random share of its audience go
//! first. [`Canary::judge`] then says whether it waits on, goes on, or is held for its operator. While it runs,
//! [`placement_brake`] looks at each relay x mailbox provider.
//!
//! What must always hold: nothing goes on beyond the share without a verdict that says so; a verdict against going on has a
//! reason that an operator understands; where nothing could be found out, that is never taken for good. Not done here: rows,
//! states and who is told.

use crate::placement::{InboxRate, Placement, PlacementCounts, WILSON_Z, wilson_ends};
use crate::{MailboxProvider, RelayId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// With so many copies the interval's lower end is held against `min_inbox`: sixteen of sixteen is the first number whose
/// interval (81 to 100 %) shows 80 %.
const SURE_FROM: u32 = 16;
/// With so many the observed rate is; with fewer seeds there is nothing to go by.
const SOME_FROM: u32 = 4;
/// At least so many seeds go with a canary, where there are as many: the alerts on a low inbox rate speak from twenty copies on, and
/// a campaign that is held must raise them.
const FIRST_SEEDS: u32 = 20;
/// Besides all copies of a relay and provider, so many of the latest are judged alone: a filter changes its mind on the way.
const LATEST: usize = 8;
/// One-sided 80 % point of the normal distribution, for the brake.
const BRAKE_Z: f64 = 0.841_621_233_572_914;
/// Rounding must not tell 12 of 15 from 80 %.
const EPSILON: f64 = 1e-9;

/// `canary = { share = "1%", wait = "30m", min_inbox = 0.8 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// The share of the audience that goes first, 0 to [`Canary::MAX_SHARE`].
    pub share: f64,
    /// How long after the last seed was taken by its relay the copies are looked for.
    pub wait: Duration,
    /// The inbox rate that lets it go on, 0 to 1.
    pub min_inbox: f64,
}

/// A seed's row as the canary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanarySeed {
    /// Where its copy is.
    pub placement: Placement,
    /// When its relay took it.
    pub accepted_at: Option<Timestamp>,
    /// How often its mailbox was looked into for it.
    pub looks: i64,
    /// Whether it may still be sent.
    pub row: SeedRow,
}

impl CanarySeed {
    /// It may still be sent, found, or looked for: a login that failed may work the next time.
    fn may_yet_tell(&self) -> bool {
        let open = matches!(self.placement, Placement::Pending | Placement::Unknown);
        self.row == SeedRow::Open || open
    }

    /// Where it is when nobody waits any more: what was looked for and not found is not there; what nobody looked for may be
    /// anywhere.
    fn in_the_end(&self) -> Placement {
        match (self.placement, self.looks) {
            (Placement::Pending, 0) => Placement::Unknown,
            (Placement::Pending, _) => Placement::Missing,
            (placement, _) => placement,
        }
    }
}

/// Whether a seed's row may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedRow {
    /// It waits, or is on its way.
    Open,
    /// It was taken, refused, or ended with its campaign.
    Ended,
}

/// What a canary is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryLook {
    /// When the campaign began with it.
    pub began_at: Timestamp,
    /// Whether recipients of the share are not done.
    pub share_open: bool,
    /// The seeds that it goes by.
    pub seeds: Vec<CanarySeed>,
}

/// What a look says.
#[derive(Clone, Debug, PartialEq)]
pub enum CanaryVerdict {
    /// It is too early; `until` is when the wait ends, unknown as long as no relay has taken a seed.
    Waits {
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The rate is good: the campaign goes on.
    Good {
        /// The rate.
        rate: InboxRate,
    },
    /// Too few seeds to go by: it goes on, with a warning.
    TooFew {
        /// The warning.
        why: String,
    },
    /// It is held for its operator.
    Bad {
        /// Why.
        why: String,
    },
}

/// Which of a campaign's seeds go with its canary, given by relay and provider in the order of their turns; the others follow in
/// step with the audience, so that the campaign is measured as long as it runs.
///
/// All of them where there are no more than `Canary::first` says. Else one for each relay and provider, and then, until there
/// are so many, as many as the brake needs for one relay and provider after the other, each provider through one relay before any through a
/// second; what is missing then is drawn evenly from the rest.
#[must_use]
pub fn first_seeds(copies: &[(RelayId, MailboxProvider)], canary: &Canary) -> Vec<bool> {
    let most = canary.first();
    let mut chosen = vec![copies.len() <= most; copies.len()];
    if copies.len() <= most {
        return chosen;
    }
    let mut cells: Vec<((RelayId, MailboxProvider), Vec<usize>)> = Vec::new();
    for (n, pair) in copies.iter().enumerate() {
        match cells.iter_mut().find(|(known, _)| known == pair) {
            Some((_, members)) => members.push(n),
            None => cells.push((*pair, vec![n])),
        }
    }
    // A stable sort: of the same round, the one whose turn comes first.
    let round = |n: usize| cells[..n].iter().filter(|(pair, _)| pair.1 == cells[n].0.1).count();
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|n| round(*n));
    cells.iter().for_each(|(_, members)| chosen[members[0]] = true);
    let mut left = most.saturating_sub(cells.len());
    let more = order.iter().flat_map(|n| cells[*n].1.iter().take(SOME_FROM as usize).skip(1));
    for n in more.take(left) {
        chosen[*n] = true;
    }
    left = most.saturating_sub(chosen.iter().filter(|c| **c).count());
    let rest: Vec<usize> = (0..copies.len()).filter(|n| !chosen[*n]).collect();
    for k in 0..left {
        chosen[rest[k * rest.len() / left]] = true;
    }
    chosen
}

impl Canary {
    /// The largest share; with more it is no canary.
    pub const MAX_SHARE: f64 = 0.5;
    /// With fewer seeds it proves nothing.
    pub const FEWEST_SEEDS: usize = SOME_FROM as usize;
    /// The shortest wait: no mailbox is looked into so soon.
    pub const MIN_WAIT: Duration = Duration::from_secs(60);

    /// How many copies must be taken, all of them in inboxes, for the interval's lower end to show `min_inbox`: 16 for 0.8, 35 for
    /// 0.9. `None` for 1, which no sample shows.
    #[must_use]
    pub fn proof(&self) -> Option<u32> {
        // Wilson's lower end of n of n is n / (n + z²).
        let least = WILSON_Z * WILSON_Z * self.min_inbox / (1.0 - self.min_inbox);
        (least.is_finite() && self.min_inbox < 1.0)
            .then(|| SURE_FROM.max((least - EPSILON).ceil() as u32))
    }

    /// How many seeds go first, where there are as many: a quarter more than the proof needs, so that one misplaced copy need not
    /// hold the campaign.
    fn first(&self) -> usize {
        let proof = self.proof().map_or(FIRST_SEEDS, |n| n.saturating_add(n.div_ceil(4)));
        proof.max(FIRST_SEEDS) as usize
    }

    /// Whether so many copies can only hold the campaign: enough for the interval to decide, and too few for it to show `min_inbox`
    /// even if each is in an inbox.
    #[must_use]
    pub fn cannot_prove(&self, copies: usize) -> bool {
        copies >= SURE_FROM as usize && self.proof().is_none_or(|n| copies < n as usize)
    }

    /// The highest rank that goes first; ranks are spread evenly from 0 to `i64::MAX`.
    #[must_use]
    pub fn rank_limit(&self) -> i64 {
        (self.share.clamp(0.0, Self::MAX_SHARE) * i64::MAX as f64) as i64
    }

    /// When the wait is over: so long after the last seed was taken. A seed that no relay has taken by then is not waited for,
    /// but as long as none was taken at all (a shut send window, a quota that is used up) nothing is over. Without seeds it
    /// counts from the beginning.
    #[must_use]
    pub fn over_at(&self, look: &CanaryLook) -> Option<Timestamp> {
        let last = look.seeds.iter().filter_map(|s| s.accepted_at).max();
        let from = if look.seeds.is_empty() { Some(look.began_at) } else { last };
        from.map(|t| t.plus(self.wait))
    }

    /// The verdict at `now`.
    #[must_use]
    pub fn judge(&self, look: &CanaryLook, now: Timestamp) -> CanaryVerdict {
        let until = self.over_at(look);
        let told = !look.share_open && !look.seeds.iter().any(CanarySeed::may_yet_tell);
        if !told && until.is_none_or(|t| now < t) {
            return CanaryVerdict::Waits { until };
        }
        let mut counts = PlacementCounts::default();
        look.seeds.iter().for_each(|seed| counts.add(seed.in_the_end(), 1));
        let seeds = u32::try_from(look.seeds.len()).unwrap_or(u32::MAX);
        self.weigh(&counts, seeds)
    }

    fn weigh(&self, counts: &PlacementCounts, seeds: u32) -> CanaryVerdict {
        let rate = counts.rate();
        let found = rate.map_or_else(|| "no copy was judged".into(), |r| format!("inbox {r}"));
        if seeds < SOME_FROM {
            let why = format!(
                "the canary has {seeds} seeds; fewer than {SOME_FROM} prove nothing, so the campaign goes on ({found})"
            );
            return CanaryVerdict::TooFew { why };
        }
        let Some(rate) = rate.filter(|r| r.samples >= SOME_FROM) else {
            let (unsent, unknown) = (counts.of(Placement::NotSent), counts.of(Placement::Unknown));
            let why = format!(
                "of {seeds} seeds only {} say where mail lands: {unsent} copies were not taken by a relay, {unknown} mailboxes \
                 could not be looked into",
                counts.samples()
            );
            return CanaryVerdict::Bad { why };
        };
        let wanted = self.min_inbox - EPSILON;
        let percent = (self.min_inbox * 100.0).round();
        // By what was sent, not by what could be found out: a mailbox that cannot be read must not make the proof easier.
        let unknown = counts.of(Placement::Unknown);
        let taken = seeds.saturating_sub(counts.of(Placement::NotSent));
        if taken >= SURE_FROM {
            if rate.lower >= wanted {
                return CanaryVerdict::Good { rate };
            }
            let unread = if unknown == 0 {
                String::new()
            } else {
                format!("; {unknown} mailboxes could not be looked into")
            };
            let why = format!(
                "inbox {rate}: with {SURE_FROM} copies or more the lower end must reach min_inbox, {percent} %{unread}"
            );
            return CanaryVerdict::Bad { why };
        }
        if rate.ratio >= wanted {
            return CanaryVerdict::Good { rate };
        }
        CanaryVerdict::Bad { why: format!("inbox {rate}: min_inbox is {percent} %") }
    }
}

/// Whether a relay should not serve a mailbox provider now: the rate of its copies there (in the order in which they were sent),
/// or of the latest of them, when that shows less than `min_inbox`.
///
/// The canary asks for proof that mail is welcome, once, of all copies together. This asks the opposite, many times, of a
/// handful of copies each: were the observed rate enough, four copies of which 90 % truly reach the inbox would brake a third
/// of all relays and providers by chance; were the 95 % interval's upper end asked, a relay would go on until nine of sixteen
/// were filed to spam. A brake costs little, because others take over and it ends by itself. So it is set at odds of four to
/// one: when the one-sided 80 % interval of four copies or more ends below `min_inbox`. Of four copies two must be misplaced, of
/// sixteen five; one alone never brakes, however high `min_inbox` is.
#[must_use]
pub fn placement_brake(sent: &[Placement], min_inbox: f64) -> Option<InboxRate> {
    let told: Vec<Placement> = sent.iter().copied().filter(|p| tells(*p)).collect();
    let latest = &told[told.len().saturating_sub(LATEST)..];
    [&told[..], latest].into_iter().find_map(|copies| {
        let mut counts = PlacementCounts::default();
        copies.iter().for_each(|p| counts.add(*p, 1));
        let rate = counts.rate().filter(|r| r.samples >= SOME_FROM)?;
        if counts.of(Placement::Spam) + counts.of(Placement::Missing) < 2 {
            return None;
        }
        let (_, upper) = wilson_ends(rate.ratio, rate.samples, BRAKE_Z);
        (upper < min_inbox - EPSILON).then_some(rate)
    })
}

/// Whether copies are too few to brake by and yet suspicious: of fewer than four, one or more were misplaced. What the same relay
/// and provider did for earlier campaigns then speaks as well: it is their reputation, not one campaign's. Those that were good
/// speak for it as much as those that were not speak against it.
#[must_use]
pub fn wants_earlier(sent: &[Placement]) -> bool {
    let told = || sent.iter().filter(|p| tells(**p));
    told().count() < SOME_FROM as usize
        && told().any(|p| matches!(p, Placement::Spam | Placement::Missing))
}

fn tells(placement: Placement) -> bool {
    match placement {
        Placement::Inbox | Placement::Promotions | Placement::Spam | Placement::Missing => true,
        Placement::NotSent | Placement::Pending | Placement::Other | Placement::Unknown => false,
    }
}
