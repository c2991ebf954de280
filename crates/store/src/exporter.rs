//! What the exporter of metrics and the public pages read: campaigns at a glance, and whose link a link is.
//!
//! Called by web before each scrape and for each page. Cheap by design: campaigns without their settings, counters
//! instead of rows, a bounded number of deferred rows by their partial indexes. It writes nothing and locks nothing, so that neither a
//! scrape nor a reader of mail ever stands in a lane's way.

use crate::backend::{Named, read};
use crate::relays::SILENT_MS;
use crate::reports::state_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::contact::SubscriptionState;
use postroad_model::delivery::DeliveryState;
use postroad_model::{CampaignId, ContactId, ListId, MailboxProvider, Timestamp};
use std::collections::BTreeMap;

sql! {
    both EXPORTER_CAMPAIGNS = "exporter_campaigns";
    each EXPORTER_COUNTERS = "exporter_counters";
    both EXPORTER_DEFERRED = "exporter_deferred";
    both EXPORTER_NODES = "exporter_nodes";
    both LINK_CONTACT = "link_contact";
    each LINK_LISTS = "link_lists";
}

/// So many waiting rows are counted: an operator who sees as many knows enough, and a scrape stays cheap.
pub(crate) const DEFERRED_MAX: i64 = 2_000;

/// A campaign as the exporter sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignGlance {
    /// Its id.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// `CampaignState::name`.
    pub state: String,
    /// Size of its frozen audience.
    pub audience: Option<i64>,
    /// Grows with each change of the row: what was read of it with an older version may be out of date.
    pub version: i64,
    /// Its audience by state, summed from the counters.
    pub recipients: BTreeMap<DeliveryState, i64>,
    /// Scheduled rows that were tried before; counted up to some thousands of all campaigns together.
    pub deferred: i64,
    /// When the first of those that were counted may be tried again.
    pub oldest_due: Option<Timestamp>,
}

/// Whose link a link is, in what a page may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOwner {
    /// The address; `None` once erased.
    pub address: Option<String>,
    /// Who hosts the mailbox.
    pub provider: MailboxProvider,
    /// True when all mail to the address is stopped.
    pub stopped_everywhere: bool,
    /// The campaign's name, if it still stands.
    pub campaign: Option<String>,
    /// The link's lists that still stand, by the title or name that people know, with how the contact stands to
    /// each; `None` when it never was on it.
    pub lists: Vec<(String, Option<SubscriptionState>)>,
}

type GlanceRow = (i64, String, String, Option<i64>, i64);
type OwnerRow = (Option<String>, i64, i64, Option<String>);

impl Store {
    /// Campaigns that run, are held or paused, and those that ended after a time.
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn campaigns_at_a_glance(
        &self,
        ended_after: Timestamp,
    ) -> Result<Vec<CampaignGlance>> {
        let rows: Vec<GlanceRow> = read!(self, |c, e| {
            sqlx::query_as(EXPORTER_CAMPAIGNS.of(e))
                .bind(ended_after.0)
                .fetch_all(&mut *c)
                .await
                .named(&EXPORTER_CAMPAIGNS)
        })?;
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let ids = crate::contacts::json("campaign numbers", &ids)?;
        let counters: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(EXPORTER_COUNTERS.of(e))
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&EXPORTER_COUNTERS)
        })?;
        let deferred: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(EXPORTER_DEFERRED.of(e))
                .bind(DEFERRED_MAX)
                .fetch_all(&mut *c)
                .await
                .named(&EXPORTER_DEFERRED)
        })?;
        let mut glances: Vec<CampaignGlance> = rows.into_iter().map(Into::into).collect();
        for (campaign, state, n) in counters {
            if let Some(glance) = glances.iter_mut().find(|g| g.id.0 == campaign) {
                glance.recipients.insert(state_of(state, campaign)?, n);
            }
        }
        for (campaign, n, due) in deferred {
            if let Some(glance) = glances.iter_mut().find(|g| g.id.0 == campaign) {
                glance.deferred = n;
                glance.oldest_due = Some(Timestamp(due));
            }
        }
        Ok(glances)
    }

    /// How many nodes are alive: they sent a heartbeat lately, as the longest lease demands it, and did not stop. A node that was
    /// restarted counts once.
    ///
    /// # Errors
    /// The database's.
    pub async fn nodes_alive(&self, now: Timestamp) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(EXPORTER_NODES.of(e))
                .bind(now.0 - SILENT_MS)
                .fetch_one(&mut *c)
                .await
                .named(&EXPORTER_NODES)
        })
    }

    /// Whose link it is; `None` when there is no such contact.
    ///
    /// # Errors
    /// `Json`, `Statement`, `Inconsistent`.
    pub async fn link_owner(
        &self,
        contact: ContactId,
        campaign: CampaignId,
        lists: &[ListId],
    ) -> Result<Option<LinkOwner>> {
        let ids = crate::contacts::json("list numbers", lists)?;
        let found: Option<(OwnerRow, Vec<(String, i64)>)> = read!(self, |c, e| {
            let owner: Option<OwnerRow> = sqlx::query_as(LINK_CONTACT.of(e))
                .bind(contact.0)
                .bind(campaign.0)
                .fetch_optional(&mut *c)
                .await
                .named(&LINK_CONTACT)?;
            let Some(owner) = owner else { return Ok(None) };
            let lists = sqlx::query_as(LINK_LISTS.of(e))
                .bind(&ids)
                .bind(contact.0)
                .fetch_all(&mut *c)
                .await
                .named(&LINK_LISTS)?;
            Ok(Some((owner, lists)))
        })?;
        let Some(((address, provider, stopped, campaign), lists)) = found else { return Ok(None) };
        let provider = MailboxProvider::from_code(provider).ok_or_else(|| Error::Inconsistent {
            table: "contacts",
            column: "provider",
            id: contact.to_string(),
        })?;
        let lists = lists
            .into_iter()
            .map(|(title, state)| (title, SubscriptionState::from_code(state)))
            .collect();
        let stopped_everywhere = stopped != 0;
        Ok(Some(LinkOwner { address, provider, stopped_everywhere, campaign, lists }))
    }
}

impl From<GlanceRow> for CampaignGlance {
    fn from((id, name, state, audience, version): GlanceRow) -> Self {
        Self {
            id: CampaignId(id),
            name,
            state,
            audience,
            version,
            recipients: BTreeMap::new(),
            deferred: 0,
            oldest_due: None,
        }
    }
}
