//! Takes mails and events: reads, correlates, records, acts.
//!
//! One mail may hold several reports; the one about the delivery that its token names gets it, the others are found by
//! their own recipient. Mail to the unsubscribe address carries a link token in its subject or plus-tag (RFC 6068 and
//! RFC 2369 section 3.2 gave it to the mail program) and unsubscribes. What was not understood is kept for a person.

use crate::correlate::{Found, Signs, Trace, by_address, by_token};
use crate::incoming::{Incoming, ProviderEvent, Source};
use crate::report::{Told, What, told};
use crate::{Done, Error, Feedback, Outcome, Result, Taken, provider};
use futures_util::FutureExt;
use postroad_bounce::{Finding, MAX_READ, Reading};
use postroad_model::campaign::CampaignAct;
use postroad_model::delivery::DeliveryState;
use postroad_model::feedback::{Act, Evidence};
use postroad_model::suppression::SuppressionReason;
use postroad_model::token::{LinkEffect, LinkKind, LinkToken};
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{DeliveryId, Timestamp};
use postroad_store::{EventKind, NewFeedback, Recorded, Strength, Unsubscribe, UnsubscribeFrom};
use sha2::{Digest, Sha256};
use std::panic::AssertUnwindSafe;

/// Why a mail is kept that the program fell over.
const FELL: &str = "this mail makes the program fall: please report it with the mail";
/// So many words of a diagnostic stand in a suppression's origin.
const ORIGIN_WORDS: usize = 120;
/// A provider tells for so long of an event that nobody took; what claims to be older is told of now.
const OLDEST_MS: i64 = 7 * 86_400_000;
/// So much of it says why a mail is kept for review.
const WHY: usize = 500;

impl Feedback {
    /// Records what came back, each report once, and acts on it. After an error nothing is lost: what was recorded
    /// stays so, and the same call may be repeated.
    ///
    /// # Errors
    /// The database's; `OnTheWire` while the reply to the delivery's final dot is awaited.
    pub async fn take(&self, incoming: Incoming, now: Timestamp) -> Result<Taken> {
        match incoming {
            Incoming::Mail { bytes, envelope_to, source } => {
                let bytes = &bytes[..bytes.len().min(MAX_READ)];
                let taking = self.mail(bytes, envelope_to.as_deref(), &source, now);
                match AssertUnwindSafe(taking).catch_unwind().await {
                    Ok(taken) => taken,
                    // Whoever brought it must not be kept from the mails behind it; what was recorded stays so.
                    Err(_) => {
                        tracing::error!(%source, "a mail makes the program fall: see bounce review");
                        self.keep(bytes, &source, FELL, now).await?;
                        Ok(Taken::default())
                    }
                }
            }
            Incoming::Provider { events, source } => {
                let mut taken = Taken::default();
                for event in &events {
                    taken.outcomes.push(self.event(event, &source, now).await?);
                }
                Ok(taken)
            }
        }
    }

    async fn mail(
        &self,
        bytes: &[u8],
        envelope_to: Option<&str>,
        source: &Source,
        now: Timestamp,
    ) -> Result<Taken> {
        let reading = (self.read)(bytes);
        if let Some(token) = self.wish(&reading, envelope_to) {
            return Ok(Taken { outcomes: vec![self.leave(&token, source, now).await?] });
        }
        let signs = Signs::of(envelope_to, &reading.references);
        let trace = by_token(&self.store, &self.settings.bounce_domains, &signs, now).await?;
        if let (Trace::Found(found), true) = (&trace, reading.reports.is_empty()) {
            self.sign_of_life(found, now).await?;
        }
        let mut taken = Taken::default();
        let mut undecided = false;
        let all: Vec<Told> = reading.reports.iter().map(|r| told(r, &reading.findings)).collect();
        let own = self.own(&all, &trace);
        for (n, one) in all.iter().enumerate() {
            let trace = match (&trace, n) {
                (Trace::Found(_), n) if own == Some(n) => trace.clone(),
                (Trace::Forged, _) => Trace::Forged,
                (Trace::Found(_) | Trace::Nothing, _) => self.by_names(one, &signs, now).await?,
            };
            let outcome = self.record(one, &trace, source, now).await?;
            undecided |= match outcome.done {
                Done::Recorded => one.undecided,
                // Nothing tells whose it is: a person may see it.
                Done::NotOurs => one.recipient.is_none(),
                Done::SeenBefore | Done::Forged | Done::Noted => false,
            };
            taken.outcomes.push(outcome);
        }
        if undecided {
            self.keep(bytes, source, &why(&reading), now).await?;
        }
        Ok(taken)
    }

    /// The delivery of a report by the recipient's names.
    async fn by_names(&self, one: &Told, signs: &Signs<'_>, now: Timestamp) -> Result<Trace> {
        for name in one.recipient.iter().chain(&one.aliases) {
            // Anybody who knows the recipient may write a mail.
            let trace = by_address(&self.store, signs, (name, Strength::Weak), now).await?;
            if trace != Trace::Nothing {
                return Ok(trace);
            }
        }
        Ok(Trace::Nothing)
    }

    /// Which of a mail's reports is about the delivery that the token names.
    fn own(&self, all: &[Told], trace: &Trace) -> Option<usize> {
        let Trace::Found(found) = trace else { return None };
        let keys = self.store.keys();
        let is_its = |one: &Told| {
            let mut names = one.recipient.iter().chain(&one.aliases);
            names.any(|name| keys.address_hash(name) == found.row.hash)
        };
        all.iter()
            .position(is_its)
            .or_else(|| all.iter().position(|one| one.kind == BounceKind::Hard))
            .or(if all.is_empty() { None } else { Some(0) })
    }

    async fn event(
        &self,
        event: &ProviderEvent,
        source: &Source,
        now: Timestamp,
    ) -> Result<Outcome> {
        let one = provider::told(event, source);
        let signs = Signs {
            refs: event.postroad_ref.as_deref().into_iter().collect(),
            message_ids: event.message_id.as_deref().into_iter().collect(),
            ..Signs::default()
        };
        let mut trace = by_token(&self.store, &[], &signs, now).await?;
        if let (Trace::Nothing, Some(recipient)) = (&trace, &one.recipient) {
            trace = by_address(&self.store, &signs, (recipient, Strength::Strong), now).await?;
        }
        self.record(&one, &trace, source, now).await
    }

    /// Writes one report and acts on it.
    async fn record(
        &self,
        one: &Told,
        trace: &Trace,
        source: &Source,
        now: Timestamp,
    ) -> Result<Outcome> {
        let outcome = |done, found: Option<&Found>| Outcome {
            recipient: found.and_then(|f| f.row.address.clone()).or(one.recipient.clone()),
            delivery: found.map(|f| f.row.id),
            kind: one.kind,
            reason: one.reason,
            done,
        };
        let found = match (trace, one.what) {
            (Trace::Forged, _) => return Ok(outcome(Done::Forged, None)),
            (Trace::Found(found), What::Note) => return Ok(outcome(Done::Noted, Some(found))),
            (Trace::Nothing, What::Note) => return Ok(outcome(Done::Noted, None)),
            (Trace::Nothing, What::Event(_, _) | What::OptOut) => {
                return Ok(outcome(Done::NotOurs, None));
            }
            (Trace::Found(found), What::Event(_, _) | What::OptOut) => found,
        };
        let What::Event(kind, evidence) = one.what else {
            let done = self.opt_out(found, source, now).await?;
            return Ok(outcome(done, Some(found)));
        };
        if self.changes_nothing(found, kind).await? {
            return Ok(outcome(Done::Noted, Some(found)));
        }
        if self.is_proven_already(one, found).await? {
            return Ok(outcome(Done::SeenBefore, Some(found)));
        }
        let new = self.feedback(one, found, (kind, evidence), source, now);
        let recorded = self.store.record_feedback(&new, now).await?;
        if new.evidence == Evidence::Quota {
            self.reopen(found, now).await?;
        }
        match recorded {
            Recorded::SeenBefore => Ok(outcome(Done::SeenBefore, Some(found))),
            Recorded::OnTheWire => Err(Error::OnTheWire { delivery: found.row.id }),
            Recorded::Fresh { moved, suppressed } => {
                let (delivery, reason) = (found.row.id, one.reason.as_str());
                let moved = moved.map(DeliveryState::as_str);
                let suppressed = suppressed.is_some();
                let (event, how) = (kind.as_str(), found.how);
                tracing::info!(%delivery, event, reason, moved, suppressed, how, %source, "came back");
                self.count(&new).await?;
                self.act(&new, now).await?;
                Ok(outcome(Done::Recorded, Some(found)))
            }
        }
    }

    /// A row that is sent again needs a campaign that is not over; asked for also when the report was seen before, since the
    /// first asking may have been cut off.
    async fn reopen(&self, found: &Found, now: Timestamp) -> Result<()> {
        let waits = self.store.sent_row(found.row.id).await?.map(|r| r.state);
        if waits != Some(DeliveryState::Scheduled) {
            return Ok(());
        }
        match self.store.apply_campaign_act(found.row.campaign, &CampaignAct::Reopen, now).await {
            Ok(_) | Err(postroad_store::Error::Transition { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Signs of life of rows that are settled are too many to be all written down: only what clears something is.
    async fn changes_nothing(&self, found: &Found, kind: EventKind) -> Result<bool> {
        let sign = matches!(
            kind,
            EventKind::Delivered | EventKind::Opened | EventKind::Clicked | EventKind::Delayed
        );
        let settled = sign && found.row.state != DeliveryState::Unknown;
        Ok(settled && !self.store.has_strikes(found.row.hash).await?)
    }

    /// What anybody could have written adds nothing to the same report that a token proved. (The relay's identifier is
    /// gone from the row once a bounce's words stand there, so a repetition may be found by the address alone.)
    async fn is_proven_already(&self, one: &Told, found: &Found) -> Result<bool> {
        Ok(found.strength == Strength::Weak
            && self.store.has_event(&key(one, found, Strength::Strong)).await?)
    }

    fn feedback(
        &self,
        one: &Told,
        found: &Found,
        (kind, evidence): (EventKind, Evidence),
        source: &Source,
        now: Timestamp,
    ) -> NewFeedback {
        let row = &found.row;
        let latest = found.copy_no == row.copy_no;
        // Anybody may write that a quota is used up, and the message would be sent once more.
        let weak = found.strength == Strength::Weak;
        let mut data = one.data.clone();
        data["source"] = serde_json::json!(source.to_string());
        data["kind"] = serde_json::json!(one.kind);
        data["reason"] = serde_json::json!(one.reason);
        data["found_by"] = serde_json::json!(found.how);
        let is_bounce = kind == EventKind::Bounce;
        let says = is_bounce && !one.diagnostic.is_empty();
        NewFeedback {
            key: key(one, found, found.strength),
            at: one.at.filter(|at| (0..=OLDEST_MS).contains(&now.since_ms(*at))).unwrap_or(now),
            kind,
            evidence: if latest && !(weak && evidence == Evidence::Quota) {
                evidence
            } else {
                Evidence::Nothing
            },
            verdict: one.counts().then_some((one.kind, one.reason)),
            strength: found.strength,
            said: if is_bounce {
                (one.code, one.status.clone(), says.then(|| one.diagnostic.clone()))
            } else {
                (None, None, None)
            },
            data: data.to_string(),
            suppress: if one.counts() {
                self.suppression(one.reason, one.kind, || origin(one, found, source))
            } else {
                None
            },
            full: (kind == EventKind::Quota && found.strength == Strength::Strong)
                .then(|| self.full_limit(row, &one.diagnostic))
                .flatten(),
            row: row.clone(),
        }
    }

    /// The token of a mail that asks to be left out.
    fn wish(&self, reading: &Reading, envelope_to: Option<&str>) -> Option<LinkToken> {
        let keys = self.store.keys();
        let references = &reading.references;
        let tags = envelope_to
            .into_iter()
            .chain(references.addressed_to.iter().map(String::as_str))
            .filter_map(|a| a.rsplit_once('@')?.0.split_once('+').map(|(_, tag)| tag));
        let subject = references.subject.as_deref().unwrap_or_default();
        tags.chain(subject.split_whitespace().take(20))
            .filter_map(|word| {
                keys.read_link(word.trim_matches(|c: char| !c.is_alphanumeric())).ok()
            })
            .find(|token| token.kind == LinkKind::Unsubscribe)
    }

    async fn leave(&self, token: &LinkToken, source: &Source, now: Timestamp) -> Result<Outcome> {
        let mut outcome = Outcome {
            recipient: None,
            delivery: Some(token.delivery),
            kind: BounceKind::Other,
            reason: Reason::OptOut,
            done: Done::Noted,
        };
        if token.effect == LinkEffect::Test {
            return Ok(outcome);
        }
        let wish = Unsubscribe {
            contact: token.contact,
            from: UnsubscribeFrom::Lists(token.lists.clone()),
            campaign: Some(token.campaign),
            delivery: Some(token.delivery),
            origin: format!("mail ({source})"),
            at: now,
        };
        let done = self.store.unsubscribe(&wish).await?;
        tracing::info!(delivery = %token.delivery, lists = done.lists, %source, "unsubscribed by mail");
        self.count_leaving(token.delivery, done.lists).await?;
        outcome.done = if done.lists > 0 { Done::Recorded } else { Done::SeenBefore };
        Ok(outcome)
    }

    /// The person told a provider or a feedback loop, so the campaign's lists are what is left.
    async fn opt_out(&self, found: &Found, source: &Source, now: Timestamp) -> Result<Done> {
        let Some(contact) = found.row.contact else { return Ok(Done::Noted) };
        if self.settings.policy.act(Reason::OptOut, BounceKind::Other) != Act::Unsubscribe {
            return Ok(Done::Noted);
        }
        let wish = Unsubscribe {
            contact,
            from: UnsubscribeFrom::Lists(self.store.campaign_lists(found.row.campaign).await?),
            campaign: Some(found.row.campaign),
            delivery: Some(found.row.id),
            origin: format!("opt-out ({source})"),
            at: now,
        };
        let done = self.store.unsubscribe(&wish).await?;
        self.count_leaving(found.row.id, done.lists).await?;
        Ok(if done.lists > 0 { Done::Recorded } else { Done::SeenBefore })
    }

    async fn count_leaving(&self, delivery: DeliveryId, lists: u64) -> Result<()> {
        let Some(metrics) = self.settings.metrics.as_ref().filter(|_| lists > 0) else {
            return Ok(());
        };
        if let Some(row) = self.store.sent_row(delivery).await?
            && let Some(campaign) = self.campaign_name(row.campaign).await?
        {
            metrics.unsubscribed(&campaign, row.provider);
        }
        Ok(())
    }

    async fn keep(&self, bytes: &[u8], source: &Source, why: &str, now: Timestamp) -> Result<()> {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        let until = now.plus(self.settings.policy.keep_raw);
        let source = source.to_string();
        Ok(self.store.keep_raw(&digest, (&source, why), bytes, (now, until)).await?)
    }
}

/// What tells this report from every other one.
fn key(one: &Told, found: &Found, strength: Strength) -> String {
    format!("{}:{}.{}", one.key(strength), found.row.id, found.copy_no)
}

/// What `bounce review` says of a mail that was not understood.
fn why(reading: &Reading) -> String {
    let nameless = reading.findings.contains(&Finding::NoRecipient);
    let nameless = nameless.then(|| Finding::NoRecipient.to_string());
    let said = reading.reports.first().map(|r| format!("{}: {}", r.rule, r.diagnostic));
    let all: Vec<String> = nameless.into_iter().chain(said).collect();
    all.join("; ").chars().take(WHY).collect()
}

/// The reason that a suppression gets.
pub(crate) fn suppression(reason: Reason, after: u32) -> SuppressionReason {
    if reason == Reason::Complaint {
        SuppressionReason::Complaint
    } else if reason == Reason::SuppressedUpstream {
        SuppressionReason::Upstream
    } else if after > 1 {
        SuppressionReason::RepeatedBounces
    } else {
        SuppressionReason::HardBounce
    }
}

/// Who said so, for `suppression list`.
fn origin(one: &Told, found: &Found, source: &Source) -> String {
    let words: String = one.diagnostic.chars().take(ORIGIN_WORDS).collect();
    let status = one.status.as_deref().unwrap_or_default();
    let reason = one.reason.as_str();
    let weak = match found.strength {
        Strength::Strong => "",
        Strength::Weak => ", found by the address alone",
    };
    format!("{reason} {status} {words} ({source}{weak})")
}
