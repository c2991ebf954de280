//! `campaign export`: one line per recipient, streamed in the order of ids.
//!
//! The header is `address,state,relay,code,enhanced,reply,at`; cli writes the CSV. Seeds and tests are not in it.

use crate::Result;
use postroad_model::CampaignId;
use postroad_model::delivery::DeliveryState;
use postroad_store::{ExportRow, SLICE, Store};
use serde::Serialize;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportLine {
    /// The recipient; empty once erased.
    pub address: String,
    /// Where it stands.
    pub state: &'static str,
    /// The relay that had it last.
    pub relay: String,
    /// Reply code.
    pub code: Option<i64>,
    /// Enhanced status.
    pub enhanced: String,
    /// The reply's text on one line.
    pub reply: String,
    /// Last change, RFC 3339.
    pub at: String,
}

impl ExportLine {
    /// The header, in the order of the fields.
    pub const HEADER: [&'static str; 7] =
        ["address", "state", "relay", "code", "enhanced", "reply", "at"];
}

impl From<ExportRow> for ExportLine {
    fn from(row: ExportRow) -> Self {
        Self {
            address: row.address.unwrap_or_default(),
            state: row.state.as_str(),
            relay: row.relay.unwrap_or_default(),
            code: row.code,
            enhanced: row.enhanced.unwrap_or_default(),
            reply: row.reply.unwrap_or_default().replace(['\r', '\n'], " "),
            at: row.at.rfc3339(),
        }
    }
}

/// Reads a campaign's rows page by page.
pub struct Exporter<'a> {
    store: &'a Store,
    id: CampaignId,
    states: Vec<DeliveryState>,
    after: i64,
}

impl<'a> Exporter<'a> {
    /// Begins at the first row; no states: all of them.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn open(store: &'a Store, name: &str, states: &[DeliveryState]) -> Result<Self> {
        let id = store.campaign(name).await?.campaign.id;
        let states = if states.is_empty() { DeliveryState::ALL.to_vec() } else { states.to_vec() };
        Ok(Self { store, id, states, after: 0 })
    }

    /// The next page; empty at the end.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_page(&mut self) -> Result<Vec<ExportLine>> {
        let page = self.store.export_page(self.id, &self.states, self.after, SLICE).await?;
        if let Some(last) = page.last() {
            self.after = last.id;
        }
        Ok(page.into_iter().map(ExportLine::from).collect())
    }
}
