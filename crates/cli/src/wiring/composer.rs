//! The maker of messages that the engine asks: settings from the store, `campaign` and `render` compose, `dkim` signs.
//!
//! Hops 7 and 8 of a delivery (docs/flow.md). Each campaign is read and compiled once and then shared; what cannot be
//! read now is told as `Later`, what can never be made as `Row`. What must always hold: a bound row keeps its MAIL
//! FROM, Date and From; a row that is bound to one identity is never sent as another.

use anyhow::Result;
use postroad_campaign::identity::SendAs;
use postroad_campaign::{Composer, Recipient, Setup};
use postroad_delivery::{Compose, ComposeFailure, Composed};
use postroad_dkim::{Coverage, KeyRing};
use postroad_model::delivery::{Detail, Leased};
use postroad_model::message::{RenderedMessage, SignedMessage};
use postroad_model::rank::mix;
use postroad_model::relay::{Habits, Relay};
use postroad_model::{CampaignId, RelayId, Timestamp};
use postroad_store::Store;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::runtime::Handle;

/// Octets that the lines of an envelope and a Received field may add at the relay.
const HEADROOM: u64 = 4_000;

/// Makes and signs messages for the engine.
pub struct Maker {
    store: Arc<Store>,
    setup: Setup,
    keys: KeyRing,
    relay_names: HashMap<RelayId, String>,
    runtime: Handle,
    campaigns: RwLock<HashMap<CampaignId, Arc<Ready>>>,
}

/// One campaign, ready for any recipient.
struct Ready {
    composer: Composer,
    /// As whom each relay of the configuration sends it, or why it cannot.
    send_as: BTreeMap<String, Result<SendAs, String>>,
    /// The largest message that any relay of the pool takes; absent: one takes all.
    largest: Option<u64>,
}

impl Maker {
    /// A maker that knows no campaign yet. To be made inside a tokio runtime.
    pub fn new(
        store: Arc<Store>,
        setup: Setup,
        keys: KeyRing,
        relays: &BTreeMap<String, RelayId>,
    ) -> Self {
        let relay_names = relays.iter().map(|(name, id)| (*id, name.clone())).collect();
        let campaigns = RwLock::default();
        Self { store, setup, keys, relay_names, runtime: Handle::current(), campaigns }
    }

    fn ready(&self, id: CampaignId) -> Result<Arc<Ready>, ComposeFailure> {
        let known = self.campaigns.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(ready) = known {
            return Ok(ready);
        }
        // The engine composes on threads of its own, where waiting for the store is allowed.
        let stored = self
            .runtime
            .block_on(self.store.campaign_by_id(id))
            .map_err(|e| ComposeFailure::Later(e.to_string()))?;
        let composer = Composer::new(&stored.campaign, &self.setup, self.store.keys())
            .map_err(|e| ComposeFailure::Later(e.to_string()))?;
        let send_as = self
            .setup
            .relays
            .iter()
            .map(|r| (r.name.clone(), composer.send_as(r, &self.setup).map_err(|e| e.to_string())))
            .collect();
        let pool = self.setup.pool_relays(&stored.campaign.settings.pool).unwrap_or_default();
        let largest = pool.iter().map(|r| r.max_message_bytes.unwrap_or(u64::MAX)).max();
        let largest = largest.filter(|max| *max < u64::MAX);
        let ready = Arc::new(Ready { composer, send_as, largest });
        let mut campaigns = self.campaigns.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(campaigns.entry(id).or_insert(ready)))
    }

    /// Refuses to send a bound row as somebody else.
    fn keeps_identity(
        &self,
        row: &Leased,
        ready: &Ready,
        now_as: &SendAs,
    ) -> Result<(), ComposeFailure> {
        let Some(bound) = &row.bound else { return Ok(()) };
        let Some(name) = self.relay_names.get(&bound.relay) else { return Ok(()) };
        match ready.send_as.get(name) {
            Some(Ok(bound_as)) if bound_as.from != now_as.from => {
                Err(ComposeFailure::NotThisRelay(format!(
                    "the row was first offered through {name}, as {}",
                    bound_as.from
                )))
            }
            Some(Ok(_) | Err(_)) | None => Ok(()),
        }
    }

    fn sign(
        &self,
        message: RenderedMessage,
        habits: Habits,
        now: Timestamp,
    ) -> Result<SignedMessage, ComposeFailure> {
        let coverage = if habits.rewrites_message_id {
            Coverage::WithoutMessageIdAndDate
        } else {
            Coverage::Full
        };
        self.keys.sign(message, coverage, now).map_err(|e| ComposeFailure::Row {
            detail: Detail::Render,
            text: crate::exit::message(&e.into()),
        })
    }
}

impl Compose for Maker {
    fn compose(
        &self,
        row: &Leased,
        relay: &Relay,
        now: Timestamp,
    ) -> Result<Composed, ComposeFailure> {
        let ready = self.ready(row.campaign)?;
        let send_as = match ready.send_as.get(&relay.name) {
            Some(Ok(send_as)) => send_as,
            Some(Err(why)) => return Err(ComposeFailure::NotThisRelay(why.clone())),
            None => return Err(ComposeFailure::NotThisRelay("it left the configuration".into())),
        };
        self.keeps_identity(row, &ready, send_as)?;
        let to = Recipient::leased(row, now);
        let message = ready
            .composer
            .compose(&to, send_as.forced.as_ref())
            .map_err(|e| ComposeFailure::Row { detail: Detail::Render, text: e.to_string() })?;
        let content_hash = content_hash(&message.bytes);
        let needs_smtputf8 = message.needs_smtputf8 || row.address.needs_smtputf8();
        let signed = self.sign(message, relay.habits, now)?;
        let size = signed.wire_len() as u64;
        fits(size, relay, &ready)?;
        let mail_from = match &row.bound {
            Some(bound) => bound.mail_from.clone(),
            None => ready.composer.mail_from(send_as, row.id, row.copy_no).to_string(),
        };
        let mut message = signed.signature_fields;
        message.extend_from_slice(&signed.message.bytes);
        let envelope_id = ready.composer.envelope_id(row.id, row.copy_no);
        Ok(Composed {
            mail_from,
            envelope_id,
            message,
            content_hash,
            date: to.date,
            needs_smtputf8,
        })
    }
}

fn fits(size: u64, relay: &Relay, ready: &Ready) -> Result<(), ComposeFailure> {
    let wanted = size.saturating_add(HEADROOM);
    if let Some(largest) = ready.largest.filter(|largest| wanted > *largest) {
        let text = format!("{size} octets; no relay of the pool takes more than {largest}");
        return Err(ComposeFailure::Row { detail: Detail::TooLarge, text });
    }
    match relay.max_message_bytes.filter(|max| wanted > *max) {
        Some(max) => Err(ComposeFailure::NotThisRelay(format!("{size} octets; it takes {max}"))),
        None => Ok(()),
    }
}

/// Tells whether two copies are the same; nobody is kept from making two that are not.
fn content_hash(bytes: &[u8]) -> i64 {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_every_octet_and_the_length() {
        let base = content_hash(b"Subject: x\r\n\r\nhello there\r\n");
        assert_eq!(base, content_hash(b"Subject: x\r\n\r\nhello there\r\n"));
        assert_ne!(base, content_hash(b"Subject: x\r\n\r\nhello therf\r\n"));
        assert_ne!(content_hash(b"a"), content_hash(b"a\0"));
    }
}
