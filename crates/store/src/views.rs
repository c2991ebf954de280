//! One delivery row as the web view of its message wants it: the recipient's data, the row's rank and Date.
//!
//! Read by cli's wiring for `web`; the link's token names the row. Changes nothing.

use crate::backend::{Named, read};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::delivery::{ContactFields, Role};
use postroad_model::{CampaignId, ContactId, DeliveryId, EmailAddress, RelayId, Timestamp};

sql! {
    both VIEW_ROW = "view_row";
}

/// What a message is made of again.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRow {
    /// Its campaign.
    pub campaign: CampaignId,
    /// What the row is for.
    pub role: Role,
    /// The contact, if it is one.
    pub contact: Option<ContactId>,
    /// The recipient.
    pub address: EmailAddress,
    /// Name and attributes as they stand now.
    pub fields: ContactFields,
    /// The row's rank.
    pub rank: i64,
    /// The Date field, or the time of the latest change before there is one.
    pub date: Timestamp,
    /// The relay whose identity it has.
    pub relay: Option<RelayId>,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    campaign_id: i64,
    role: i64,
    contact_id: Option<i64>,
    address: Option<String>,
    rank: i64,
    bound_date: Option<i64>,
    first_leased_at: Option<i64>,
    updated_at: i64,
    bound_relay: Option<i64>,
    name: Option<String>,
    attributes: Option<String>,
    /// A seed's attributes of the configuration, over the others.
    own: Option<String>,
}

impl Store {
    /// The row behind a link; `None` when it is gone or its address was erased.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn view_row(&self, id: DeliveryId) -> Result<Option<ViewRow>> {
        let row: Option<Row> = read!(self, |c, e| {
            sqlx::query_as(VIEW_ROW.of(e))
                .bind(id.bucket)
                .bind(id.id)
                .fetch_optional(&mut *c)
                .await
                .named(&VIEW_ROW)
        })?;
        let bad = |column| Error::Inconsistent { table: "deliveries", column, id: id.to_string() };
        let Some(row) = row else { return Ok(None) };
        let Some(address) = row.address else { return Ok(None) };
        let mut attributes = serde_json::Map::new();
        for text in [row.attributes, row.own].into_iter().flatten() {
            attributes.extend(crate::contacts::read_attributes(id.id, &text)?);
        }
        Ok(Some(ViewRow {
            campaign: CampaignId(row.campaign_id),
            role: Role::from_code(row.role).ok_or_else(|| bad("role"))?,
            contact: row.contact_id.map(ContactId),
            address: EmailAddress::parse(&address).map_err(|_| bad("address"))?,
            fields: ContactFields { name: row.name, attributes },
            rank: row.rank,
            date: Timestamp(row.bound_date.or(row.first_leased_at).unwrap_or(row.updated_at)),
            relay: row.bound_relay.filter(|n| *n != 0).map(RelayId),
        }))
    }
}
