//! What is done by the clock: refusals at SMTP time become events, rates are judged, kept mails go at their time.
//!
//! A once-only job that every node offers to do (`serve`, `run`) and one holds the lease of. Refusals are read from the
//! attempts that W3 wrote, so that W3 itself stays as it is: a refusal is an event some seconds later, each once by its key.
//! What must always hold: a hold or a rest starts the count anew, so that whoever resumes a campaign is not held again for
//! what is past.

use crate::act::BY;
use crate::{Feedback, Result};
use postroad_bounce::classify_reply;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::feedback::{Counted, Evidence, MIN_REPORTS};
use postroad_model::reply::Phase;
use postroad_model::verdict::{BounceKind, Verdict};
use postroad_model::{
    CampaignId, Clock, EnhancedStatus, MailboxProvider, NodeId, RelayId, Reply, Timestamp,
};
use postroad_store::{EventKind, NewFeedback, Recorded, Refusal, StoredCampaign, Strength, Tally};
use serde_json::json;
use std::collections::BTreeMap;

const JOB: &str = "feedback";
/// Refusals in one look.
const PAGE: i64 = 200;
/// A commit of another node may be this much older than its neighbours when it is seen first.
const OVERLAP_MS: i64 = 10 * 60_000;
/// Rows are counted by mailbox provider no more often.
const RECOUNT_MS: i64 = 60_000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Refusals that became events.
    pub refusals: u64,
    /// Kept mails that went at their time.
    pub expired: u64,
}

/// Counts of a campaign, together and by relay and mailbox provider.
pub(crate) struct Counts {
    pub total: Counted,
    pub by: BTreeMap<(i64, i64), Counted>,
}

/// What was counted when a campaign was held, and when its relays' rests began.
#[derive(Default)]
struct Baselines {
    held: Counted,
    /// Blocks by relay and mailbox provider at the hold.
    held_blocks: BTreeMap<(i64, i64), i64>,
    rested: BTreeMap<(i64, i64), Counted>,
}

impl Baselines {
    /// What was counted since the hold. Blocks of a provider for which a relay rests say nothing of the rest of the
    /// campaign; those before the hold are not in the rest any more.
    fn rest(&self, counts: &Counts, resting: impl Iterator<Item = (i64, i64)>) -> Counted {
        let mut rest = counts.total.since(&self.held);
        for pair in resting {
            let all = counts.by.get(&pair).map_or(0, |c| c.blocks);
            rest.blocks -= all - self.held_blocks.get(&pair).copied().unwrap_or(0);
        }
        rest
    }
}

type Pair = (RelayId, MailboxProvider);

impl Feedback {
    /// Does all that is due, if no other node does; `None` then.
    ///
    /// # Errors
    /// The database's. What was done stays done, and the next sweep goes on.
    pub async fn sweep(&self, node: NodeId, clock: &dyn Clock) -> Result<Option<Swept>> {
        let started = clock.now();
        let Some(job) = self.store.take_job(JOB, node, started).await? else { return Ok(None) };
        let seen: i64 = job.note.as_deref().and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut swept = Swept::default();
        let mut next = started.plus_ms(-OVERLAP_MS);
        loop {
            let page = self.store.refusals(Timestamp(seen), PAGE).await?;
            let mut fresh = 0;
            for refusal in &page {
                match self.refused(refusal, clock.now()).await? {
                    Recorded::Fresh { .. } => fresh += 1,
                    // Its row is offered again just now: the next sweep begins with it.
                    Recorded::OnTheWire => next = next.min(refusal.at),
                    Recorded::SeenBefore => {}
                }
            }
            swept.refusals += fresh;
            // A page of which nothing was recorded would come again and again.
            if (page.len() as i64) < PAGE || fresh == 0 {
                break;
            }
            self.store.note_job(&job, &seen.to_string(), clock.now()).await?;
        }
        self.judge(clock.now()).await?;
        swept.expired = self.store.expire_raw(clock.now()).await?;
        // The next sweep may be another node's, or another process'.
        self.store.release_job(&job, Some(&next.0.to_string()), clock.now()).await?;
        Ok(Some(swept))
    }

    /// Records one refusal and acts on it, like a bounce that came at once.
    async fn refused(&self, refusal: &Refusal, now: Timestamp) -> Result<Recorded> {
        let row = &refusal.row;
        let verdict = self.verdict(refusal);
        let words = refusal.reply.clone().unwrap_or_default();
        let status = refusal.enhanced.clone().unwrap_or_default();
        let data = json!({
            "code": refusal.code,
            "status": refusal.enhanced,
            "diagnostic": words,
            "kind": verdict.kind,
            "reason": verdict.reason,
            "phase": refusal.phase,
            "rule": verdict.rule,
            "source": "smtp",
        });
        let new = NewFeedback {
            key: refusal.key(),
            at: refusal.at,
            kind: EventKind::Bounce,
            evidence: Evidence::Nothing,
            verdict: Some((verdict.kind, verdict.reason)),
            strength: Strength::Strong,
            said: (None, None, None),
            data: data.to_string(),
            suppress: self.suppression(verdict.reason, verdict.kind, || {
                let clipped: String = words.chars().take(120).collect();
                format!("{} {} {status} {clipped} (smtp)", verdict.reason.as_str(), refusal.code)
            }),
            full: None,
            row: row.clone(),
        };
        let recorded = self.store.record_feedback(&new, now).await?;
        if let Recorded::Fresh { .. } = recorded {
            self.count(&new).await?;
            self.act(&new, now).await?;
        }
        Ok(recorded)
    }

    fn verdict(&self, refusal: &Refusal) -> Verdict {
        let mut reply = Reply::new(refusal.code, refusal.reply.as_deref().unwrap_or_default());
        if reply.enhanced.is_none() {
            reply.enhanced = refusal.enhanced.as_deref().and_then(EnhancedStatus::parse);
        }
        let phase: Option<Phase> = refusal
            .phase
            .as_ref()
            .and_then(|p| serde_json::from_value(serde_json::Value::String(p.clone())).ok());
        let rules = self.settings.relays.get(&refusal.row.relay).map(|r| r.reply_rules.as_slice());
        let (provider, rules) = (refusal.row.provider, rules.unwrap_or_default());
        classify_reply(&reply, phase.unwrap_or(Phase::RcptTo), provider, rules)
    }

    /// Judges the rates of every running campaign.
    ///
    /// # Errors
    /// The database's.
    pub async fn judge(&self, now: Timestamp) -> Result<()> {
        for stored in self.store.living_campaigns().await? {
            if stored.campaign.state.runs() {
                self.judge_campaign(&stored, now).await?;
            }
        }
        Ok(())
    }

    async fn judge_campaign(&self, stored: &StoredCampaign, now: Timestamp) -> Result<()> {
        let id = stored.campaign.id;
        let mut counts = self.counted(id).await?;
        let all = &counts.total;
        if all.complaints.max(all.hard).max(all.blocks) < MIN_REPORTS {
            return Ok(());
        }
        let before = self.baselines(id).await?;
        let brakes = &self.settings.policy.brakes;
        let standing = self.store.brakes(now).await?;
        if self.recount(id, now) {
            self.count_sent(id, &mut counts).await?;
            for (pair, counted) in &counts.by {
                let since = counted.since(&before.rested.get(pair).copied().unwrap_or_default());
                let Some(high) = brakes.judge(&since) else { continue };
                let (relay, provider) = pair_of(*pair);
                let stands =
                    standing.iter().any(|b| b.relay == Some(relay) && b.provider == Some(provider));
                // One provider that is all of the campaign is the campaign itself.
                if stands || counted.sent * 10 > counts.total.sent * 9 {
                    continue;
                }
                let why = format!("{high} of campaign {}", stored.campaign.name);
                self.brake(relay, provider, why.clone(), now.plus(brakes.pause), now).await?;
                let data = json!({ "by": BY, "why": why, "relay": relay, "provider": pair.1, "counted": counted });
                self.store.record_campaign_event(id, "brake", &data, now).await?;
            }
        }
        let resting = standing.iter().filter_map(|b| Some((b.relay?.0, b.provider?.code())));
        let rest = before.rest(&counts, resting);
        match brakes.judge(&rest) {
            Some(high) => self.hold_stored(stored, &high.to_string(), &counts, now).await,
            None => Ok(()),
        }
    }

    /// What was counted of a campaign: reports from the tallies, sent messages from the counters.
    pub(crate) async fn counted(&self, id: CampaignId) -> Result<Counts> {
        let mut counts = Counts { total: Counted::default(), by: BTreeMap::new() };
        for tally in self.store.tallies(&[id]).await? {
            add(&mut counts.total, &tally);
            let pair = (tally.relay.0, tally.provider.code());
            add(counts.by.entry(pair).or_default(), &tally);
        }
        let sent = [
            DeliveryState::Accepted,
            DeliveryState::Rejected,
            DeliveryState::Unknown,
            DeliveryState::Bounced,
        ];
        counts.total.sent = self
            .store
            .counters(id)
            .await?
            .iter()
            .filter(|c| c.role == Role::Audience && sent.iter().any(|s| s.code() == c.code))
            .map(|c| c.n)
            .sum();
        Ok(counts)
    }

    async fn count_sent(&self, id: CampaignId, counts: &mut Counts) -> Result<()> {
        for (relay, provider, n) in self.store.sent_by(id).await? {
            if let Some(counted) = counts.by.get_mut(&(relay.0, provider.code())) {
                counted.sent += n;
            }
        }
        Ok(())
    }

    /// What was counted at the last hold, and at the last rest of each relay and provider.
    async fn baselines(&self, id: CampaignId) -> Result<Baselines> {
        let mut found = Baselines::default();
        for (kind, data) in self.store.brake_notes(id).await? {
            let Ok(data) = serde_json::from_str::<serde_json::Value>(&data) else { continue };
            let Ok(counted) = serde_json::from_value(data["counted"].clone()) else { continue };
            if kind == "hold" {
                found.held = counted;
                let blocks: Vec<(i64, i64, i64)> =
                    serde_json::from_value(data["blocks"].clone()).unwrap_or_default();
                found.held_blocks = blocks.into_iter().map(|(r, p, n)| ((r, p), n)).collect();
            } else if let (Some(relay), Some(provider)) =
                (data["relay"].as_i64(), data["provider"].as_i64())
            {
                found.rested.insert((relay, provider), counted);
            }
        }
        Ok(found)
    }

    /// True when the rows of a campaign may be counted again.
    fn recount(&self, id: CampaignId, now: Timestamp) -> bool {
        let mut last = self.recounts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = last.get(&id).is_none_or(|t| now.since_ms(*t) >= RECOUNT_MS);
        if due {
            last.insert(id, now);
        }
        due
    }
}

fn pair_of((relay, provider): (i64, i64)) -> Pair {
    (RelayId(relay), MailboxProvider::from_code(provider).unwrap_or(MailboxProvider::Other))
}

fn add(counted: &mut Counted, tally: &Tally) {
    match tally.kind {
        BounceKind::Hard => counted.hard += tally.n,
        BounceKind::Block => counted.blocks += tally.n,
        BounceKind::Complaint => counted.complaints += tally.n,
        BounceKind::Soft | BounceKind::AutoReply | BounceKind::Other => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_before_a_hold_are_taken_off_once() {
        let blocks = |sent, blocks| Counted { sent, blocks, ..Counted::default() };
        let pairs = |one, other| BTreeMap::from([((1, 1), one), ((1, 2), other)]);
        let counts = Counts { total: blocks(500, 60), by: pairs(blocks(200, 35), blocks(300, 25)) };
        let check = |held, held_blocks, resting: &[(i64, i64)], expected| {
            let before = Baselines { held, held_blocks, ..Baselines::default() };
            assert_eq!(before.rest(&counts, resting.iter().copied()), expected, "{resting:?}");
        };
        check(Counted::default(), BTreeMap::new(), &[], blocks(500, 60));
        check(Counted::default(), BTreeMap::new(), &[(1, 1)], blocks(500, 25));
        let (held, by) = (blocks(250, 30), BTreeMap::from([((1, 1), 30)]));
        check(held, by.clone(), &[(1, 1)], blocks(250, 25));
        check(held, by.clone(), &[(1, 1), (1, 2)], blocks(250, 0));
        check(held, by, &[(9, 9)], blocks(250, 30));
    }
}
