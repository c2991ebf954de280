//! One recipient's story in a campaign: contact, subscriptions, suppressions, rows, attempts, events.

use crate::backend::{Named, read};
use crate::reports::state_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::contact::SubscriptionState;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, ContactId, DeliveryId, MailboxProvider, Timestamp};

sql! {
    both EXPLAIN_CONTACT = "explain_contact";
    both EXPLAIN_SUBSCRIPTIONS = "explain_subscriptions";
    both EXPLAIN_SUPPRESSIONS = "explain_suppressions";
    both EXPLAIN_DELIVERY = "explain_delivery";
    both EXPLAIN_ATTEMPTS = "explain_attempts";
    both EXPLAIN_EVENTS = "explain_events";
}

/// The contact of an address as a campaign sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactStory {
    /// The contact.
    pub id: ContactId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
    /// Why the campaign left it out.
    pub left_out: Option<String>,
    /// How it stands to each of the campaign's lists.
    pub subscriptions: Vec<SubscriptionRow>,
}

/// How a contact stands to one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// The list's name.
    pub list: String,
    /// `None`: it was never on it.
    pub state: Option<SubscriptionState>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// A suppression of an address.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SuppressionRow {
    /// The list's name; empty: everywhere.
    pub list: String,
    /// Why.
    pub reason: String,
    /// Who or what said so.
    pub origin: String,
    /// When, in milliseconds.
    pub at: i64,
}

/// A delivery row as `explain` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowStory {
    /// The row.
    pub id: DeliveryId,
    /// What it is for.
    pub role: Role,
    /// The recipient; `None` once erased.
    pub address: Option<String>,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// Its place in the campaign's order.
    pub rank: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// Not sent before; 0: at any time.
    pub not_before: Timestamp,
    /// It waits for this relay.
    pub pinned: Option<String>,
    /// Leases so far.
    pub attempt: i64,
    /// Deferrals charged to the recipient's side.
    pub tries: i64,
    /// Policy blocks so far.
    pub blocks: i64,
    /// Copies that may have been sent before this one.
    pub copy_no: i64,
    /// The relay that had it last.
    pub relay: Option<String>,
    /// When it was leased for the first time.
    pub first_leased_at: Option<Timestamp>,
    /// MAIL FROM that it is bound to.
    pub mail_from: Option<String>,
    /// Date that it is bound to.
    pub bound_date: Option<Timestamp>,
    /// Last reply code.
    pub code: Option<i64>,
    /// Last enhanced status.
    pub enhanced: Option<String>,
    /// Last reply text.
    pub reply: Option<String>,
    /// A remark of the engine.
    pub detail: Option<String>,
    /// Last change.
    pub updated_at: Timestamp,
    /// Outcomes that were no plain acceptance.
    pub attempts: Vec<AttemptRow>,
    /// What came back, and acts on the campaign's rows.
    pub events: Vec<EventRow>,
}

/// One outcome.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AttemptRow {
    /// The lease's serial.
    pub attempt: i64,
    /// The relay.
    pub relay: Option<String>,
    /// When, in milliseconds.
    pub at: i64,
    /// What it was.
    pub outcome: String,
    /// Where in the dialogue.
    pub phase: Option<String>,
    /// Reply code.
    pub code: Option<i64>,
    /// Enhanced status.
    pub enhanced: Option<String>,
    /// Reply text.
    pub reply: Option<String>,
    /// The rule that judged it.
    pub rule: Option<String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct EventRow {
    /// When, in milliseconds.
    pub at: i64,
    /// What.
    pub kind: String,
    /// Its data as JSON.
    pub data: String,
}

#[derive(Debug, sqlx::FromRow)]
struct DeliveryLine {
    bucket: i64,
    id: i64,
    role: i64,
    address: Option<String>,
    provider: i64,
    rank: i64,
    state: i64,
    not_before: i64,
    pinned: Option<String>,
    attempt: i64,
    tries: i64,
    blocks: i64,
    copy_no: i64,
    relay: Option<String>,
    first_leased_at: Option<i64>,
    mail_from: Option<String>,
    bound_date: Option<i64>,
    code: Option<i64>,
    enhanced: Option<String>,
    reply: Option<String>,
    detail: Option<String>,
    updated_at: i64,
}

impl DeliveryLine {
    fn into_story(self, attempts: Vec<AttemptRow>, events: Vec<EventRow>) -> Result<RowStory> {
        let bad = |column| Error::Inconsistent {
            table: "deliveries",
            column,
            id: format!("{}-{}", self.bucket, self.id),
        };
        Ok(RowStory {
            id: DeliveryId { bucket: self.bucket, id: self.id },
            role: Role::from_code(self.role).ok_or_else(|| bad("role"))?,
            provider: MailboxProvider::from_code(self.provider).ok_or_else(|| bad("provider"))?,
            state: state_of(self.state, self.id)?,
            address: self.address,
            rank: self.rank,
            not_before: Timestamp(self.not_before),
            pinned: self.pinned,
            attempt: self.attempt,
            tries: self.tries,
            blocks: self.blocks,
            copy_no: self.copy_no,
            relay: self.relay,
            first_leased_at: self.first_leased_at.map(Timestamp),
            mail_from: self.mail_from,
            bound_date: self.bound_date.map(Timestamp),
            code: self.code,
            enhanced: self.enhanced,
            reply: self.reply,
            detail: self.detail,
            updated_at: Timestamp(self.updated_at),
            attempts,
            events,
        })
    }
}

impl Store {
    /// The contact with an address hash, as a campaign sees it.
    ///
    /// # Errors
    /// The database's.
    pub async fn contact_story(&self, id: CampaignId, hash: i64) -> Result<Option<ContactStory>> {
        read!(self, |c, e| {
            let row: Option<(i64, i64, Option<i64>, Option<String>)> =
                sqlx::query_as(EXPLAIN_CONTACT.of(e))
                    .bind(id.0)
                    .bind(hash)
                    .fetch_optional(&mut *c)
                    .await
                    .named(&EXPLAIN_CONTACT)?;
            let Some((contact, created, erased, left_out)) = row else { return Ok(None) };
            let lists: Vec<(String, Option<i64>, Option<i64>)> =
                sqlx::query_as(EXPLAIN_SUBSCRIPTIONS.of(e))
                    .bind(id.0)
                    .bind(contact)
                    .fetch_all(&mut *c)
                    .await
                    .named(&EXPLAIN_SUBSCRIPTIONS)?;
            let subscriptions = lists
                .into_iter()
                .map(|(list, state, since)| SubscriptionRow {
                    list,
                    state: state.and_then(SubscriptionState::from_code),
                    since: since.map(Timestamp),
                })
                .collect();
            Ok(Some(ContactStory {
                id: ContactId(contact),
                created_at: Timestamp(created),
                erased_at: erased.map(Timestamp),
                left_out,
                subscriptions,
            }))
        })
    }

    /// Where an address is suppressed.
    ///
    /// # Errors
    /// The database's.
    pub async fn suppressions_of(&self, hash: i64) -> Result<Vec<SuppressionRow>> {
        read!(self, |c, e| {
            sqlx::query_as(EXPLAIN_SUPPRESSIONS.of(e))
                .bind(hash)
                .fetch_all(&mut *c)
                .await
                .named(&EXPLAIN_SUPPRESSIONS)
        })
    }

    /// The rows of an address in a campaign, with everything that happened to them.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn row_stories(
        &self,
        id: CampaignId,
        role: Role,
        hash: i64,
    ) -> Result<Vec<RowStory>> {
        read!(self, |c, e| {
            let rows: Vec<DeliveryLine> = sqlx::query_as(EXPLAIN_DELIVERY.of(e))
                .bind(id.0)
                .bind(role.code())
                .bind(hash)
                .fetch_all(&mut *c)
                .await
                .named(&EXPLAIN_DELIVERY)?;
            let mut stories = Vec::with_capacity(rows.len());
            for row in rows {
                let attempts: Vec<AttemptRow> = sqlx::query_as(EXPLAIN_ATTEMPTS.of(e))
                    .bind(row.bucket)
                    .bind(row.id)
                    .fetch_all(&mut *c)
                    .await
                    .named(&EXPLAIN_ATTEMPTS)?;
                let events: Vec<EventRow> = sqlx::query_as(EXPLAIN_EVENTS.of(e))
                    .bind(row.id)
                    .bind(id.0)
                    .fetch_all(&mut *c)
                    .await
                    .named(&EXPLAIN_EVENTS)?;
                stories.push(row.into_story(attempts, events)?);
            }
            Ok(stories)
        })
    }
}
