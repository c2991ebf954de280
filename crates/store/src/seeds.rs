//! Seed copies as rows: planned at the freeze, released in step with the audience, read with what became of them.
//!
//! `campaign` plans and releases, `placement` looks (`seed_looks`), reports and the exporter read. A copy is a delivery
//! row of role seed, pinned to its relay, and one row beside it that says whose mailbox it is for and where it
//! landed. What must hold: a campaign's seeds are planned once; a copy that is not released is never due; nothing
//! here counts in the audience's sums. Counts are read by `seed_counts`.

use crate::backend::{Named, read, tx};
use crate::campaigns::json;
use crate::counters::{Delta, add_counters};
use crate::reports::state_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::placement::{AuthResult, Placement};
use postroad_model::{CampaignId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp};

sql! {
    both SEED_PLANNED = "seed_planned";
    both SEED_ROW_INSERT = "seed_row_insert";
    both SEED_COPY_INSERT = "seed_copy_insert";
    both SEED_GAP_ADD = "seed_gap_add";
    both SEED_COPIES_OF = "seed_copies_of";
    both SEED_UNRELEASED = "seed_unreleased";
    both SEED_RELEASE_ROW = "seed_release_row";
    both SEED_RELEASE_COPY = "seed_release_copy";
    both RANK_LIMIT_OF = "rank_limit_of";
}

/// The not-before time of a seed's row whose turn has not come: the end of the year 9999.
pub(crate) const UNRELEASED: Timestamp = Timestamp(253_402_300_799_000);

/// A copy for a seed mailbox, as the plan of the freeze says.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSeedCopy {
    /// Name of the mailbox in the configuration.
    pub mailbox: String,
    /// The address: the mailbox's own, one with a tag, or an alias.
    pub address: EmailAddress,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// The relay that sends it.
    pub relay: RelayId,
    /// When its turn comes, as a rank of the audience.
    pub rank: i64,
    /// The name that the template sees; `None`: that of somebody of the audience.
    pub name: Option<String>,
    /// Attributes that the template sees, over those of somebody of the audience.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// What the mailbox provider said of the sender's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authentication {
    /// SPF.
    pub spf: Option<AuthResult>,
    /// DKIM.
    pub dkim: Option<AuthResult>,
    /// DMARC.
    pub dmarc: Option<AuthResult>,
}

/// One seed row of a campaign, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedCopy {
    /// Its delivery row.
    pub delivery: DeliveryId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Name of the mailbox in the configuration.
    pub mailbox: String,
    /// The address it was sent to; empty once erased.
    pub address: String,
    /// Who hosts the mailbox.
    pub provider: MailboxProvider,
    /// The relay that sends it.
    pub relay: RelayId,
    /// When its turn comes.
    pub rank: i64,
    /// The row's state.
    pub state: DeliveryState,
    /// When its turn came.
    pub released_at: Option<Timestamp>,
    /// When the relay took it; where its answer was lost, when that was.
    pub accepted_at: Option<Timestamp>,
    /// Where it landed, as far as is known.
    pub placement: Placement,
    /// The folder where it was found, by the mailbox's own name.
    pub folder: Option<String>,
    /// The inbox's tab where it was found, where the mailbox has tabs.
    pub tab: Option<String>,
    /// When the mailbox's server took it.
    pub arrived_at: Option<Timestamp>,
    /// From the relay's acceptance to its arrival, in milliseconds.
    pub arrived_after_ms: Option<i64>,
    /// SPF, DKIM and DMARC as the mailbox provider saw them.
    pub authentication: Authentication,
    /// How often it was looked for.
    pub looks: i64,
    /// When it is looked for next, if that was fixed.
    pub next_look_at: Option<Timestamp>,
    /// What kept the last look from an answer.
    pub trouble: Option<String>,
    /// Nobody looks for it any more.
    pub closed: bool,
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct CopyRow {
    bucket: i64,
    delivery_id: i64,
    campaign_id: i64,
    mailbox: String,
    address: Option<String>,
    provider: i64,
    relay_id: i64,
    rank: i64,
    state: i64,
    updated_at: i64,
    released_at: Option<i64>,
    placement: String,
    folder: Option<String>,
    tab: Option<String>,
    accepted_at: Option<i64>,
    arrived_at: Option<i64>,
    spf: Option<String>,
    dkim: Option<String>,
    dmarc: Option<String>,
    looks: i64,
    next_look_at: Option<i64>,
    trouble: Option<String>,
    closed_at: Option<i64>,
}

/// Where a copy is, of what the mailbox showed and the row's state: only what a relay took can be pending.
pub(crate) fn placement_of(found: Placement, state: DeliveryState) -> Placement {
    match (found, state) {
        (
            Placement::Inbox
            | Placement::Promotions
            | Placement::Spam
            | Placement::Other
            | Placement::Missing,
            _,
        )
        | (Placement::Pending | Placement::Unknown, DeliveryState::Accepted)
        | (Placement::Pending | Placement::Unknown, DeliveryState::Unknown) => found,
        (
            Placement::NotSent | Placement::Pending | Placement::Unknown,
            DeliveryState::Scheduled
            | DeliveryState::Leased
            | DeliveryState::Sending
            | DeliveryState::Accepted
            | DeliveryState::Unknown
            | DeliveryState::Rejected
            | DeliveryState::Suppressed
            | DeliveryState::Expired
            | DeliveryState::Cancelled
            | DeliveryState::Failed
            | DeliveryState::Bounced,
        ) => Placement::NotSent,
    }
}

/// After which hash of an address somebody of the audience is looked for, whose data the template sees: another one for each
/// copy and campaign, so that no one's data go to all seeds, and one who is erased takes one copy's with him.
fn person(seed: i64, hash: i64) -> i64 {
    // Seeds may be small numbers: an odd factor spreads them over all hashes.
    seed.wrapping_mul(-7_046_029_254_386_353_131) ^ hash
}

impl CopyRow {
    pub(crate) fn into_copy(self) -> Result<SeedCopy> {
        let delivery = DeliveryId { bucket: self.bucket, id: self.delivery_id };
        let bad =
            |column| Error::Inconsistent { table: "seed_copies", column, id: delivery.to_string() };
        let state = state_of(self.state, self.delivery_id)?;
        let found = Placement::from_name(&self.placement).ok_or_else(|| bad("placement"))?;
        let auth = |text: Option<String>, column| match text {
            None => Ok(None),
            Some(text) => AuthResult::from_name(&text).ok_or_else(|| bad(column)).map(Some),
        };
        let authentication = Authentication {
            spf: auth(self.spf, "spf")?,
            dkim: auth(self.dkim, "dkim")?,
            dmarc: auth(self.dmarc, "dmarc")?,
        };
        // Before anybody looked, the row's last change is when the relay took it, or when its answer was lost.
        let settled = matches!(state, DeliveryState::Accepted | DeliveryState::Unknown);
        let took = settled.then_some(self.updated_at);
        let accepted = self.accepted_at.or(took);
        Ok(SeedCopy {
            delivery,
            campaign: CampaignId(self.campaign_id),
            mailbox: self.mailbox,
            address: self.address.unwrap_or_default(),
            provider: MailboxProvider::from_code(self.provider).ok_or_else(|| bad("provider"))?,
            relay: RelayId(self.relay_id),
            rank: self.rank,
            state,
            released_at: self.released_at.map(Timestamp),
            accepted_at: accepted.map(Timestamp),
            placement: placement_of(found, state),
            folder: self.folder,
            tab: self.tab,
            arrived_at: self.arrived_at.map(Timestamp),
            arrived_after_ms: self.arrived_at.zip(accepted).map(|(to, from)| (to - from).max(0)),
            authentication,
            looks: self.looks,
            next_look_at: self.next_look_at.map(Timestamp),
            trouble: self.trouble,
            closed: self.closed_at.is_some(),
        })
    }
}

impl Store {
    /// Writes a campaign's seed copies, none of them released, and what they do not cover; gives how many. Nothing
    /// happens when that was done before: of two nodes at once the second finds every address taken.
    ///
    /// # Errors
    /// The database's.
    pub async fn plan_seeds(
        &self,
        id: CampaignId,
        (copies, gaps): (&[NewSeedCopy], &[(RelayId, MailboxProvider)]),
        now: Timestamp,
    ) -> Result<u64> {
        tx!(self, |c, e| {
            let (planned, seed): (i64, i64) = sqlx::query_as(SEED_PLANNED.of(e))
                .bind(id.0)
                .fetch_one(&mut *c)
                .await
                .named(&SEED_PLANNED)?;
            if planned > 0 {
                return Ok(0);
            }
            let mut rows = 0;
            for copy in copies {
                let hash = self.keys().address_hash(&copy.address);
                let row: Option<(i64, i64)> = sqlx::query_as(SEED_ROW_INSERT.of(e))
                    .bind(id.0)
                    .bind(copy.relay.0)
                    .bind(copy.address.to_string())
                    .bind(hash)
                    .bind(copy.provider.code())
                    .bind(copy.rank)
                    .bind(UNRELEASED.0)
                    .bind(now.0)
                    .bind(person(seed, hash))
                    .fetch_optional(&mut *c)
                    .await
                    .named(&SEED_ROW_INSERT)?;
                let Some((bucket, delivery)) = row else { continue };
                rows += 1;
                sqlx::query(SEED_COPY_INSERT.of(e))
                    .bind(delivery)
                    .bind(bucket)
                    .bind(id.0)
                    .bind(&copy.mailbox)
                    .bind(copy.relay.0)
                    .bind(copy.provider.code())
                    .bind(copy.rank)
                    .bind(&copy.name)
                    .bind(json("a seed's attributes", &copy.attributes)?)
                    .execute(&mut *c)
                    .await
                    .named(&SEED_COPY_INSERT)?;
            }
            for (relay, provider) in gaps {
                sqlx::query(SEED_GAP_ADD.of(e))
                    .bind(id.0)
                    .bind(relay.0)
                    .bind(provider.code())
                    .execute(&mut *c)
                    .await
                    .named(&SEED_GAP_ADD)?;
            }
            let waits = DeliveryState::Scheduled.code();
            add_counters!(c, e, vec![Delta::tally(id, Role::Seed, RelayId(0), waits); rows]);
            Ok(rows as u64)
        })
    }

    /// A campaign's seed copies, in the order of their ranks.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn seed_copies(&self, campaign: CampaignId) -> Result<Vec<SeedCopy>> {
        let rows: Vec<CopyRow> = read!(self, |c, e| {
            sqlx::query_as(SEED_COPIES_OF.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_COPIES_OF)
        })?;
        rows.into_iter().map(CopyRow::into_copy).collect()
    }

    /// Lets the seed copies go whose rank is not above `up_to_rank`; gives how many were waiting for that.
    ///
    /// # Errors
    /// The database's.
    pub async fn release_seeds(
        &self,
        campaign: CampaignId,
        up_to_rank: i64,
        now: Timestamp,
    ) -> Result<u64> {
        let due: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(SEED_UNRELEASED.of(e))
                .bind(campaign.0)
                .bind(up_to_rank)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_UNRELEASED)
        })?;
        let delivery = |(bucket, id)| DeliveryId { bucket, id };
        let due: Vec<DeliveryId> = due.into_iter().map(delivery).collect();
        if due.is_empty() { Ok(0) } else { self.release_seed_copies(&due, now).await }
    }

    /// Lets these seed copies go; gives how many were waiting for that.
    ///
    /// # Errors
    /// The database's.
    pub async fn release_seed_copies(&self, due: &[DeliveryId], now: Timestamp) -> Result<u64> {
        tx!(self, |c, e| {
            let mut released = 0;
            for DeliveryId { bucket, id } in due {
                sqlx::query(SEED_RELEASE_ROW.of(e))
                    .bind(bucket)
                    .bind(id)
                    .bind(UNRELEASED.0)
                    .execute(&mut *c)
                    .await
                    .named(&SEED_RELEASE_ROW)?;
                released += sqlx::query(SEED_RELEASE_COPY.of(e))
                    .bind(id)
                    .bind(now.0)
                    .execute(&mut *c)
                    .await
                    .named(&SEED_RELEASE_COPY)?
                    .rows_affected();
            }
            Ok(released)
        })
    }

    /// Up to which rank the audience goes for now; `None`: all of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn rank_limit(&self, campaign: CampaignId) -> Result<Option<i64>> {
        read!(self, |c, e| {
            sqlx::query_scalar(RANK_LIMIT_OF.of(e))
                .bind(campaign.0)
                .fetch_one(&mut *c)
                .await
                .named(&RANK_LIMIT_OF)
        })
    }
}
