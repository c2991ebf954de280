//! What came back, to be read: events, tallies, refusals that no event tells of yet, mails kept for a person's eye.
//!
//! Called by `feedback` (rates, refusals), `campaign` (reports) and cli (`bounce list`, `bounce review`). Reads, but for
//! the kept mails, which are no state of anything: each is kept once and goes at its time, and their number is bounded.

use crate::backend::{Named, read, tx};
use crate::campaigns::json;
use crate::feedback_words::{SentLine, SentRow};
use crate::reports::provider_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{CampaignId, EmailAddress, ListId, MailboxProvider, RelayId, Timestamp};
use serde::Serialize;

sql! {
    each FEEDBACK_TALLIES = "feedback_tallies";
    both FEEDBACK_SENT = "feedback_sent";
    both FEEDBACK_EVENTS = "feedback_events";
    both FEEDBACK_EVENTS_OF = "feedback_events_of";
    both FEEDBACK_REFUSALS = "feedback_refusals";
    both BRAKES_BASELINE = "brakes_baseline";
    both FEEDBACK_HAS_STRIKES = "feedback_has_strikes";
    both FEEDBACK_HAS_EVENT = "feedback_has_event";
    both CAMPAIGN_NAME = "campaign_name";
    both RAW_KEEP = "raw_keep";
    both RAW_PAGE = "raw_page";
    both RAW_DROP = "raw_drop";
    both RAW_EXPIRE = "raw_expire";
    both RAW_COUNT = "raw_count";
}

/// Most mails that are kept for review; later ones are only counted in the log.
const MAX_RAW: i64 = 10_000;
/// So much of a mail is kept.
const MAX_RAW_OCTETS: usize = 256 * 1024;

/// How often something came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The campaign.
    pub campaign: CampaignId,
    /// The relay; 0: none is known.
    pub relay: RelayId,
    /// The mailbox provider.
    pub provider: MailboxProvider,
    /// How lasting.
    pub kind: BounceKind,
    /// Why.
    pub reason: Reason,
    /// Found by a token.
    pub n: i64,
    /// Found by address and time.
    pub weak: i64,
}

/// One event that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct BounceEvent {
    /// Its number, for the next page.
    pub id: i64,
    /// When, in milliseconds.
    pub at: i64,
    /// What (`bounce`, `complaint`, `delayed`, ...).
    pub kind: String,
    /// How lasting, by its name.
    pub bounce: Option<String>,
    /// Why, by its name.
    pub reason: Option<String>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// The relay's name.
    pub relay: Option<String>,
    /// The mailbox provider's code.
    pub provider: Option<i64>,
    /// The recipient; `None` once erased.
    pub address: Option<String>,
    /// Everything else, as JSON.
    pub data: String,
}

/// Which events are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct BounceFilter<'a> {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// About this address.
    pub address: Option<&'a EmailAddress>,
    /// Of this kind.
    pub kind: Option<BounceKind>,
}

/// A refusal at SMTP time that no event tells of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its row; the relay is the attempt's.
    pub row: SentRow,
    /// Which attempt: a row may be blocked first and refused for another reason later.
    pub attempt: i64,
    /// When.
    pub at: Timestamp,
    /// Where in the dialogue.
    pub phase: Option<String>,
    /// Reply code.
    pub code: u16,
    /// Enhanced status.
    pub enhanced: Option<String>,
    /// Reply text.
    pub reply: Option<String>,
}

impl Refusal {
    /// The key of its event, as the statement looks for it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("smtp:{}.{}", self.row.id, self.attempt)
    }
}

#[derive(Debug, sqlx::FromRow)]
struct RefusalLine {
    #[sqlx(flatten)]
    row: SentLine,
    attempt: i64,
    at: i64,
    phase: Option<String>,
    code: i64,
    enhanced: Option<String>,
    said: Option<String>,
}

/// A mail that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RawMail {
    /// Its number.
    pub id: i64,
    /// When it came, in milliseconds.
    pub at: i64,
    /// When it goes.
    pub expires_at: i64,
    /// Which way it came.
    pub source: String,
    /// What was not understood.
    pub why: String,
    /// The mail.
    pub raw: Vec<u8>,
}

type TallyLine = (i64, i64, i64, String, String, i64, i64);

impl Store {
    /// What came back for some campaigns, in one reading.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn tallies(&self, campaigns: &[CampaignId]) -> Result<Vec<Tally>> {
        let ids = json("campaign numbers", &campaigns)?;
        let lines: Vec<TallyLine> = read!(self, |c, e| {
            sqlx::query_as(FEEDBACK_TALLIES.of(e))
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&FEEDBACK_TALLIES)
        })?;
        lines
            .into_iter()
            .map(|(campaign, relay, provider, kind, reason, n, weak)| {
                let bad = |column| Error::Inconsistent {
                    table: "tallies",
                    column,
                    id: campaign.to_string(),
                };
                Ok(Tally {
                    campaign: CampaignId(campaign),
                    relay: RelayId(relay),
                    provider: provider_of(provider),
                    kind: BounceKind::from_name(&kind).ok_or_else(|| bad("bounce"))?,
                    reason: Reason::from_name(&reason).ok_or_else(|| bad("reason"))?,
                    n,
                    weak,
                })
            })
            .collect()
    }

    /// A campaign's sent rows by relay and mailbox provider; counts the rows, so not for every event.
    ///
    /// # Errors
    /// The database's.
    pub async fn sent_by(
        &self,
        campaign: CampaignId,
    ) -> Result<Vec<(RelayId, MailboxProvider, i64)>> {
        let lines: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(FEEDBACK_SENT.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&FEEDBACK_SENT)
        })?;
        Ok(lines.into_iter().map(|(r, p, n)| (RelayId(r), provider_of(p), n)).collect())
    }

    /// What brakes noted when they took effect on a campaign, in order: `hold` or `brake`, and its JSON.
    ///
    /// # Errors
    /// The database's.
    pub async fn brake_notes(&self, campaign: CampaignId) -> Result<Vec<(String, String)>> {
        read!(self, |c, e| {
            sqlx::query_as(BRAKES_BASELINE.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&BRAKES_BASELINE)
        })
    }

    /// The lists of a campaign.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaign_lists(&self, id: CampaignId) -> Result<Vec<ListId>> {
        let ids: Vec<i64> = read!(self, |c, e| {
            sqlx::query_scalar(crate::campaigns::CAMPAIGN_LISTS_OF.of(e))
                .bind(id.0)
                .fetch_all(&mut *c)
                .await
                .named(&crate::campaigns::CAMPAIGN_LISTS_OF)
        })?;
        Ok(ids.into_iter().map(ListId).collect())
    }

    /// The name of a campaign, without the rest of its row.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaign_name(&self, id: CampaignId) -> Result<Option<String>> {
        read!(self, |c, e| {
            sqlx::query_scalar(CAMPAIGN_NAME.of(e))
                .bind(id.0)
                .fetch_optional(&mut *c)
                .await
                .named(&CAMPAIGN_NAME)
        })
    }

    /// Whether a bounce of an address was ever recorded, which a sign of life would clear.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_strikes(&self, hash: i64) -> Result<bool> {
        let n: i64 = read!(self, |c, e| {
            sqlx::query_scalar(FEEDBACK_HAS_STRIKES.of(e))
                .bind(hash)
                .fetch_one(&mut *c)
                .await
                .named(&FEEDBACK_HAS_STRIKES)
        })?;
        Ok(n > 0)
    }

    /// Whether a report of this key was recorded.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_event(&self, key: &str) -> Result<bool> {
        let n: i64 = read!(self, |c, e| {
            sqlx::query_scalar(FEEDBACK_HAS_EVENT.of(e))
                .bind(key)
                .fetch_one(&mut *c)
                .await
                .named(&FEEDBACK_HAS_EVENT)
        })?;
        Ok(n > 0)
    }

    /// A page of what came back, the newest first, before an event (`i64::MAX` to begin with).
    ///
    /// # Errors
    /// The database's.
    pub async fn bounce_events(
        &self,
        filter: BounceFilter<'_>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<BounceEvent>> {
        let hash = filter.address.map(|a| self.keys.address_hash(a));
        let statement = if hash.is_some() { FEEDBACK_EVENTS_OF } else { FEEDBACK_EVENTS };
        read!(self, |c, e| {
            let mut query = sqlx::query_as(statement.of(e))
                .bind(filter.campaign.map_or(0, |id| id.0))
                .bind(before)
                .bind(filter.kind.map_or("", BounceKind::as_str))
                .bind(limit);
            if let Some(hash) = hash {
                query = query.bind(hash);
            }
            query.fetch_all(&mut *c).await.named(&statement)
        })
    }

    /// Refusals at SMTP time since a time that no event tells of yet, the oldest first.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn refusals(&self, since: Timestamp, limit: i64) -> Result<Vec<Refusal>> {
        let lines: Vec<RefusalLine> = read!(self, |c, e| {
            sqlx::query_as(FEEDBACK_REFUSALS.of(e))
                .bind(since.0)
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&FEEDBACK_REFUSALS)
        })?;
        lines
            .into_iter()
            .map(|line| {
                Ok(Refusal {
                    row: line.row.try_into()?,
                    attempt: line.attempt,
                    at: Timestamp(line.at),
                    phase: line.phase,
                    code: u16::try_from(line.code).unwrap_or(0),
                    enhanced: line.enhanced,
                    reply: line.said,
                })
            })
            .collect()
    }

    /// Keeps a mail that was not understood until a time; the same one only once.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep_raw(
        &self,
        digest: &str,
        (source, why): (&str, &str),
        raw: &[u8],
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<()> {
        let raw = &raw[..raw.len().min(MAX_RAW_OCTETS)];
        tx!(self, |c, e| {
            let kept: i64 =
                sqlx::query_scalar(RAW_COUNT.of(e)).fetch_one(&mut *c).await.named(&RAW_COUNT)?;
            if kept >= MAX_RAW {
                return Ok(());
            }
            sqlx::query(RAW_KEEP.of(e))
                .bind(now.0)
                .bind(expires_at.0)
                .bind(digest)
                .bind(source)
                .bind(why)
                .bind(raw)
                .execute(&mut *c)
                .await
                .named(&RAW_KEEP)
                .map(drop)
        })
    }

    /// A page of the kept mails after a number (0 to begin with).
    ///
    /// # Errors
    /// The database's.
    pub async fn raw_mails(&self, after: i64, now: Timestamp, limit: i64) -> Result<Vec<RawMail>> {
        read!(self, |c, e| {
            sqlx::query_as(RAW_PAGE.of(e))
                .bind(after)
                .bind(now.0)
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&RAW_PAGE)
        })
    }

    /// Lets go of a kept mail. True when there was one.
    ///
    /// # Errors
    /// The database's.
    pub async fn drop_raw(&self, id: i64) -> Result<bool> {
        tx!(self, |c, e| {
            let done = sqlx::query(RAW_DROP.of(e)).bind(id).execute(&mut *c).await;
            Ok(done.named(&RAW_DROP)?.rows_affected() > 0)
        })
    }

    /// Lets go of the mails that were kept long enough.
    ///
    /// # Errors
    /// The database's.
    pub async fn expire_raw(&self, now: Timestamp) -> Result<u64> {
        tx!(self, |c, e| {
            let done = sqlx::query(RAW_EXPIRE.of(e)).bind(now.0).execute(&mut *c).await;
            Ok(done.named(&RAW_EXPIRE)?.rows_affected())
        })
    }
}
