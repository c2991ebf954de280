//! What follows from a recorded report besides the address: rests of relays, holds of campaigns.
//!
//! Called once for each fresh event. Only what a token proved acts here: anybody may write a mail. What must always hold:
//! a rest never shortens one that stands; a campaign is held by its own transition and says why, and how to go on.

use crate::sweep::Counts;
use crate::{Feedback, Result};
use postroad_model::campaign::{CampaignAct, CampaignState, HoldReason};
use postroad_model::delivery::Role;
use postroad_model::feedback::{Act, Rest, Threshold};
use postroad_model::limit::{CalendarPeriod, Window};
use postroad_model::relay::Relay;
use postroad_model::verdict::Reason;
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{Brake, EventKind, LanePause, NewFeedback, SentRow, StoredCampaign, Strength};

/// Who sets a brake or pause, in the rows.
pub(crate) const BY: &str = "feedback";

impl Feedback {
    /// Acts on a fresh event.
    pub(crate) async fn act(&self, new: &NewFeedback, now: Timestamp) -> Result<()> {
        let Some((kind, reason)) = new.verdict else { return Ok(()) };
        let proven = new.strength == Strength::Strong && new.row.role == Role::Audience;
        if !proven || new.kind != EventKind::Bounce {
            return Ok(());
        }
        let row = &new.row;
        match self.settings.policy.act(reason, kind) {
            // Suppression belongs to the event's own transaction, and opt-outs are no bounces.
            Act::Nothing | Act::Suppress(_) | Act::Unsubscribe => Ok(()),
            Act::BackOff(rest) => self.back_off(row, reason, &rest, now).await,
            Act::PauseRelay(rest) => self.pause_relay(row.relay, reason, &rest, now).await,
            Act::HoldCampaign(threshold) => {
                match self.often(row.campaign, reason, &threshold, now).await? {
                    Some(why) => self.hold(row.campaign, &why, now).await,
                    None => Ok(()),
                }
            }
            Act::StopDomain(threshold) => {
                match self.often(row.campaign, reason, &threshold, now).await? {
                    Some(why) => self.stop_domain(row.campaign, &why, now).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn often(
        &self,
        campaign: CampaignId,
        reason: Reason,
        threshold: &Threshold,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let since = before(now, threshold);
        let n = self.store.count_campaign_reason(campaign, reason, since).await?;
        let why = || format!("{} {n} times since {since}", reason.as_str());
        Ok((n >= i64::from(threshold.after)).then(why))
    }

    async fn back_off(
        &self,
        row: &SentRow,
        reason: Reason,
        rest: &Rest,
        now: Timestamp,
    ) -> Result<()> {
        let since = before(now, &rest.threshold);
        let n = self.store.count_reason(row.relay, Some(row.provider), reason, since).await?;
        if n < i64::from(rest.threshold.after) {
            return Ok(());
        }
        let why = format!("{} {n} times since {since}", reason.as_str());
        self.brake(row.relay, row.provider, why, now.plus(rest.pause), now).await
    }

    /// The relay rests for a mailbox provider; the later end counts.
    pub(crate) async fn brake(
        &self,
        relay: RelayId,
        provider: MailboxProvider,
        reason: String,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        tracing::warn!(relay = relay.0, %provider, reason, %until, "the relay rests for a provider");
        let (relay, provider) = (Some(relay), Some(provider));
        let brake = Brake { relay, provider, until, reason, by: BY.into() };
        Ok(self.store.set_brake(&brake, now).await?)
    }

    async fn pause_relay(
        &self,
        relay: RelayId,
        reason: Reason,
        rest: &Rest,
        now: Timestamp,
    ) -> Result<()> {
        let since = before(now, &rest.threshold);
        let n = self.store.count_reason(relay, None, reason, since).await?;
        if n < i64::from(rest.threshold.after) {
            return Ok(());
        }
        let until = now.plus(rest.pause);
        let lanes = self.store.lanes().await?;
        let stands = lanes.iter().find(|l| l.relay == relay).and_then(|l| l.pause.as_ref());
        if stands.is_some_and(|p| p.until >= until) {
            return Ok(());
        }
        let reason = format!("{} {n} times since {since}", reason.as_str());
        tracing::warn!(relay = relay.0, reason, %until, "the relay rests");
        let pause = LanePause { until, reason, by: BY.into(), count: 1 };
        Ok(self.store.pause_lane(relay, &pause).await?)
    }

    async fn stop_domain(&self, campaign: CampaignId, why: &str, now: Timestamp) -> Result<()> {
        let all = self.store.living_campaigns().await?;
        let domain_of = |s: &StoredCampaign| s.campaign.settings.from.address.domain().clone();
        let Some(domain) = all.iter().find(|s| s.campaign.id == campaign).map(domain_of) else {
            return Ok(());
        };
        let why = format!("{why}, so mail of {} stops", domain.as_str());
        for stored in all.iter().filter(|s| domain_of(s) == domain) {
            let counts = self.counted(stored.campaign.id).await?;
            self.hold_stored(stored, &why, &counts, now).await?;
        }
        Ok(())
    }

    async fn hold(&self, campaign: CampaignId, why: &str, now: Timestamp) -> Result<()> {
        let stored = self.store.campaign_by_id(campaign).await?;
        let counts = self.counted(campaign).await?;
        self.hold_stored(&stored, why, &counts, now).await
    }

    /// Holds a campaign that runs, and notes what was counted, so that it is judged anew from there on.
    pub(crate) async fn hold_stored(
        &self,
        stored: &StoredCampaign,
        why: &str,
        counts: &Counts,
        now: Timestamp,
    ) -> Result<()> {
        let campaign = &stored.campaign;
        if !campaign.state.runs() {
            return Ok(());
        }
        let act = CampaignAct::Hold { reason: HoldReason::Brake(why.to_owned()), until: None };
        match self.store.apply_campaign_act(campaign.id, &act, now).await {
            Ok(CampaignState::Held { .. }) => {}
            // Somebody paused, cancelled or held it meanwhile.
            Ok(_) | Err(postroad_store::Error::Transition { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tracing::warn!(campaign = campaign.name, why, "held; `postroad campaign resume` goes on");
        let blocks: Vec<_> = counts.by.iter().map(|((r, p), c)| (r, p, c.blocks)).collect();
        let data =
            serde_json::json!({ "by": BY, "why": why, "counted": counts.total, "blocks": blocks });
        Ok(self.store.record_campaign_event(campaign.id, "hold", &data, now).await?)
    }

    /// The limit that counts as full after our own relay said that its quota is used up: the one that its rules name for
    /// such words, else the one with the longest window.
    pub(crate) fn full_limit(
        &self,
        row: &SentRow,
        words: &str,
    ) -> Option<(String, Option<String>)> {
        let relay = self.settings.relays.get(&row.relay)?;
        Some((relay.limit_scope(), named(relay, words)))
    }
}

fn named(relay: &Relay, words: &str) -> Option<String> {
    let words = words.to_lowercase();
    let says =
        |text: &Option<String>| text.as_ref().is_some_and(|t| words.contains(&t.to_lowercase()));
    let rule = relay.reply_rules.iter().find(|r| r.limit.is_some() && says(&r.text));
    let longest = || relay.limits.iter().max_by_key(|l| length(&l.window)).map(|l| l.name.clone());
    rule.and_then(|r| r.limit.clone()).or_else(longest)
}

fn length(window: &Window) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    match window {
        Window::Rolling { ms } => *ms,
        Window::Calendar { period: CalendarPeriod::Day, .. } => DAY_MS,
        Window::Calendar { period: CalendarPeriod::Month, .. } => 30 * DAY_MS,
    }
}

fn before(now: Timestamp, threshold: &Threshold) -> Timestamp {
    now.plus_ms(-i64::try_from(threshold.within.as_millis()).unwrap_or(i64::MAX))
}
