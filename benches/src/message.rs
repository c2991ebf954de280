//! The message that everything here sends: a newsletter of 8 KB with a text part, made for one recipient each.
//!
//! The bare loop, the engine and the render benchmark compose it with the same [`Maker`], which does what the
//! program's own wiring does for a row: compose, hash, sign, make MAIL FROM. The peers read the same two templates.

use anyhow::{Context as _, Result};
use postroad_campaign::identity::SendAs;
use postroad_campaign::{Composer, Recipient, Setup};
use postroad_delivery::{Compose, ComposeFailure, Composed};
use postroad_dkim::{Coverage, KeyAlgorithm, KeyRing, SigningKey};
use postroad_model::campaign::{
    BodyFormat, Campaign, CampaignKind, CampaignSettings, CampaignState, Content,
};
use postroad_model::delivery::{ContactFields, Detail, Leased, Role};
use postroad_model::message::RenderedMessage;
use postroad_model::rank::mix;
use postroad_model::relay::Relay;
use postroad_model::{
    CampaignId, ContactId, DeliveryId, EmailAddress, ListId, MailboxProvider, PoolId, Timestamp,
};
use postroad_testkit::builders;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The HTML part; `{{first_name}}`, `{{city}}`, `{{plan}}` and `{{unsubscribe_url}}` are filled in.
pub const HTML: &str = include_str!("../messages/newsletter.html");

/// The text part, with the same variables.
pub const TEXT: &str = include_str!("../messages/newsletter.txt");

/// The subject.
pub const SUBJECT: &str = "{{first_name}}, four new things have come in";

const CITIES: [&str; 6] = ["Hanoi", "Ghent", "Kraków", "Porto", "Leipzig", "Tromsø"];
const NAMES: [&str; 8] = ["Anna", "Bảo", "Chloé", "Dương", "Erik", "Fatima", "Giulia", "Henk"];
const PLANS: [&str; 3] = ["blue", "green", "gold"];

/// How messages are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signing {
    /// Not at all.
    None,
    /// RSA with 2,048 bits.
    Rsa,
    /// Ed25519.
    Ed25519,
}

impl Signing {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "unsigned",
            Self::Rsa => "rsa-2048",
            Self::Ed25519 => "ed25519",
        }
    }

    fn algorithm(self) -> Option<KeyAlgorithm> {
        match self {
            Self::None => None,
            Self::Rsa => Some(KeyAlgorithm::Rsa),
            Self::Ed25519 => Some(KeyAlgorithm::Ed25519),
        }
    }
}

/// Makes the two keys of a run; they live as long as its folder.
pub fn make_keys(folder: &Path) -> Result<()> {
    for signing in [Signing::Rsa, Signing::Ed25519] {
        let algorithm = signing.algorithm().context("both sign")?;
        let key = postroad_dkim::generate(&builders::sending_domain().name, "bench", algorithm)?;
        key.write_to(&key_file(folder, signing))?;
    }
    Ok(())
}

/// Where a key lies in the folder of a run.
pub fn key_file(folder: &Path, signing: Signing) -> PathBuf {
    folder.join(signing.name()).with_extension("pem")
}

/// The ring for one way of signing.
pub fn key_ring(folder: &Path, signing: Signing) -> Result<KeyRing> {
    let mut ring = KeyRing::default();
    if signing != Signing::None {
        let (key, _) = SigningKey::from_file(&key_file(folder, signing))?;
        ring.insert(&builders::sending_domain().name, "bench", key)?;
    }
    Ok(ring)
}

/// A relay on loopback that takes this many connections.
pub fn relay(address: SocketAddr, connections: u32) -> Relay {
    let mut relay = builders::relay("sink");
    relay.endpoint.host = address.ip().to_string();
    relay.endpoint.port = address.port();
    relay.connections.max_connections = connections;
    relay
}

/// The configuration around that relay.
pub fn setup(relay: &Relay) -> Setup {
    Setup {
        relays: vec![relay.clone()],
        pools: vec![builders::pool("newsletter", &["sink"])],
        domains: vec![builders::sending_domain()],
        seeds: Vec::new(),
        public_url: Some("https://news.example.com".into()),
        expire_after: Duration::from_secs(86_400),
        unknown_wait: Duration::from_secs(3_600),
        min_inbox: None,
    }
}

/// What the campaign sends.
pub fn settings() -> CampaignSettings {
    let content = Content {
        template_name: "newsletter".into(),
        subject: SUBJECT.into(),
        preheader: None,
        format: BodyFormat::Html,
        body: HTML.into(),
        text: Some(TEXT.into()),
        attachments: Vec::new(),
    };
    CampaignSettings { content, ..builders::campaign_settings() }
}

/// The campaign as a row, for who has no store.
pub fn campaign() -> Campaign {
    Campaign {
        id: CampaignId(1),
        name: "bench".into(),
        kind: CampaignKind::Bulk,
        state: CampaignState::Running { since: Timestamp(0) },
        settings: settings(),
        list_ids: vec![ListId(1)],
        pool: PoolId(1),
        bucket: 1,
        seed: 7,
        audience: None,
        created_at: Timestamp(0),
    }
}

/// The `i`th address; a fifth is at one mailbox provider.
pub fn address(i: u64) -> EmailAddress {
    let domain = if i.is_multiple_of(5) { "gmail.com" } else { "example.org" };
    EmailAddress::parse(&format!("person{i:07}@{domain}")).expect("it has one form")
}

/// Name and attributes of the `i`th person.
pub fn person(i: u64) -> (String, Map<String, Value>) {
    let pick = |all: &[&'static str], salt: u64| {
        let n = usize::try_from(mix(i ^ (salt << 40)) % all.len() as u64).unwrap_or(0);
        all[n]
    };
    let first = pick(&NAMES, 1);
    let mut attributes = Map::new();
    for (name, value) in
        [("first_name", first), ("city", pick(&CITIES, 2)), ("plan", pick(&PLANS, 3))]
    {
        attributes.insert(name.to_owned(), value.into());
    }
    attributes.insert("visits".to_owned(), (mix(i) % 90).into());
    (format!("{first} Person"), attributes)
}

/// The `i`th row as a lease would bring it.
pub fn row(i: u64) -> Leased {
    let (name, attributes) = person(i);
    let address = address(i);
    Leased {
        id: DeliveryId { bucket: 1, id: i.cast_signed() + 1 },
        campaign: CampaignId(1),
        contact: Some(ContactId(i.cast_signed() + 1)),
        provider: MailboxProvider::of_domain(address.domain()),
        address,
        role: Role::Audience,
        rank: mix(i).cast_signed(),
        attempt: 1,
        tries: 0,
        blocks: 0,
        copy_no: 1,
        bound: None,
        fields: ContactFields { name: Some(name), attributes },
        first_leased_at: Timestamp(0),
    }
}

/// Composes and signs as the program does.
pub struct Maker {
    composer: Composer,
    send_as: SendAs,
    keys: KeyRing,
}

impl Maker {
    /// For one campaign through one relay.
    pub fn new(campaign: &Campaign, relay: &Relay, keys: KeyRing) -> Result<Self> {
        let setup = setup(relay);
        let composer = Composer::new(campaign, &setup, &builders::token_keys())?;
        let send_as = composer.send_as(relay, &setup)?;
        Ok(Self { composer, send_as, keys })
    }

    /// Renders and builds, without a signature.
    pub fn unsigned(
        &self,
        row: &Leased,
        now: Timestamp,
    ) -> Result<RenderedMessage, ComposeFailure> {
        let to = Recipient::leased(row, now);
        self.composer.compose(&to, self.send_as.forced.as_ref()).map_err(|e| failed(e.to_string()))
    }
}

fn failed(text: String) -> ComposeFailure {
    ComposeFailure::Row { detail: Detail::Render, text }
}

impl Compose for Maker {
    fn compose(&self, row: &Leased, _: &Relay, now: Timestamp) -> Result<Composed, ComposeFailure> {
        let message = self.unsigned(row, now)?;
        let content_hash = content_hash(&message.bytes);
        let needs_smtputf8 = message.needs_smtputf8;
        let signed =
            self.keys.sign(message, Coverage::Full, now).map_err(|e| failed(e.to_string()))?;
        let mail_from = self.composer.mail_from(&self.send_as, row.id, row.copy_no).to_string();
        let mut message = signed.signature_fields;
        message.extend_from_slice(&signed.message.bytes);
        let envelope_id = self.composer.envelope_id(row.id, row.copy_no);
        let date = now;
        Ok(Composed { mail_from, envelope_id, message, content_hash, date, needs_smtputf8 })
    }
}

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
    fn the_newsletter_has_about_eight_kilobytes_and_one_reader() {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path()).unwrap();
        let relay = relay("127.0.0.1:25".parse().unwrap(), 1);
        for (signing, fields) in [(Signing::None, 0), (Signing::Rsa, 1), (Signing::Ed25519, 1)] {
            let keys = key_ring(folder.path(), signing).unwrap();
            let maker = Maker::new(&campaign(), &relay, keys).unwrap();
            let made = maker.compose(&row(3), &relay, Timestamp(1_764_000_000_000)).unwrap();
            let text = String::from_utf8(made.message).unwrap();
            assert_eq!(text.matches("DKIM-Signature:").count(), fields, "{signing:?}");
            assert!((7_500..9_500).contains(&text.len()), "{} octets", text.len());
            assert!(text.contains(&format!("<{}>", address(3))), "{text}");
        }
    }
}
