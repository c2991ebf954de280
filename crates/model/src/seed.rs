//! Seeds: mailboxes of our own that get a campaign too, and the plan of who sends them what and when.
//!
//! `config` reads them, `campaign` plans them when an audience is frozen, `placement` looks into them. The plan is a pure
//! function of the seeds, the pool's relays, the audience's mailbox providers and the campaign's seed, so that two nodes
//! make the same one. What must always hold: no address gets a campaign twice; each mailbox gets at least one copy; each
//! relay reaches each provider that has seeds as far as their addresses go, and the rest is told as not covered; some copies
//! go in the first hundredth of the run and the others are spread evenly over it.

use crate::address::EmailAddress;
use crate::rank::mix;
use crate::{MailboxProvider, RelayId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A campaign makes no more copies than this, however many mailboxes and relays there are.
pub const COPIES_MAX: usize = 1_000;

/// How one mailbox takes more than one copy of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MoreAddresses {
    /// It does not.
    #[default]
    None,
    /// `anna+TAG@...` is the same mailbox.
    Plus,
    /// These are the same mailbox.
    Aliases(Vec<EmailAddress>),
}

/// Which seeds a campaign goes to: `"all"`, `"none"`, or their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedChoice {
    /// Each of them.
    #[default]
    All,
    /// None: its inbox rate is not measured.
    None,
    /// These.
    Named(Vec<String>),
}

/// A seed mailbox as far as a plan is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// Its name, unique.
    pub name: String,
    /// Its own address.
    pub address: EmailAddress,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// Its other addresses.
    pub more: MoreAddresses,
    /// The name that templates see; `None`: that of somebody of the audience.
    pub person: Option<String>,
    /// Attributes that templates see, over those of somebody of the audience.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Seed {
    /// Its address for the n-th copy of a campaign; `None` when it has no more. The tag says nothing to a reader.
    fn address(&self, n: usize, campaign_seed: u64) -> Option<EmailAddress> {
        if n == 0 {
            return Some(self.address.clone());
        }
        match &self.more {
            MoreAddresses::None => None,
            MoreAddresses::Aliases(aliases) => aliases.get(n - 1).cloned(),
            MoreAddresses::Plus => {
                let tag = mix(mix(campaign_seed) ^ mix(n as u64)) & 0xFF_FFFF;
                let (local, domain) = (self.address.local(), self.address.domain());
                EmailAddress::parse(&format!("{local}+{tag:06x}@{domain}")).ok()
            }
        }
    }
}

/// One copy of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCopy {
    /// Index of its mailbox in the seeds that were given.
    pub seed: usize,
    /// The address that it goes to.
    pub address: EmailAddress,
    /// The relay that sends it.
    pub relay: RelayId,
    /// When its turn comes, as a rank of the audience.
    pub rank: i64,
}

/// The seeds of one campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedPlan {
    /// The copies, in the order of their ranks.
    pub copies: Vec<PlannedCopy>,
    /// Relays and mailbox providers of the audience that no copy looks at.
    pub gaps: Vec<(RelayId, MailboxProvider)>,
}

/// The rank that so much of the audience lies below.
#[must_use]
pub fn rank_at(share: f64) -> i64 {
    // A float as large as i64::MAX is cut to it.
    (share.clamp(0.0, 1.0) * i64::MAX as f64) as i64
}

/// Plans the seeds of a campaign.
#[must_use]
pub fn plan(
    seeds: &[Seed],
    relays: &[RelayId],
    audience: &[MailboxProvider],
    campaign_seed: i64,
) -> SeedPlan {
    let campaign_seed = campaign_seed.cast_unsigned();
    let providers: BTreeSet<MailboxProvider> = seeds.iter().map(|s| s.provider).collect();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut chosen: Vec<(usize, EmailAddress, RelayId)> = Vec::new();
    let mut covered: BTreeSet<(RelayId, MailboxProvider)> = BTreeSet::new();
    for provider in providers {
        let mine: Vec<usize> =
            (0..seeds.len()).filter(|n| seeds[*n].provider == provider).collect();
        // Another relay begins with each campaign, so that over several all of them see all mailboxes.
        let turn = mix(campaign_seed ^ mix(provider.code().cast_unsigned()));
        let wanted = mine.len().max(relays.len());
        // Every mailbox by its own address, then those that have more, in turn, until each relay has one.
        let mut given = vec![0_usize; mine.len()];
        let mut at = 0;
        for n in 0..wanted {
            if relays.is_empty() || chosen.len() >= COPIES_MAX {
                break;
            }
            let relay = relays[((turn % relays.len() as u64) as usize + n) % relays.len()];
            let next = (0..mine.len()).map(|k| (at + k) % mine.len()).find_map(|k| {
                let address = seeds[mine[k]].address(given[k], campaign_seed)?;
                (!used.contains(&address.to_string())).then_some((k, address))
            });
            let Some((k, address)) = next else { break };
            given[k] += 1;
            at = k + 1;
            used.insert(address.to_string());
            covered.insert((relay, provider));
            chosen.push((mine[k], address, relay));
        }
    }
    let wanted: BTreeSet<MailboxProvider> = audience.iter().copied().collect();
    let pairs = relays.iter().flat_map(|r| wanted.iter().map(|p| (*r, *p)));
    let gaps = pairs.filter(|pair| !covered.contains(pair)).collect();
    SeedPlan { copies: spread(chosen, campaign_seed), gaps }
}

/// Gives the copies their turns, in an order that favours no provider and no relay.
fn spread(mut chosen: Vec<(usize, EmailAddress, RelayId)>, campaign_seed: u64) -> Vec<PlannedCopy> {
    chosen.sort_by_cached_key(|(seed, _, relay)| {
        mix(campaign_seed ^ mix(*seed as u64) ^ mix(relay.0.cast_unsigned()).rotate_left(17))
    });
    let first = chosen.len().div_ceil(10);
    let rest = chosen.len() - first;
    let turn = |n: usize| {
        if n < first {
            (n as f64 + 0.5) / first as f64 * 0.01
        } else {
            0.01 + ((n - first) as f64 + 0.5) / rest as f64 * 0.99
        }
    };
    let copies = chosen.into_iter().enumerate();
    copies
        .map(|(n, (seed, address, relay))| PlannedCopy {
            seed,
            address,
            relay,
            rank: rank_at(turn(n)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use MailboxProvider::{Google, Microsoft, Yahoo};

    fn seed(name: &str, provider: MailboxProvider, more: MoreAddresses) -> Seed {
        let address = EmailAddress::parse(&format!("{name}@seeds.example")).unwrap();
        let (person, attributes) = (None, serde_json::Map::new());
        Seed { name: name.into(), address, provider, more, person, attributes }
    }

    fn relays(n: i64) -> Vec<RelayId> {
        (1..=n).map(RelayId).collect()
    }

    fn check(seeds: &[Seed], relays: &[RelayId], copies: usize, gaps: usize) -> SeedPlan {
        let made = plan(seeds, relays, &[Google, Yahoo], 7);
        assert_eq!((made.copies.len(), made.gaps.len()), (copies, gaps), "{made:?}");
        let addresses: BTreeSet<String> =
            made.copies.iter().map(|c| c.address.to_string()).collect();
        assert_eq!(addresses.len(), copies, "no address gets a campaign twice");
        assert!(made.copies.is_sorted_by_key(|c| c.rank));
        assert_eq!(made, plan(seeds, relays, &[Google, Yahoo], 7), "another node plans the same");
        made
    }

    #[test]
    fn each_relay_reaches_each_provider_as_far_as_the_addresses_go() {
        let plus = seed("g", Google, MoreAddresses::Plus);
        let one = seed("y", Yahoo, MoreAddresses::None);
        let alias = EmailAddress::parse("other@seeds.example").unwrap();
        let two = seed("z", Yahoo, MoreAddresses::Aliases(vec![alias]));
        check(std::slice::from_ref(&plus), &relays(3), 3, 3);
        check(&[plus.clone(), one.clone()], &relays(3), 4, 2);
        check(&[plus.clone(), one.clone(), two], &relays(3), 6, 0);
        check(&[plus, one], &relays(1), 2, 0);
        check(&[], &relays(2), 0, 4);
        check(&[seed("m", Microsoft, MoreAddresses::None)], &relays(2), 1, 4);
        check(&[seed("m", Microsoft, MoreAddresses::None)], &[], 0, 0);
    }

    #[test]
    fn more_mailboxes_than_relays_are_spread_evenly_and_all_used() {
        let seeds: Vec<Seed> =
            (0..30).map(|n| seed(&format!("g{n}"), Google, MoreAddresses::Plus)).collect();
        let made = check(&seeds, &relays(3), 30, 3);
        for relay in relays(3) {
            assert_eq!(made.copies.iter().filter(|c| c.relay == relay).count(), 10);
        }
        let used: BTreeSet<usize> = made.copies.iter().map(|c| c.seed).collect();
        assert_eq!(used.len(), 30);
    }

    #[test]
    fn some_copies_go_at_once_and_the_rest_over_the_whole_run() {
        let seeds: Vec<Seed> =
            (0..30).map(|n| seed(&format!("g{n}"), Google, MoreAddresses::None)).collect();
        let made = plan(&seeds, &relays(3), &[Google], 7);
        let below = |share| made.copies.iter().filter(|c| c.rank < rank_at(share)).count();
        assert_eq!((below(0.01), below(0.5), below(1.0)), (3, 16, 30));
        let alone = plan(&seeds[..1], &relays(1), &[Google], 7);
        assert!(alone.copies[0].rank < rank_at(0.01));
        assert_eq!((rank_at(0.0), rank_at(1.0), rank_at(7.0)), (0, i64::MAX, i64::MAX));
    }

    #[test]
    fn a_tag_differs_from_campaign_to_campaign_and_from_copy_to_copy() {
        let plus = seed("g", Google, MoreAddresses::Plus);
        let address = |n, campaign| plus.address(n, campaign).unwrap().to_string();
        assert_eq!(address(0, 1), "g@seeds.example");
        assert!(address(1, 1).starts_with("g+") && address(1, 1) != address(1, 2));
        assert_ne!(address(1, 1), address(2, 1));
    }
}
